"""Who takes which section of a new configuration; what is not named here needs a restart and is answered so."""

import logging

import msgspec

from orchestra_core.background.memory import HostMemory
from orchestra_core.config import Config
from orchestra_core.engine.keys import Keys
from orchestra_core.engine.members import Members
from orchestra_core.engine.reload import Reload
from orchestra_core.server.gate import Gate, Rules
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.timeouts import Timeouts

# Whoever needs these reads them where they are in effect.
_READ_LIVE = ("discovery", "embedded", "server.grace_seconds")
_AT_THE_GATE = ("server.allowed_hosts", "server.cors_origins", "server.require_key", "limits")


def register(
    reload: Reload,
    *,
    fallbacks: dict[str, tuple[str, ...]],
    members: Members,
    memory: HostMemory,
    gate: Gate,
    keys: Keys,
    execution: Execution,
) -> None:
    """`fallbacks` is what the chain reads."""

    def take_fallbacks(new: Config) -> None:
        fallbacks.clear()
        fallbacks.update(new.fallbacks)

    def take_alerts(new: Config) -> None:
        for part in (memory, members):
            part.alert_at(new.alerts.memory_warning, new.alerts.memory_critical)

    def take_rules(new: Config) -> None:
        gate.configure(rules(new))

    def take_execution(new: Config) -> None:
        resilience = new.resilience
        execution.configure(
            timeouts(new), keep=resilience.continuation, retry_non_idempotent=resilience.retry_non_idempotent
        )

    reload.takes("fallbacks", take_fallbacks)
    for name in ("timeouts", "resilience.continuation", "resilience.retry_non_idempotent"):
        reload.takes(name, take_execution)
    reload.takes("models", lambda new: members.override(new.models))
    reload.takes("alerts", take_alerts)
    reload.takes("log_level", lambda new: logging.getLogger().setLevel(new.log_level.upper()))
    reload.takes("keys", lambda new: keys.declare(new.keys))
    for name in _AT_THE_GATE:
        reload.takes(name, take_rules)
    for name in _READ_LIVE:
        reload.takes(name, lambda _new: None)


def timeouts(config: Config) -> Timeouts:
    """What the execution has to know of the configuration."""
    return Timeouts(**msgspec.structs.asdict(config.timeouts))


def rules(config: Config) -> Rules:
    """What the gate has to know of the configuration."""
    server, limits = config.server, config.limits
    return Rules(
        host=server.host,
        allowed_hosts=server.allowed_hosts,
        cors_origins=server.cors_origins,
        require_key=server.require_key,
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
    )
