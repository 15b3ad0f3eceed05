"""The configuration as one frozen value; every gap is already filled when the rest of the engine sees it."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from orchestra_core.alerting.policy import Policy
from orchestra_core.config.accounting import AccountingSettings
from orchestra_core.config.caching import CacheSettings
from orchestra_core.config.recorder import RecorderSettings
from orchestra_core.domain.budgets import Budget
from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.trust.keys import ApiKey


class Secret:
    """A value that no repr, log line or traceback shows; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def hide_password(url: str) -> str:
    """The URL with its password as stars, fit to be shown."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return url.split("://", 1)[0] + "://…"
    return url.replace(f":{password}@", ":***@", 1) if password else url


class ServerSettings(msgspec.Struct, frozen=True):
    """Where the engine listens and to whom. `socket` is the absolute path of the private Unix socket.

    `allowed_hosts` are names besides loopback and `host` that requests may be addressed to, `cors_origins` the
    web pages that may ask. `require_key` None: as soon as there is a key. `grace_seconds` is how long running
    requests may take to finish when the engine is told to stop. `environment` is what consoles call this engine, in
    `environment_color`. `read_only`: nobody changes anything over the API.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    socket: str = ""
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    require_key: bool | None = None
    grace_seconds: float = 30.0
    environment: str = ""
    environment_color: str = ""
    read_only: bool = False


class LimitSettings(msgspec.Struct, frozen=True):
    """For each key without limits of its own, and for each address without a key; 0 is no limit."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0


class QueueSettings(msgspec.Struct, frozen=True):
    """How long a request waits for a slot, places for each slot of a model (at least 16), and in all queues."""

    seconds: float = 30.0
    per_slot: int = 8
    total: int = 512


class LoggingSettings(msgspec.Struct, frozen=True):
    """`access` is the absolute path of the access log, None where there is none."""

    access: Path | None = None


class StorageSettings(msgspec.Struct, frozen=True):
    """`url` names the database; a relative SQLite path has been made absolute. Requests are kept for
    `retention_days`, and the oldest go when they take more than `max_bytes`; None: for ever. The journal before it
    takes `journal_bytes` at most. `text_bytes` of each prompt and answer are kept where `keep_texts` says so.
    """

    url: str
    retention_days: float | None = None
    max_bytes: int | None = None
    redis: str | None = None
    journal_bytes: int = 256 * 1024 * 1024
    keep_texts: bool = False
    text_bytes: int = 64 * 1024

    def __repr__(self) -> str:
        return f"StorageSettings(url={hide_password(self.url)!r})"


class DiscoverySettings(msgspec.Struct, frozen=True):
    """`ports` are looked at for an Ollama server besides the usual ones."""

    enabled: bool = True
    ports: tuple[int, ...] = ()


class BackendSettings(msgspec.Struct, frozen=True):
    """One backend. `memory` in bytes; `files` maps a model's name to its weights, for `managed`.

    `embedded` marks the managed backend that serves the model installed with the `embedded` extra: it has
    no files, the engine assembles them. `device` is whose memory its models take, `host` or `gpu:N`; None is found
    out. `prefill`: its models go on from a given beginning of their answer; None is
    as usual for the kind. `cost_per_hour` of its use, in the currency of accounting, `watts` are what it draws then.
    `timeouts` are those in which it differs from the rest.
    """

    name: str
    kind: BackendKind
    url: str | None = None
    api_key: Secret | None = None
    api_key_env: str | None = None
    models: tuple[str, ...] = ()
    slots: int | None = None
    memory: int | None = None
    weight: float = 1.0
    region: str = "local"
    command: tuple[str, ...] = ()
    files: dict[str, str] = {}
    context: int | None = None
    parallel: int | None = None
    prefill: bool | None = None
    embedded: bool = False
    max_loaded: int | None = None
    device: str | None = None
    cost_per_hour: float | None = None
    watts: float | None = None
    timeouts: dict[str, float] = {}

    def __repr__(self) -> str:
        """Without the command: people put secrets into its options."""
        return f"BackendSettings(name={self.name!r}, kind={self.kind!r}, url={self.url!r})"


class ModelSettings(msgspec.Struct, frozen=True):
    """Overrides of what is found of a model; prices are per million tokens, None leaves a fact alone.

    A `pinned` model is never unloaded by the engine, of a `group` at most one is loaded where they share memory,
    `copies` are the backends it may be loaded on at once, `memory` the bytes it may need at most.
    """

    capabilities: tuple[str, ...] | None = None
    quality: Level | None = None
    cost_per_million_input: float | None = None
    cost_per_million_output: float | None = None
    cost_per_million_cached: float | None = None
    context: int | None = None
    pinned: bool = False
    group: str | None = None
    ttl_seconds: float | None = None
    copies: int | None = None
    memory: int | None = None


class TimeoutSettings(msgspec.Struct, frozen=True):
    """Seconds a backend may take; what each counts is said in upstream/timeouts.py."""

    connect: float = 5.0
    first_token: float = 120.0
    between_tokens: float = 60.0
    total: float = 3600.0
    unstreamed: float = 600.0
    keep_alive: float = 15.0


class ResilienceSettings(msgspec.Struct, frozen=True):
    """`attempts` are those of one request in all; `retry_budget` is what each request adds to the retries that all may
    make. `continuation`: a stream that dies is continued by another endpoint of its model. `retry_non_idempotent`: a
    request is sent again when the kept connection it went out on had been closed, though it may have been executed.
    """

    attempts: int = 3
    retry_budget: float = 0.2
    continuation: bool = True
    retry_non_idempotent: bool = True


class MemorySettings(msgspec.Struct, frozen=True):
    """`evict` is the share of memory in use from which idle models go; `headroom` bytes are kept free.

    `headroom` None: as much as is usual for the size. A model is unloaded `ttl_seconds` after its last completion,
    0: never for that. A request that has waited `swap_seconds` for room makes a busy model give way. `predict`:
    models are loaded before they are asked for.
    """

    evict: float = 0.85
    headroom: int | None = None
    ttl_seconds: float = 0.0
    swap_seconds: float = 30.0
    predict: bool = True


class AlertSettings(Policy, frozen=True):
    """What is alarming (alerting/policy.py), and the `command` that is run for it, for at most `command_seconds`.

    The shares of memory are also those at which a gauge warns and alarms.
    """

    command: tuple[str, ...] = ()
    command_seconds: float = 10.0

    def __repr__(self) -> str:
        """Without the command: people put secrets into its options."""
        return f"AlertSettings(off={self.off!r})"


class WebhookSettings(msgspec.Struct, frozen=True):
    """Where alerts are posted to. The path and query of a `url` are often its password."""

    name: str
    url: str
    secret_env: str | None = None
    secret: Secret | None = None
    events: tuple[str, ...] = ("alert.fired", "alert.escalated", "alert.resolved")

    @property
    def shown(self) -> str:
        """The URL without what may be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{'/…' if parts.path.strip('/') or parts.query else ''}"

    def __repr__(self) -> str:
        return f"WebhookSettings(name={self.name!r}, url={self.shown!r})"


