"""[Response Handler] and what it tells: the ledger, prices and everything else that counts tokens and money."""

from collections.abc import Callable, Iterable, Iterator

from orchestra_core.accounting.counterfactual import Counterfactuals
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.catalog import EndpointSpec
from orchestra_core.engine.budgets import Budgets
from orchestra_core.engine.limits import Limits
from orchestra_core.engine.members import Member
from orchestra_core.engine.price_history import PriceHistory
from orchestra_core.engine.prices import Prices
from orchestra_core.engine.reports import Reports
from orchestra_core.engine.tidings import Tidings
from orchestra_core.pipeline.announcing import Announcing
from orchestra_core.pipeline.completion import Completion
from orchestra_core.pipeline.overheard import Answer, Texts
from orchestra_core.routing.catalog import Catalog
from orchestra_core.server.gate import Gate
from orchestra_core.storage.journal.bounds import bounds
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.retention import Retention
from orchestra_core.telemetry.ended import Entry
from orchestra_core.upstream.hearing import Hearing, asked


class Accounts:
    """`ended` and `gate` are told of every request that ended, beside the ledger."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        catalog: Catalog,
        ended: Callable[[Entry], None],
        gate: Gate,
        tidings: Tidings,
        members: Callable[[], Iterable[Member]],
    ) -> None:
        self.ledger = Ledger(
            config.storage.url,
            clock,
            tidings.ledger_problem,
            journal=config.paths.state_dir / "journal",
            state=lambda: self.budgets.state(),  # noqa: PLW0108  made below
            on_flaw=tidings.ledger_flaw,
            retention=Retention(config.storage.retention_days, config.storage.max_bytes),
            bounds=bounds(config.storage.journal_bytes),
        )
        texts = Texts(self.ledger.record, Hearing, asked, config.storage.text_bytes)
        self._texts = texts if config.storage.keep_texts else None
        self.price_history = PriceHistory(self.ledger, clock)
        self.prices = Prices(config, clock, tidings.no_prices, self.price_history.note)
        self.elsewhere = Counterfactuals(
            lambda: in_order(members(), catalog), config.accounting.compare_with, self.prices.of
        )
        self.reports = Reports(
            self.ledger,
            catalog,
            currency=config.accounting.currency,
            zone=config.accounting.zone,
            timezone=config.accounting.timezone,
            compare_with=lambda: self.elsewhere.declared,
        )
        self.announcing = Announcing(clock, self.ledger.begin, config.accounting.zone)
        self.limits = Limits(config.paths.state_dir / "budgets.json", tidings.publish)
        self.budgets = Budgets(
            config,
            clock,
            budgets=self.limits.over(config.budgets),
            keys=lambda: gate.keys,
            ledger=self.ledger,
            say=tidings.publish,
        )
        self.completion = Completion(
            clock=clock,
            find=catalog.get,
            ended=ended,
            record=self.ledger.record if self._texts is None else self._texts.record,
            failed=tidings.failed,
            spent=gate.spent,
            zone=config.accounting.zone,
            elsewhere=self.elsewhere,
        )

    def overheard(self, answer: Answer) -> Answer:
        """The same, with its texts kept where that is switched on."""
        return answer if self._texts is None else self._texts.over(answer)

    def tick(self) -> None:
        """About once a second."""
        self.ledger.tick()
        self.elsewhere.refresh()
        self.price_history.tick()

    async def compare(self, model: str | None) -> None:
        """From now on with another model, whose price may have to be looked up first."""
        await self.prices.prepare()
        self.elsewhere.declare(model)

    def open(self, supervisor: Supervisor) -> None:
        """Opens the ledger and finds out what was spent before."""
        self.budgets.restore(self.ledger.open())
        self.budgets.start(supervisor)


def in_order(members: Iterable[Member], catalog: Catalog) -> Iterator[EndpointSpec]:
    """What there is, in the order a client without a router would go through it: configured backends before those
    that were discovered, of each its models as configured or as it lists them.
    """
    for member in sorted(members, key=lambda one: one.origin != "configured"):
        for name in member.settings.models or [info.name for _, info in member.found]:
            endpoint = catalog.get(f"{member.settings.name}/{name}")
            if endpoint is not None:
                yield endpoint.spec
