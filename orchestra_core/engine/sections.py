"""Who takes which section of a new configuration; what is not named here needs a restart and is answered so."""

import logging
from collections.abc import Callable, Iterable

import msgspec

from orchestra_core.background.memory import HostMemory
from orchestra_core.config import Config
from orchestra_core.config.settings import ResilienceSettings
from orchestra_core.engine.accounting import Accounts
from orchestra_core.engine.alerts import Alerts
from orchestra_core.engine.keys import Keys
from orchestra_core.engine.members import Members
from orchestra_core.engine.memory import Memory
from orchestra_core.engine.reload import Reload
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.whole import Whole
from orchestra_core.resilience.budget import Retries
from orchestra_core.server.gate import Gate
from orchestra_core.server.rules import Rules
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.timeouts import Timeouts

# Whoever needs these reads them where they are in effect.
_READ_LIVE = (
    "cache",
    "discovery",
    "embedded",
    "recorder",
    "server.grace_seconds",
    "server.environment",
    "server.environment_color",
)
_PRICES = tuple(f"accounting.{key}" for key in ("price_per_kwh", "usd_rate", "compare_with"))
_AT_THE_GATE = ("server.allowed_hosts", "server.cors_origins", "server.require_key", "limits")


def register(
    reload: Reload,
    *,
    pipeline: Pipeline,
    members: Members,
    host: HostMemory,
    memory: Memory,
    gate: Gate,
    keys: Keys,
    execution: Execution,
    accounts: Accounts,
    alerts: Alerts,
) -> None:
    """Each part is told of what it reads."""

    def take_alerts(new: Config) -> None:
        for part in (host, members):
            part.alert_at(new.alerts.memory_warning, new.alerts.memory_critical)
        alerts.configure(new)
        memory.configure(new)

    def take_models(new: Config) -> None:
        memory.configure(new)
        accounts.prices.configure(new)
        members.override(new.models)
        reload.supervisor.start(accounts.compare(new.accounting.compare_with), "published prices")

    def take_execution(new: Config) -> None:
        resilience = new.resilience
        execution.configure(
            timeouts(new), keep=resilience.continuation, retry_non_idempotent=resilience.retry_non_idempotent
        )
        pipeline.configure(retries(new), whole(new))

    def take_budgets(new: Config) -> None:
        pipeline.purse.configure(accounts.limits.over(new.budgets))
        accounts.budgets.start(reload.supervisor)

    takers: dict[Callable[[Config], object], Iterable[str]] = {
        take_execution: (
            "timeouts",
            "backends",
            *(f"resilience.{key}" for key in ResilienceSettings.__struct_fields__),
        ),
        lambda new: pipeline.fallbacks.replace(new.fallbacks, new.model_fallbacks): (
            "fallbacks",
            "model_fallbacks",
        ),
        take_models: ("models", "memory", *_PRICES),
        take_alerts: ("alerts",),
        alerts.configure: ("webhooks",),
        lambda new: gate.configure(rules(new)): _AT_THE_GATE,
        lambda new: logging.getLogger().setLevel(new.log_level.upper()): ("log_level",),
        lambda new: keys.declare(new.keys): ("keys",),
        take_budgets: ("budgets",),
        _nobody: _READ_LIVE,
    }
    for taker, names in takers.items():
        for name in names:
            reload.takes(name, taker)


def _nobody(_new: Config) -> None:
    """Whoever needs it reads it where it is in effect."""


def timeouts(config: Config) -> Timeouts:
    """What the execution has to know of the configuration."""
    shared = msgspec.structs.asdict(config.timeouts)
    own = {one.name: Timeouts(**shared | one.timeouts) for one in config.backends}
    return Timeouts(**shared, own=own)


def retries(config: Config) -> Retries:
    resilience = config.resilience
    return Retries(resilience.attempts, resilience.retry_budget, continuation=resilience.continuation)


def whole(config: Config) -> Whole:
    """A request may take as long as the most patient backend: each ends an answer of its own earlier."""
    shared = timeouts(config)
    every = (shared, *shared.own.values())
    return Whole(max(one.unstreamed for one in every), max(one.total for one in every))


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
        read_only=server.read_only,
    )