class Paths(msgspec.Struct, frozen=True):
    """`state_dir` holds logs and the records of child processes, `cache_dir` the assembled model."""

    config_file: Path | None
    data_dir: Path
    state_dir: Path
    runtime_dir: Path
    cache_dir: Path


class Config(msgspec.Struct, frozen=True):
    """Everything that can be set. `sources` says where each key not left at its default came from.

    `notes` are sentences for the operator: settings accepted that this version does not use, keys not set.
    """

    server: ServerSettings
    storage: StorageSettings
    discovery: DiscoverySettings
    backends: tuple[BackendSettings, ...]
    models: dict[str, ModelSettings]
    fallbacks: dict[str, tuple[str, ...]]
    alerts: AlertSettings
    paths: Paths
    demo: bool = False
    demo_users: int = 0
    log_level: str = "info"
    embedded: bool = True
    sources: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    limits: LimitSettings = LimitSettings()
    logging: LoggingSettings = LoggingSettings()
    keys: tuple[ApiKey, ...] = ()
    timeouts: TimeoutSettings = TimeoutSettings()
    resilience: ResilienceSettings = ResilienceSettings()
    model_fallbacks: dict[str, tuple[str, ...]] = {}
    queue: QueueSettings = QueueSettings()
    memory: MemorySettings = MemorySettings()
    accounting: AccountingSettings = AccountingSettings()
    budgets: tuple[Budget, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()
    cache: CacheSettings = CacheSettings()
    recorder: RecorderSettings = RecorderSettings()
