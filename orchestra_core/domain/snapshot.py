"""The frozen, complete picture of the engine: served as JSON, decoded by the console with the same types.

Memory is in bytes, times in seconds, rates per second, prices per million tokens; None is "not known".
"""

import msgspec

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.drills import DrillView
from orchestra_core.domain.events import Event
from orchestra_core.domain.price import PriceView


class MemoryView(msgspec.Struct, frozen=True):
    """A pool of memory. `used` counts everything on it, `ours` what models we know of occupy.

    `stalled` is the share of the last ten seconds in which some process had to wait for memory; None where the kernel
    does not say (PSI).
    """

    total: int
    used: int
    ours: int = 0
    warning: float = 0.70
    critical: float = 0.90
    source: str = "host"
    stalled: float | None = None


class PoolView(msgspec.Struct, frozen=True):
    """Memory that several models share, and what it is promised to. Bytes; `used` None: nobody measures it.

    `free` is what a load may reserve now. `returning` is held by models that have ended until it is measured to be
    back, and part of `reserved`; `pressure` is calm, warning, full or critical, by the shares of `used` that are
    called so; `source` says who measures: host, cgroup, gpu or configured.
    """

    name: str
    total: int
    free: int
    reserved: int
    used: int | None = None
    foreign: int = 0
    headroom: int = 0
    returning: int = 0
    pressure: str = "calm"
    source: str = "host"
    backends: tuple[str, ...] = ()
    warning: float = 0.70
    full: float = 0.85
    critical: float = 0.90


class ForesightView(msgspec.Struct, frozen=True):
    """How well the need for a model was foreseen: of its `preloads` that have come to an end `hits` were used in time.

    `wasted` are GiB-seconds held for nothing; `disabled` seconds for which it is not loaded ahead, None: it is.
    """

    model: str
    preloads: int
    hits: int
    wasted: float = 0.0
    disabled: float | None = None


class ModelView(msgspec.Struct, frozen=True):
    """One endpoint: a model on a backend. `status` is running, loading, available or unavailable.

    `progress` is what the backend says of the load or unload under way, if anything; `changing_seconds` how long it
    has taken so far. Of those `inflight`, `awaiting` wait until it is loaded; `waiting` have no slot yet.
    `first_token_ratio` and `token_ratio` are observed over predicted times, for the first token and for each after it;
    they are 1 before the first answer. `frees_bytes` is what is reserved for it while it is there, `memory_bytes` what
    of that it was measured to occupy.
    """

    id: str
    model: str
    backend: str
    residency: str
    status: str
    circuit: str
    tier: str
    context: int
    capabilities: tuple[str, ...]
    tasks: tuple[str, ...]
    slots: int
    inflight: int
    waiting: int
    calls: int
    failed: int
    loadable: bool
    size_bytes: int | None = None
    parameters: int | None = None
    quantization: str | None = None
    memory_bytes: int | None = None
    price: PriceView = PriceView()
    tokens_per_second: float | None = None
    first_token_seconds: float | None = None
    speed_observations: int = 0
    last_used: str | None = None
    progress: str = ""
    draining: bool = False
    need_bytes: int | None = None
    need_basis: str = ""
    need_error: float | None = None
    pool: str = ""
    pinned: bool = False
    demand: float = 0.0
    load_seconds: float | None = None
    barred: str = ""
    changing_seconds: float | None = None
    first_token_ratio: float = 1.0
    token_ratio: float = 1.0
    awaiting: int = 0
    frees_bytes: int | None = None


class TripView(msgspec.Struct, frozen=True):
    """One opening of a breaker: `ago` in seconds, and the ids of the last requests whose failures caused it."""

    ago: float
    reason: str
    requests: tuple[str, ...] = ()


