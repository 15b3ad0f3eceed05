"""Load and unload: when they are refused, and how carefully they are asked."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from orchestra_core.domain.memory import Basis, Need
from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.deeds.box import rows
from orchestra_tui.present.deeds.deed import Deed, Planned, Question, Refusal, Risk, consider, result, sending
from orchestra_tui.present.deeds.load import load
from orchestra_tui.present.deeds.unload import unload
from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.plans import accepted, sum_of
from orchestra_tui.present.spans import plain
from tests.fakes.fake_engine import GIB, World


def seen(snapshot: Snapshot | None = None, state: LinkState = LinkState.LIVE) -> Picture:
    return Picture(snapshot=snapshot or World().snapshot(), link=Link(state))


NEED = Need(
    bytes=10 * GIB,
    weights=8 * GIB,
    cache=GIB // 2,
    working=GIB // 4,
    growth=GIB // 2,
    factor=1.1,
    basis=Basis.METADATA,
    error=0.04,
)
ROOM = Plan(
    needs_bytes=10 * GIB,
    fits=True,
    need=NEED,
    pool="host",
    total_bytes=16 * GIB,
    free_bytes=3 * GIB,
    reserved_bytes=10 * GIB,
    foreign_bytes=2 * GIB,
    headroom_bytes=GIB,
)
MODEL = "box1/mistral-nemo:12b"


def asked_of(deed: Deed, state: LinkState = LinkState.LIVE, snapshot: Snapshot | None = None) -> Question:
    asked = consider(deed, seen(snapshot, state))
    assert isinstance(asked, Question)
    return asked


def question(plan: Plan | None, refusal: str = "") -> Question:
    return asked_of(load([MODEL], seen(), [Planned(plan, refusal)]))


def drawn(asked: Question, cells: int = 68) -> list[str]:
    return [plain(row).rstrip() for row in rows(asked, cells, UNICODE)]


def test_a_load_shows_its_arithmetic() -> None:
    """Need and what it is made of, what is free and who has the rest, and the verdict."""
    assert drawn(question(ROOM)) == [
        "  Load mistral-nemo:12b on box1?",
        "",
        "  needs      10.0G",
        "             (8.0G weights + 512M cache + 256M working) x1.10 +",
        "             512M for conversations, from metadata, usually 4% off",
        "  free       3.0G of 16.0G in host",
        "             10.0G reserved, 2.0G others, 1.0G kept free",
        "  verdict    ● fits",
    ]


@pytest.mark.parametrize(
    ("plan", "risk", "answerable", "last"),
    [
        (Plan(fits=True), Risk.LOW, True, "● fits"),
        (Plan(fits=True, evicts=("box1/a",)), Risk.SOME, True, "▲ evicts 1 model"),
        (Plan(fits=True, evicts=("box1/a", "box1/b")), Risk.SOME, True, "▲ evicts 2 models"),
        (
            Plan(fits=True, waits_for=("box1/a",), code="busy", reason="box1/a is busy"),
            Risk.SOME,
            True,
            "◐ waits: box1/a is busy",
        ),
        (Plan(fits=True, waits_for=("box1/a",)), Risk.SOME, True, "◐ waits: box1/a"),
        (Plan(fits=False, reason="16.0 GiB is all"), Risk.SOME, False, "✕ 16.0 GiB is all"),
        (Plan(fits=False), Risk.SOME, False, "✕ does not fit"),
        (Plan(), Risk.SOME, True, "○ the memory there is not known: its backend decides"),
    ],
)
def test_a_load_is_asked_by_what_it_does_to_others(
    plan: Plan, risk: Risk, answerable: bool, last: str
) -> None:
    """Enter loads only what fits and evicts nothing; what does not fit cannot be said yes to."""
    asked = question(plan)
    assert (asked.risk, asked.open, asked.touches) == (risk, answerable, plan.evicts)
    assert drawn(asked)[-1] == f"  verdict    {last}"


def test_until_the_plan_is_there_only_no_can_be_said() -> None:
    """The question is shown at once, with what is known; the engine's refusal closes it."""
    asked = asked_of(load([MODEL], seen()))
    assert not asked.open
    assert drawn(asked)[2:] == ["  needs      about 7.1G", "  verdict    asking the engine for its plan …"]
    refused = question(None, "box1 cannot load models over its API")
    assert not refused.open
    assert drawn(refused)[-1] == "  verdict    ✕ box1 cannot load models over its API"


