"""Snapshots in which anything may have changed since the one before, as hypothesis draws them."""

import msgspec
from hypothesis import strategies as st

from orchestra_core.domain.difference import TABLES
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import (
    BreakerView,
    ForesightView,
    MemoryView,
    PoolView,
    QueueView,
    Snapshot,
    Throughput,
    TripView,
)
from tests.fakes.world import CLOUD_PRICE, World

replace = msgspec.structs.replace
WORLD = World().snapshot()
BEGIN = replace(
    WORLD,
    breakers=(replace(WORLD.breakers[0], since=0.0), *WORLD.breakers[1:]),
    queues=tuple(QueueView(name, 1, 0.5, 1) for name in "abc"),
    pools=tuple(PoolView(name, 100, 50, 10, backends=("a", "b")) for name in ("host", "gpu")),
    foresight=tuple(ForesightView(name, 3, 2) for name in "ab"),
)
small = st.integers(0, 9)
clock = st.none() | st.floats(0, 90)
trips = st.lists(st.builds(TripView, ago=st.floats(0, 99), reason=st.just("r")), max_size=2).map(tuple)
# What may happen to any row of a table.
CHANGES = {
    "models": st.fixed_dictionaries(
        {"calls": small},
        optional={"price": st.just(CLOUD_PRICE), "capabilities": st.just(("chat",)), "pool": st.text(max_size=3)},
    ),
    "backends": st.fixed_dictionaries(
        {"inflight": small}, optional={"memory": st.builds(MemoryView, total=small, used=small) | st.none()}
    ),
    "breakers": st.fixed_dictionaries(
        {"failures": small},
        optional={"since": st.floats(0, 99), "next_probe": clock, "held_for": clock, "history": trips},
    ),
    "pools": st.fixed_dictionaries({"free": small}, optional={"backends": st.just(("c",))}),
    "alerts": st.fixed_dictionaries({"times": small}),
    "queues": st.fixed_dictionaries({"waiting": small}),
    "foresight": st.fixed_dictionaries({"disabled": clock}),
}  # fmt: skip


@st.composite
def following(draw: st.DrawFn, old: Snapshot, number: int) -> Snapshot:
    """A snapshot some time after another: rows changed, gone, in another order; series and events gone on."""
    passed = draw(st.sampled_from((1.0, 0.5, 7.25)))
    new: dict[str, object] = {"breakers": tuple(older(row, passed) for row in old.breakers)}
    for table, changes in CHANGES.items():
        rows = list(new.get(table, getattr(old, table)))  # type: ignore[call-overload]  # rows of any table
        for place in draw(st.sets(st.integers(0, max(len(rows) - 1, 0)), max_size=3)):
            if rows:
                rows[place] = replace(rows[place], **draw(changes))
        match draw(st.sampled_from(("", "", "", "gone", "order", "more"))):
            case "gone":
                rows = rows[draw(small) :]
            case "order":
                rows = draw(st.permutations(rows))
            case "more" if rows:
                rows.append(replace(rows[0], **{TABLES[table]: f"more {number}"}))
        new[table] = tuple(rows)
    ends = draw(st.lists(small, max_size=9))
    series = [(*getattr(old.throughput, name)[len(ends) :], *ends) for name in Throughput.__struct_fields__]
    happened = [Event(str(number), "model.ready", "a", str(at)) for at in range(draw(small))]
    if draw(st.booleans()):
        new["host"] = MemoryView(total=9, used=draw(small))
        new["notices"] = tuple(draw(st.lists(st.text(max_size=3), max_size=2)))
    return replace(
        old,
        sequence=old.sequence + 1,
        uptime=old.uptime + passed,
        throughput=Throughput(*(tuple(each) for each in series)),
        events=(*old.events, *happened)[-draw(st.integers(1, 50)) :],
        **new,
    )


def older(row: BreakerView, seconds: float) -> BreakerView:
    return replace(
        row,
        since=row.since and row.since + seconds,
        next_probe=row.next_probe and max(row.next_probe - seconds, 0.0),
        held_for=row.held_for and max(row.held_for - seconds, 0.0),
        history=tuple(replace(trip, ago=trip.ago + seconds) for trip in row.history),
    )