class BreakerView(msgspec.Struct, frozen=True):
    """The breaker of one endpoint. `recent` is its last outcomes, oldest first: `+` success, `x` failure.

    `since` is seconds in this state, `next_probe` seconds until a probe is let through; `failures` counts
    those in a row, `opened` how often it has opened. `tripped` is by an operator, for `held_for` seconds or (None)
    until reset; `allowance` the share of its slots that is used while it starts slowly after closing; `history` its
    last openings, oldest first.
    """

    endpoint: str
    state: str
    since: float
    failures: int
    opened: int = 0
    next_probe: float | None = None
    reason: str = ""
    recent: str = ""
    tripped: bool = False
    allowance: float = 1.0
    history: tuple[TripView, ...] = ()
    held_for: float | None = None


class ProbeView(msgspec.Struct, frozen=True):
    """What an operator's probe of an endpoint found, and how long (seconds) it took; the breaker after it."""

    endpoint: str
    ok: bool
    message: str
    seconds: float
    breaker: BreakerView


class EnvironmentView(msgspec.Struct, frozen=True):
    """What this engine is used for, as its configuration says; both are empty where it says nothing."""

    name: str = ""
    color: str = ""


class IntakeView(msgspec.Struct, frozen=True):
    """Whether new requests are refused, since when (RFC 3339), and why."""

    paused: bool = False
    since: str | None = None
    reason: str = ""


class QueueView(msgspec.Struct, frozen=True):
    """Those who wait for one model: how many, for how many keys, and since how many seconds the first."""

    model: str
    waiting: int
    oldest: float
    keys: int


class BackendView(msgspec.Struct, frozen=True):
    """One backend. `health` is up, down or unknown; `memory` is None where the backend does not say.

    A `draining` one gets no new requests until an operator resumes it; those that run finish. Of those `inflight`,
    `awaiting` wait until their model is loaded.
    """

    name: str
    kind: str
    address: str
    health: str
    simulated: bool
    inflight: int
    slots: int
    models: int
    ready: int
    error: str = ""
    version: str = ""
    last_probe: str | None = None
    latency: float | None = None
    memory: MemoryView | None = None
    origin: str = "configured"
    draining: bool = False
    awaiting: int = 0


class Throughput(msgspec.Struct, frozen=True):
    """Per-second history, oldest first, one entry a second, up to 300 s; all lists have one length."""

    requests: tuple[int, ...] = ()
    failures: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()


class Totals(msgspec.Struct, frozen=True):
    """Since the engine started; percentiles and averages over the last 5 minutes' answers, in seconds.

    `cost` is the known part, `cost_unknown` the requests that cost nobody knows what.
    """

    requests: int = 0
    successful: int = 0
    failed: int = 0
    cancelled: int = 0
    inflight: int = 0
    waiting: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    cost_unknown: int = 0
    failovers: int = 0
    requests_per_minute: float = 0.0
    average_seconds: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    ttft_p50: float | None = None
    ttft_p95: float | None = None
    most_used: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """Everything at one moment. `sequence` rises with each one; `now` is RFC 3339 UTC.

    `read_only`: nobody may change anything over its API. `intake_paused`: new requests are refused.
    `loop_lag` is the longest the event loop was blocked in the last half minute or more, `loop_stalls` how often it
    was for more than 250 ms since the start. Costs and prices are in `currency`.
    """

    sequence: int
    now: str
    version: str
    status: str
    started: str
    uptime: float
    pid: int
    simulated: bool
    address: str
    host: MemoryView
    engine_memory: int
    totals: Totals
    throughput: Throughput
    backends: tuple[BackendView, ...] = ()
    models: tuple[ModelView, ...] = ()
    breakers: tuple[BreakerView, ...] = ()
    events: tuple[Event, ...] = ()
    notices: tuple[str, ...] = ()
    database: str = "connected"
    loop_lag: float = 0.0
    loop_stalls: int = 0
    queues: tuple[QueueView, ...] = ()
    pools: tuple[PoolView, ...] = ()
    foresight: tuple[ForesightView, ...] = ()
    budgets: tuple[BudgetView, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    currency: str = "USD"
    cache: CacheView = CacheView()
    drills: tuple[DrillView, ...] = ()
    environment: EnvironmentView = EnvironmentView()
    read_only: bool = False
    intake_paused: bool = False
