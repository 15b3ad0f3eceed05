"""How old the picture of the engine may be."""

import msgspec

from orchestra_core.background.hub import Hub
from orchestra_core.background.snapshots import FRESH_SECONDS, Snapshots, Sources
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.price import Price, PriceView, Source
from orchestra_core.domain.snapshot import MemoryView, Throughput, Totals
from tests.fakes.clock import ManualClock
from tests.unit.routing.fleet import spec


class Watched:
    """A picture of one endpoint."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.hub = Hub(self.clock)
        self.endpoint = Endpoint(spec("box/m"), Residency.ABSENT)
        sources = Sources(
            endpoints=lambda: (self.endpoint,),
            backends=tuple,
            breakers=tuple,
            totals=Totals,
            throughput=Throughput,
            events=lambda: self.hub.recent,
            happened=lambda: self.hub.published,
            host=lambda: MemoryView(total=1, used=0),
            engine_memory=lambda: 0,
            database=lambda: "connected",
            address=str,
            notices=tuple,
            loop=lambda: (0.0, 0),
        )
        self.snapshots = Snapshots(sources, self.clock, "0", 1, simulated=False)

    @property
    def residency(self) -> str:
        (view,) = self.snapshots.current().models
        return view.residency


async def test_the_picture_is_never_older_than_the_last_event() -> None:
    """Who asks because of an event sees what it was about, however soon that is."""
    watched = Watched()
    assert watched.residency == "absent"
    watched.endpoint.residency = Residency.READY
    watched.hub.publish("model.ready", "box/m", "ready")
    assert watched.residency == "ready"
    assert watched.snapshots.current().events[-1].kind == "model.ready"


async def test_without_events_the_picture_is_made_some_times_a_second() -> None:
    """Many may look at it at the cost of one."""
    watched = Watched()
    first = watched.snapshots.current()
    watched.clock.advance(FRESH_SECONDS / 2)
    assert watched.snapshots.current() is first
    watched.clock.advance(FRESH_SECONDS)
    assert watched.snapshots.current() is not first


async def test_a_model_that_is_being_loaded_tells_since_when() -> None:
    """Elapsed seconds, never an estimate of those to come; nothing where no load of ours is under way."""
    watched = Watched()
    assert watched.snapshots.current().models[0].changing_seconds is None
    watched.endpoint.residency = Residency.LOADING
    watched.endpoint.changing_since = watched.clock.monotonic()
    watched.clock.advance(12)
    assert watched.snapshots.current().models[0].changing_seconds == 12


async def test_a_price_is_shown_with_its_source_and_an_unknown_one_as_unknown() -> None:
    """By the hour, with its date; what is cached costs what any input does where nothing else is said."""
    watched = Watched()
    price = Price(
        1.0,
        2.0,
        second=0.001,
        above=((9, Price(3.0, 4.0)),),
        source=Source.PUBLISHED,
        since=0.0,
        origin="a list",
    )
    watched.endpoint.spec = msgspec.structs.replace(watched.endpoint.spec, price=price)
    (view,) = watched.snapshots.current().models
    assert view.price == PriceView(
        1.0, 2.0, 1.0, 3.6, 0.0, ((9, 3.0, 4.0),), "USD", "published", "1970-01-01T00:00:00.000Z", "a list"
    )
    watched.endpoint.spec = msgspec.structs.replace(watched.endpoint.spec, price=None)
    watched.clock.advance(1.0)
    (view,) = watched.snapshots.current().models
    assert (view.price, view.price.source, view.price.input) == (PriceView(), "unknown", None)