def test_who_goes_and_who_waits_is_told_in_full() -> None:
    """Those that are evicted by name, wrapped and never cut; beyond six only how many."""
    names = tuple(f"box1/some-model-of-a-long-name-{number}:70b" for number in range(8))
    plan = Plan(fits=True, evicts=names, frees_bytes=4 * GIB, waiting=2, expected_seconds=6.2)
    told = drawn(question(plan), 52)
    assert all(len(row) <= 52 for row in told)
    assert all(name in "".join(row.strip() for row in told) for name in names[:6])
    assert not any(name in "".join(row.strip() for row in told) for name in names[6:])
    assert "and 2 more: frees 4.0G" in " ".join(row.strip() for row in told)
    assert told[-3:] == [
        "  takes      about 6 s",
        "  waiting    2 requests wait for it",
        "  verdict    ▲ evicts 8 models",
    ]
    assert drawn(question(Plan(fits=True, waiting=1)))[-2] == "  waiting    1 request waits for it"


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (
            Need(3 * GIB, 2 * GIB, factor=1.02, basis=Basis.MEASURED, error=0.1),
            "measured before, usually 10% off",
        ),
        (
            Need(3 * GIB, 2 * GIB, growth=GIB, basis=Basis.MEASURED),
            "measured before, 1.0G of it for conversations",
        ),
        (Need(3 * GIB), "from its size alone"),
        (
            Need(3 * GIB, 3 * GIB, factor=1.45),
            "all there is; reckoned: 3.0G weights x1.45, from its size alone",
        ),
        (Need(int(2.9 * GIB), 2 * GIB, factor=1.45), "2.0G weights x1.45, from its size alone"),
    ],
)
def test_a_need_is_explained_by_what_it_rests_on(need: Need, words: str) -> None:
    """What was measured has no sum; a part that is not there is not told; a sum beyond the pool is said to be cut."""
    assert sum_of(need) == words


def test_more_than_was_agreed_to_is_asked_again() -> None:
    """Others that would go, or a higher risk; fewer that go is less."""
    agreed = question(Plan(fits=True, evicts=("a", "b")))
    assert question(Plan(fits=True, evicts=("a", "c"))).beyond(agreed)
    assert not question(Plan(fits=True, evicts=("b",))).beyond(agreed)
    assert not question(Plan(fits=True)).beyond(agreed)
    assert agreed.beyond(question(Plan(fits=True)))


def test_unloading_a_busy_model_wants_its_name_typed() -> None:
    """With calls in flight the name must be spelled; without, y or the button will do."""
    busy = asked_of(unload(["box1/llama3.2:3b"], seen()))
    idle = asked_of(unload(["box1/qwen2.5-coder:7b"], seen()))
    assert (busy.risk, busy.typed) == (Risk.HIGH, "llama3.2:3b")
    assert (idle.risk, idle.typed) == (Risk.SOME, "")
    assert (busy.adds, idle.adds) == ({"drain_seconds": 60.0}, {})
    assert any("ready on box2" in row for row in drawn(busy))
    assert any("3 in flight, 0 waiting" in row for row in drawn(busy))
    assert any("up to 60 s" in row for row in drawn(busy))


