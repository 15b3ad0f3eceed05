"""Rows of models, backends, problems and the frame: what is said and that it fits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.events import Event
from orchestra_core.domain.price import PriceView
from orchestra_core.domain.snapshot import BreakerView, MemoryView, Snapshot, Throughput
from orchestra_tui.present import frame, health, models, overview, problems
from orchestra_tui.present.actions.views import VIEWS, View
from orchestra_tui.present.connection import Connection, Lost
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.happenings.latest import event_row, latest
from orchestra_tui.present.listing import Listing
from orchestra_tui.present.picture import Launch, Link, LinkState, Picture
from orchestra_tui.present.spans import plain, width
from orchestra_tui.present.states import health as backend_health
from orchestra_tui.present.states import residency
from orchestra_tui.present.subjects import MODELS
from tests.fakes.fake_engine import World

LIVE = Link(LinkState.LIVE)


def picture(**changes: object) -> Picture:
    fresh = Picture(snapshot=World().snapshot(), link=LIVE, target="/run/engine.sock")
    return msgspec.structs.replace(fresh, **changes)


@given(st.integers(40, 220))
def test_every_row_fits_every_width(cells: int) -> None:
    """No presenter draws wider than it was told, at any width."""
    now = picture()
    assert now.snapshot is not None
    head, rows = models.table(now.snapshot.models, now, cells)
    drawn = [
        head,
        *(row for _, row in rows),
        *health.strip(now, cells, 50),
        *overview.memory(now, cells, 50),
        *overview.work(now, cells, 50),
        *latest(now, cells, 50),
        *overview.traffic_lines(now, cells, 50),
        overview.traffic_row(now, cells),
        *problems.lines(now.snapshot, cells, 50, UNICODE),
        *(health.table_row(view, cells, UNICODE) for view in now.snapshot.breakers),
        *models.detail(now.snapshot.models[2], now, cells),
        frame.header(now, cells),
        frame.tabs("models", cells),
        frame.footer("models", "view", cells),
    ]
    assert [plain(row) for row in drawn if width(row) > cells] == []


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_tab_is_there_at_every_width(view: View) -> None:
    """Where titles do not all fit they are short; the present view has its title from 80 columns on."""
    for cells in (60, 80, 120, 200):
        row = plain(frame.tabs(view.name, cells))
        assert len(row) <= cells
        assert view.title in row or cells < 80
        for other in VIEWS:
            assert f" {other.digit} {other.title}" in row or f" {other.digit} {other.short} " in row


def test_columns_give_way_in_order_and_the_core_stays() -> None:
    """At 80 columns state, backend, memory, context, speed, load and last use are all there; where names are long too,
    but for the context."""
    assert [column.title for column in models.columns((), 78)] == [
        "BACKEND",
        "MEM",
        "CTX",
        "TOK/S",
        "RUN",
        "QUE",
        "LAST",
    ]
    long = [
        msgspec.structs.replace(view, model="a-model-of-a-long-name:32b", backend="sim-workstation")
        for view in World().snapshot().models
    ]
    assert [column.title for column in models.columns(long, 79)][-2:] == ["QUE", "LAST"]
    assert {"BACKEND", "RUN"} <= {column.title for column in models.columns((), 40)}
    assert len(models.columns((), 200)) == len(models.COLUMNS)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("llama", {"llama3.2:3b", "llama-3.3-70b-instruct-fp8"}),
        ("llama !box2 !gpu", {"llama3.2:3b"}),
        ("state:loading", {"qwen2.5:14b"}),
        ("backend:lab", {"phi-4:14b"}),
        ("nothing-like-this", set()),
        ("qwen !", {"qwen2.5-coder:7b", "qwen2.5:14b"}),
    ],
)
def test_filters(query: str, names: set[str]) -> None:
    """Words, exclusions and fields select rows."""
    listing = Listing(MODELS)
    listing.filter(query)
    assert {view.model for view in listing.passing(World().snapshot().models, "")} == names


def test_states_tell_the_worst_first() -> None:
    """An unreachable backend or an open breaker hides a ready model's readiness."""
    views = {view.id: view for view in World().snapshot().models}
    assert residency(views["lab/phi-4:14b"], UNICODE).word == "unavail"
    assert residency(views["box2/nomic-embed-text"], UNICODE).word == "tripped"
    assert residency(views["box1/llama3.2:3b"], UNICODE).word == "ready"


