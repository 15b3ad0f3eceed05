"""Load and unload: when they are refused, and how carefully they are asked."""

import msgspec
import pytest

from orchestra_core.domain.snapshot import MemoryView, Snapshot
from orchestra_tui.present.confirm import Question, Refusal, Risk, ask, planned
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain
from tests.fakes.fake_engine import GIB, World


def seen(snapshot: Snapshot | None = None, state: LinkState = LinkState.LIVE) -> Picture:
    return Picture(snapshot=snapshot or World().snapshot(), link=Link(state))


def with_memory(used: float) -> Snapshot:
    snapshot = World().snapshot()
    pool = MemoryView(total=24 * GIB, used=int(used * GIB))
    backends = tuple(
        msgspec.structs.replace(view, memory=pool) if view.name == "box1" else view
        for view in snapshot.backends
    )
    return msgspec.structs.replace(snapshot, backends=backends)


@pytest.mark.parametrize(("used", "risk"), [(4, Risk.NONE), (12, Risk.SOME), (20, Risk.SOME)])
def test_a_load_is_asked_by_what_it_does_to_memory(used: float, risk: Risk) -> None:
    """Enter loads only what fits below the warning line; otherwise Cancel has the focus."""
    asked = ask("load", "box1/mistral-nemo:12b", seen(with_memory(used)))
    assert isinstance(asked, Question)
    assert asked.risk is risk


def test_a_load_that_does_not_fit_says_so() -> None:
    """The verdict is there before anything is sent."""
    asked = ask("load", "box1/mistral-nemo:12b", seen(with_memory(22)))
    assert isinstance(asked, Question)
    assert any("does not fit" in plain(row) for row in asked.lines)


def test_unloading_a_busy_model_wants_its_name_typed() -> None:
    """With calls in flight the name must be spelled; without, y or the button will do."""
    busy = ask("unload", "box1/llama3.2:3b", seen())
    idle = ask("unload", "box1/qwen2.5-coder:7b", seen())
    assert isinstance(busy, Question)
    assert isinstance(idle, Question)
    assert (busy.risk, busy.typed) == (Risk.HIGH, "llama3.2:3b")
    assert (idle.risk, idle.typed) == (Risk.SOME, "")
    assert any("box2" in plain(row) for row in busy.lines)


@pytest.mark.parametrize(
    ("verb", "target", "state", "words"),
    [
        ("load", None, LinkState.LIVE, "no model selected"),
        ("load", "box1/gone", LinkState.LIVE, "is gone"),
        ("load", "box1/llama3.2:3b", LinkState.LIVE, "already ready"),
        ("load", "box2/qwen2.5:14b", LinkState.LIVE, "it is loading"),
        ("unload", "box1/mistral-nemo:12b", LinkState.LIVE, "nothing of"),
        ("unload", "box1/llama3.2:3b", LinkState.STALE, "not connected"),
        ("unload", "box1/llama3.2:3b", LinkState.LOST, "not connected"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    verb: str, target: str | None, state: LinkState, words: str
) -> None:
    """A key that can do nothing explains itself."""
    asked = ask(verb, target, seen(state=state))
    assert isinstance(asked, Refusal)
    assert words in asked.reason


def test_the_engines_plan_is_told() -> None:
    """What it needs, frees and evicts, as far as known."""
    assert planned(3 * GIB, None, ["a/b"], 10.2) == ": needs 3.0G, evicts a/b, about 10 s"
    assert planned(None, None, (), None) == ""