@pytest.mark.parametrize(
    ("verb", "ids", "state", "words"),
    [
        (load, [], LinkState.LIVE, "load: no model selected"),
        (unload, [], LinkState.LIVE, "unload: no model selected"),
        (load, ["box1/gone"], LinkState.LIVE, "load: box1/gone is gone"),
        (load, ["box1/llama3.2:3b"], LinkState.LIVE, "load: llama3.2:3b is already ready on box1"),
        (load, ["box2/qwen2.5:14b"], LinkState.LIVE, "load: qwen2.5:14b on box2: it is loading"),
        (unload, ["cloud/gpt-5-mini"], LinkState.LIVE, "unload: cloud cannot unload models over its API"),
        (unload, ["box1/mistral-nemo:12b"], LinkState.LIVE, "nothing of mistral-nemo:12b is loaded on box1"),
        (
            unload,
            ["box1/llama3.2:3b"],
            LinkState.LOST,
            "not connected to the engine (lost); nothing was sent",
        ),
        (unload, ["box1/llama3.2:3b"], LinkState.CONNECTING, "not connected to the engine (connecting)"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    verb: Callable[[Sequence[str], Picture], Deed], ids: list[str], state: LinkState, words: str
) -> None:
    """A key that can do nothing explains itself."""
    asked = consider(verb(ids, seen()), seen(state=state))
    assert isinstance(asked, Refusal)
    assert words in asked.reason


def test_what_goes_while_it_is_asked_about_is_refused() -> None:
    """The deed holds its target by identity: a new state without it is not about the row beneath."""
    deed = unload(["box1/qwen2.5-coder:7b"], seen())
    snapshot = World().snapshot()
    others = tuple(view for view in snapshot.models if view.id != "box1/qwen2.5-coder:7b")
    asked = consider(deed, seen(msgspec.structs.replace(snapshot, models=others)))
    assert asked == Refusal("unload: box1/qwen2.5-coder:7b is gone")


def test_a_pinned_model_is_unloaded_knowingly() -> None:
    """Nothing evicts it, and this would."""
    snapshot = World().snapshot()
    pinned = tuple(msgspec.structs.replace(view, pinned=True) for view in snapshot.models)
    fresh = msgspec.structs.replace(snapshot, models=pinned)
    asked = asked_of(unload(["box1/qwen2.5-coder:7b"], seen()), snapshot=fresh)
    assert any(row.startswith("  pinned     it is never evicted") for row in drawn(asked))


def test_the_engines_plan_is_told() -> None:
    """What it needs, frees, evicts and waits for, as far as known."""
    plan = Plan(needs_bytes=3 * GIB, evicts=("a/b",), waits_for=("a/c",), expected_seconds=10.2)
    assert accepted(plan) == ": needs 3.0G, evicts a/b, waits for a/c, about 10 s"
    assert accepted(Plan(expected_seconds=4, expected_basis="prior")) == ": about 4 s, estimated"
    assert accepted(Plan(expected_seconds=4, expected_basis="measured")) == ": about 4 s as last time"
    assert accepted(Plan()) == ""


IDLE = "box1/qwen2.5-coder:7b"
BUSY = "box1/llama3.2:3b"
ABSENT = "box1/mistral-nemo:12b"


def test_several_are_unloaded_with_one_answer() -> None:
    """Their names and the sum of their work; what cannot be unloaded is said and left out of what is sent."""
    deed = unload([IDLE, BUSY, ABSENT], seen())
    asked = asked_of(deed)
    assert drawn(asked) == [
        "  Unload 2 models?",
        "",
        "  models     box1/qwen2.5-coder:7b",
        "             box1/llama3.2:3b",
        "  frees      8.7G",
        "  work       3 in flight, 0 waiting",
        "             they may finish for up to 60 s; it takes no new ones",
        "             meanwhile",
        "  left out   nothing of mistral-nemo:12b is loaded on box1",
    ]
    assert (asked.risk, asked.typed, asked.without) == (Risk.HIGH, "unload 2", (ABSENT,))
    calls = sending(deed, asked)
    assert [call.about for call in calls] == [IDLE, BUSY]
    assert calls[0].path == "/api/v1/models/qwen2.5-coder%3A7b/unload"
    assert calls[0].body == {"backend": "box1", "drain_seconds": 60.0}


@pytest.mark.parametrize(("number", "said"), [(1, "at least 2.6G"), (0, "not known")])
def test_what_is_not_known_of_what_is_freed_is_not_guessed(number: int, said: str) -> None:
    """Of backends whose memory nobody knows, or of an engine that does not tell it yet."""
    snapshot = World().snapshot()
    known = (BUSY,)[:number]
    models = tuple(
        view if view.id in known else msgspec.structs.replace(view, frees_bytes=None)
        for view in snapshot.models
    )
    asked = asked_of(unload([IDLE, BUSY], seen()), snapshot=msgspec.structs.replace(snapshot, models=models))
    assert f"  frees      {said}" in drawn(asked)


def test_several_are_loaded_each_with_its_verdict() -> None:
    """One that does not fit is left out with the engine's reason; who would be evicted is named."""
    ids = [ABSENT, "lab/phi-4:14b", BUSY]
    deed = load(ids, seen())
    waiting = asked_of(deed)
    assert (waiting.open, drawn(waiting)[0]) == (False, "  Load 2 models?")
    plans = [
        Planned(Plan(fits=True, evicts=(IDLE,))),
        Planned(refusal="lab is down"),
        Planned(Plan(fits=True)),
    ]
    assert deed.learned is not None
    assert [call.body.get("dry_run") for call in deed.dry] == [True] * 3
    asked = asked_of(deed.learned(plans))
    assert drawn(asked) == [
        "  Load 1 model?",
        "",
        "             box1/mistral-nemo:12b: ▲ evicts 1 model",
        "  evicts     box1/qwen2.5-coder:7b",
        "  left out   llama3.2:3b is already ready on box1",
        "             lab/phi-4:14b: lab is down",
    ]
    assert (asked.touches, asked.without) == ((IDLE,), (BUSY, "lab/phi-4:14b"))
    assert asked.beyond(waiting)


def test_one_more_than_was_agreed_to_is_asked_again() -> None:
    """What was left out before and would be done now is more."""
    agreed = asked_of(unload([IDLE, ABSENT], seen()))
    assert not agreed.beyond(agreed)
    assert msgspec.structs.replace(agreed, without=()).beyond(agreed)
    assert not agreed.beyond(msgspec.structs.replace(agreed, without=()))


def test_the_result_is_one_line() -> None:
    """What the engine will do; of several how many were done, and the engine's words about each other one."""
    one = load([ABSENT], seen())
    calls = one.calls
    answer = {"plan": {"needs_bytes": 3 * GIB, "evicts": [], "expected_seconds": 10}}
    assert result(one, calls, [answer], []) == (f"load {ABSENT}: accepted: needs 3.0G, about 10 s", "accent")
    assert result(one, calls, [], [(ABSENT, "no")]) == (f"load {ABSENT}: no", "bad")
    many = unload([IDLE, BUSY], seen())
    assert result(many, many.calls, [{}, {}], []) == ("unload: 2 accepted", "accent")
    told = result(many, many.calls, [{}], [(BUSY, "it is busy")])
    assert told == (f"unload: 1 of 2 done; {BUSY}: it is busy", "bad")