def test_a_tripped_model_is_told_from_an_unreachable_one() -> None:
    """The engine calls both unavailable; the breaker's state says why."""
    ready = next(view for view in World().snapshot().models if view.residency == "ready")
    tripped = msgspec.structs.replace(ready, status="unavailable", circuit="open")
    assert residency(tripped, UNICODE).word == "tripped"


def test_a_drained_backend_is_told_from_a_dead_one() -> None:
    """It and its models are draining, which is a warning and not a failure."""
    now = World().snapshot()
    up = next(view for view in now.backends if view.health == "up")
    drained = msgspec.structs.replace(up, draining=True)
    assert backend_health(drained, UNICODE).word == "draining"
    model = next(view for view in now.models if view.residency == "ready")
    left = msgspec.structs.replace(model, status="unavailable", draining=True)
    assert residency(left, UNICODE) == (UNICODE.down, "draining", "warn")
    found = problems.problems(msgspec.structs.replace(now, backends=(drained,), breakers=()))
    (told,) = [problem for problem in found if problem.text.startswith("draining")]
    assert (told.bad, told.subject) == (False, drained.name)


def test_backends_that_tell_nothing_have_an_unknown_use() -> None:
    """Models in memory and no byte of it reported: that is not an empty pool."""
    snapshot = World().snapshot()
    views = tuple(
        msgspec.structs.replace(view, ready=1, memory=MemoryView(8 * 1024**3, 0))
        for view in snapshot.backends
    )
    now = picture(snapshot=msgspec.structs.replace(snapshot, backends=views))
    rows = [plain(row) for row in overview.memory(now, 78, 20)]
    assert sum("unknown" in row for row in rows) == len(views)
    assert "host" in rows[0]
    assert "unknown" not in rows[0]


def test_models_of_our_own_processes_are_the_host_s_too() -> None:
    """Their memory is the host's memory: its gauge shows them as models."""
    snapshot = World().snapshot()
    pool = MemoryView(16 * 1024**3, 4 * 1024**3, ours=1024**3)
    local = msgspec.structs.replace(snapshot.backends[0], kind="managed", memory=pool)
    host = overview.pools_of(msgspec.structs.replace(snapshot, backends=(local,)))[0][1]
    assert host.ours == max(snapshot.host.ours, 1024**3)


@pytest.mark.parametrize(
    ("kind", "subject", "message", "cells", "told"),
    [
        ("breaker.open", "box/m", "5 timeouts", 120, "box/m  breaker open: 5 timeouts"),
        ("breaker.closed", "box/m", "", 120, "box/m  breaker closed"),
        ("breaker.half_open", "box/m", "time", 50, " m  breaker half-open: time"),
        ("request.failed", "req-1", "box/m: failed: no", 120, "req-1  box/m: failed: no"),
        ("request.failed", "req-1", "box/m: failed: no", 78, "× box/m: failed: no"),
        ("request.failed", "req-1", "box/m: failed: no", 50, "× m: failed: no"),
        ("model.ready", "box/org/m", "ready", 50, " org/m  ready"),
        ("model.loading", "box/m", "loading m, 2.1G", 120, "· loading m, 2.1G"),
    ],
)
def test_events_say_what_matters_first(kind: str, subject: str, message: str, cells: int, told: str) -> None:
    """A breaker's event names the breaker; where there is little room ids and backends give way to the words."""
    level = "error" if "request" in kind else "info"
    row = plain(event_row(Event("2026-03-02T13:00:00Z", kind, subject, message, level), cells, UNICODE))
    assert told.replace("×", UNICODE.cross) in row
    assert not row.rstrip().endswith(":")


