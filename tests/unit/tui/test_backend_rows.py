"""What a row of a backend, and of a model on it, says of its slots."""

import msgspec

from orchestra_tui.present import gauge, health, models
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain
from tests.fakes.fake_engine import World


def first_backend(**values: object) -> tuple[str, list[str]]:
    """The row and the details of a backend with these values."""
    now = World().snapshot()
    backend = msgspec.structs.replace(now.backends[0], **values)
    fleet = msgspec.structs.replace(now, backends=(backend, *now.backends[1:]))
    row = health.backend_rows(fleet, fleet.backends, 100, UNICODE)[0]
    return plain(row), [plain(row) for row in health.backend_detail(backend, now.now, 100, UNICODE)]


def test_slots_that_are_not_known_yet_are_not_none() -> None:
    """While its first model loads, a backend has requests and no slots: 10 of an unknown number, not of zero."""
    row, told = first_backend(inflight=10, slots=0, ready=0)
    assert "10/– busy" in row
    assert " in flight  10; it has slots once a model is ready" in told


def test_who_waits_for_a_model_is_not_busy() -> None:
    """Ten requests that hold slots, eight of them until their model is loaded: two are busy, and eight wait."""
    row, told = first_backend(inflight=10, awaiting=8, slots=4)
    assert "2/4+8 busy" in row
    assert " in flight  2 of 4 slots, 8 more wait until their model is loaded" in told
    now = World().snapshot()
    model = msgspec.structs.replace(now.models[0], inflight=10, awaiting=8, waiting=1, slots=4)
    shown = Picture(snapshot=msgspec.structs.replace(now, models=(model,)), link=Link(LinkState.LIVE))
    assert "2/4   9" in plain(models.table((model,), shown, 100)[1][0][1])
    assert any("2/4 slots busy, 9 waiting" in plain(row) for row in models.detail(model, shown, 78))


def test_what_a_backend_had_to_do_is_on_the_scale_of_its_slots() -> None:
    """A dot is nothing, the lowest step at least one, the highest all slots and more; where there is room for it."""
    assert gauge.activity([0, 1, 4, 8, 16, 40], 6, UNICODE, 16) == "·▁▂▄██"
    assert gauge.activity([2], 3, ASCII, 2)[:2] == "  "
    now = World().snapshot()
    view = now.backends[0]
    busy = [{view.name: 1}, {}, {view.name: view.slots}]
    drawn = plain(health.backend_rows(now, [view], 100, UNICODE, lambda: busy)[0])
    assert f"{gauge.activity([1, 0, view.slots], 20, UNICODE, view.slots)}" in drawn
    assert "·" not in plain(health.backend_rows(now, [view], 58, UNICODE, lambda: busy)[0])
