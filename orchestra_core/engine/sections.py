"""Who takes which section of a new configuration; what is not named here needs a restart and is answered so."""

import logging

import msgspec

from orchestra_core.background.memory import HostMemory
from orchestra_core.config import Config
from orchestra_core.config.settings import ResilienceSettings
from orchestra_core.engine.keys import Keys
from orchestra_core.engine.members import Members
from orchestra_core.engine.reload import Reload
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.service import Whole
from orchestra_core.resilience.budget import Retries
from orchestra_core.server.gate import Gate, Rules
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.timeouts import Timeouts

# Whoever needs these reads them where they are in effect.
_READ_LIVE = ("discovery", "embedded", "server.grace_seconds")
_AT_THE_GATE = ("server.allowed_hosts", "server.cors_origins", "server.require_key", "limits")


def register(
    reload: Reload,
    *,
    pipeline: Pipeline,
    members: Members,
    memory: HostMemory,
    gate: Gate,
    keys: Keys,
    execution: Execution,
) -> None:
    """Each part is told of what it reads."""

    def take_fallbacks(new: Config) -> None:
        pipeline.fallbacks.replace(new.fallbacks, new.model_fallbacks)

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
        pipeline.configure(retries(new), whole(new))

    for name in ("timeouts", *(f"resilience.{key}" for key in ResilienceSettings.__struct_fields__)):
        reload.takes(name, take_execution)
    for name in ("fallbacks", "model_fallbacks"):
        reload.takes(name, take_fallbacks)
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


def retries(config: Config) -> Retries:
    resilience = config.resilience
    return Retries(resilience.attempts, resilience.retry_budget, continuation=resilience.continuation)


def whole(config: Config) -> Whole:
    return Whole(config.timeouts.unstreamed, config.timeouts.total)


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