def test_what_happens_again_and_again_has_one_row() -> None:
    """A model that fails with every request hides nothing else: its row says how often and last when."""
    events = [
        Event(f"2026-03-02T13:00:0{second}Z", kind, subject, message, level)
        for second, (kind, subject, message, level) in enumerate(
            [
                ("request.failed", "req-1", "box/m: failed: no", "error"),
                ("model.ready", "box/n", "ready", "info"),
                ("request.failed", "req-2", "box/m: failed: no", "error"),
                ("model.ready", "box/o", "ready", "info"),
                ("request.failed", "req-3", "box/m: failed: no", "error"),
                ("model.ready", "box/o", "ready", "info"),
            ]
        )
    ]
    now = picture(snapshot=msgspec.structs.replace(World().snapshot(), events=tuple(events)))
    for cells in (50, 78, 120):
        newest, first, *others = [plain(row) for row in latest(now, cells, 10)]
        assert ":05 " in newest
        assert "2x" not in newest
        assert "3x" in first
        assert first.endswith("m: failed: no")
        assert "req-" not in first
        assert ":04 " in first
        assert [row.split()[0][-2:] for row in others] == ["03", "01"]
    assert len(latest(now, 78, 2)) == 2


def test_a_long_problem_takes_a_second_row_where_there_is_one() -> None:
    """What is wrong is read in full, unless that would hide another problem."""
    snapshot = World().snapshot()
    short = [plain(row) for row in problems.lines(snapshot, 44, 5, UNICODE)]
    long = [plain(row) for row in problems.lines(snapshot, 44, 20, UNICODE)]
    assert len(short) == 5 < len(long)
    assert any(row.endswith("…") for row in short)
    assert not any(row.endswith("…") for row in long)


def test_rates_count_the_seconds_before_the_first_request() -> None:
    """One request is not one a second, only because the history begins with it."""
    throughput = Throughput(requests=(1,), failures=(0,), tokens=(20,))
    young = msgspec.structs.replace(World().snapshot(), uptime=8.0, throughput=throughput)
    assert frame.requests_per_second(picture(snapshot=young)) == 1 / 8
    old = msgspec.structs.replace(young, uptime=800.0)
    assert frame.tokens_per_second(picture(snapshot=old)) == 2.0


def test_ascii_rows_are_ascii() -> None:
    """With ASCII glyphs nothing else is drawn."""
    now = picture(glyphs=ASCII)
    assert now.snapshot is not None
    rows = [*health.strip(now, 78, 40), *overview.memory(now, 78, 9), overview.traffic_row(now, 78)]
    assert all(plain(row).isascii() for row in rows)


def test_problems_are_told_worst_first() -> None:
    """Down backend, open breaker, critical memory come before warnings."""
    found = problems.problems(World().snapshot())
    assert [problem.bad for problem in found] == [True, True, True, False, False]
    assert found[0].subject == "lab"
    assert "probe in" in next(each.text for each in found if "breaker" in each.text)


def test_a_breaker_tells_its_story() -> None:
    """State, how long, next probe and the reason."""
    view = BreakerView("a/b", "open", 75.0, 5, 2, 12.4, "5 timeouts")
    assert problems.story(view) == "open 1m, probe in 12s: 5 timeouts"


def test_a_closed_breaker_is_named_in_full_where_there_is_room() -> None:
    """Its name has what the word and ten outcomes leave."""
    view = BreakerView("sim-edge/sim-phi-3.5-mini-instruct", "closed", 9.0, 0, 0, None, "", "+" * 20)
    row = plain(health.breaker_row(view, 64, UNICODE))
    assert view.endpoint in row
    assert row.count(UNICODE.ok) >= 10
    again = msgspec.structs.replace(view, endpoint="sim-cloud/sim-cloud-large", opened=1, since=400.0)
    row = plain(health.breaker_row(again, 56, UNICODE))
    assert f"{again.endpoint}  closed again, 6m  " in row
    assert row.count(UNICODE.ok) >= 5


def test_quiet_engine_has_no_problems() -> None:
    """With nothing wrong the pane says so."""
    calm = Snapshot(
        1, "2026-03-02T13:00:00Z", "0", "healthy", "", 1.0, 1, False, "", MemoryView(100, 10), 0,
        World().snapshot().totals, World(empty=True).snapshot().throughput,
    )  # fmt: skip
    assert problems.problems(calm) == []
    assert "none" in plain(problems.lines(calm, 40, 3, UNICODE)[0])


@pytest.mark.parametrize("cells", [60, 80, 120, 200])
def test_simulated_data_is_always_labelled(cells: int) -> None:
    """The header says SIMULATED at every width, and not of a real engine."""
    assert "SIMULATED" in plain(frame.header(picture(), cells))
    real = msgspec.structs.replace(World().snapshot(), simulated=False)
    assert "SIMULATED" not in plain(frame.header(picture(snapshot=real), cells))


@given(st.integers(14, 24), st.integers(60, 99))
def test_stacked_panes_fill_the_rows_exactly(rows: int, cells: int) -> None:
    """On a narrow terminal titles and contents together take the rows there are."""
    heights = overview.heights(picture(), rows, cells)
    assert sum(heights.values()) + len(heights) - 1 == rows
    assert all(heights[name] >= 1 for name in ("health", "memory", "traffic", "problems", "events"))


def test_without_a_backend_it_says_what_to_do() -> None:
    """The engine's notice comes first; without one the console has its own."""
    empty = World(empty=True).snapshot()
    assert "ai-orchestra config init" in " ".join(
        plain(row) for row in overview.notices(picture(snapshot=empty), 78)
    )
    silent = msgspec.structs.replace(empty, notices=())
    assert "start Ollama" in " ".join(plain(row) for row in overview.notices(picture(snapshot=silent), 78))


def test_an_engine_that_ended_shows_its_last_words() -> None:
    """The exit code and the last log lines are there to read, to their ends where the way out is named."""
    last = "2026-01-01 00:00:00,000 ERROR port 8080 on 127.0.0.1 is in use by process 12; choose another with --port"
    launch = Launch(77, 3.0, "/tmp/engine.log", (last,), 1)
    drawn = overview.notices(picture(snapshot=None, link=Link(LinkState.LOST), launch=launch), 78)
    words = " ".join(" ".join(plain(row) for row in drawn).split())
    assert "exit code 1" in words
    assert "in use by process 12; choose another with --port" in words


def test_the_link_has_five_states() -> None:
    """Connecting, starting, live, stale after two missed intervals, lost with a countdown."""
    connection = Connection()
    assert connection.link(9.0, 1.0, starting=False).state is LinkState.CONNECTING
    connection.failed(9.0, Lost(1, 1.0, "x"))
    assert connection.link(9.0, 1.0, starting=False).state is LinkState.CONNECTING
    connection.failed(9.5, Lost(3, 1.0, "x"))
    assert connection.link(9.5, 1.0, starting=True).state is LinkState.STARTING
    connection.arrived(10.0)
    assert connection.link(10.4, 1.0, starting=False).state is LinkState.LIVE
    assert connection.link(13.1, 1.0, starting=False).state is LinkState.STALE
    assert connection.link(13.1, 2.0, starting=False).state is LinkState.LIVE
    connection.failed(20.0, Lost(4, 5.0, "nothing listens there"))
    lost = connection.link(22.0, 1.0, starting=False)
    assert lost.state is LinkState.LOST
    assert "reconnecting in 3 s (try 4)" in plain(frame.link(picture(link=lost)))


def test_too_small_names_both_sizes() -> None:
    """The message has what is needed and what there is."""
    words = " ".join(plain(row) for row in frame.too_small(picture(), 50, 12))
    assert "needs 60x18, have 50x12" in words


def test_a_price_says_whose_word_it_is() -> None:
    """What nobody knows is called unknown; what costs nothing is free, by the word of whoever says so."""
    listed = PriceView(
        0.25,
        2.0,
        0.025,
        0.0,
        0.0,
        ((200_000, 0.5, 4.0),),
        "USD",
        "published",
        "2026-01-05T00:00:00.000Z",
        "a list",
    )
    assert models.price(listed) == (
        "0.25/2 USD per million tokens in/out, cached 0.025, 0.5/4 above 200000 tokens "
        "(published since 2026-01-05: a list)"
    )
    assert models.price(PriceView(0.0, 0.0, 0.0, 0.0, 0.0, source="local")) == "free (local)"
    assert models.price(PriceView(0.0, 0.0, 0.0, 0.5, 0.0, source="local")) == "0.5 an hour USD (local)"
    assert models.price(PriceView()) == "unknown"


@pytest.mark.parametrize("rows", [20, 26, 36, 56])
def test_two_columns_share_the_rows(rows: int) -> None:
    """Each pane has its frame and two rows, the plot beside the upper two its dozen where there is room, and no more
    than half goes to the upper ones."""
    share = overview.shares(picture(), rows, 120)
    assert min(share) >= 3
    assert min(share[:2]) >= 4
    assert share.health + share.memory == min(rows // 2, 18)
    assert share.problems <= 8
