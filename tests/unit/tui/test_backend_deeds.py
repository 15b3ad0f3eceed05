"""Drains, restarts, trips, resets, probes and the intake: how far each reaches, and how carefully it is asked."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestra_core.domain.snapshot import EnvironmentView, Snapshot
from orchestra_tui.present.deeds.backends import drain, restart, resume
from orchestra_tui.present.deeds.box import rows
from orchestra_tui.present.deeds.breakers import probe, reset, trip
from orchestra_tui.present.deeds.deed import Deed, Question, Refusal, Risk, consider, result, sending
from orchestra_tui.present.deeds.intake import pause_intake, resume_intake
from orchestra_tui.present.environment import badge, barred, environment
from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.menus import breaking, draining
from orchestra_tui.present.menus import rows as menu
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain
from tests.fakes.fake_engine import World

LLAMA, CODER, TRIPPED = "box1/llama3.2:3b", "box1/qwen2.5-coder:7b", "box2/nomic-embed-text"


def snapshot(**more: Any) -> Snapshot:
    return msgspec.structs.replace(World().snapshot(), **more)


def changed(what: str, key: str, name: str, **more: Any) -> Snapshot:
    """The world with one of its backends, models or breakers otherwise."""
    views = getattr(World().snapshot(), what)
    return snapshot(
        **{what: tuple(msgspec.structs.replace(v, **more) if getattr(v, key) == name else v for v in views)}
    )


def seen(found: Snapshot | None = None) -> Picture:
    return Picture(snapshot=found or snapshot(), link=Link(LinkState.LIVE))


def asked(deed: Deed, found: Snapshot | None = None) -> Question:
    question = consider(deed, seen(found))
    assert isinstance(question, Question), question
    return question


def refused(deed: Deed, found: Snapshot | None = None) -> str:
    question = consider(deed, seen(found))
    assert isinstance(question, Refusal), question
    return question.reason


def drawn(question: Question, cells: int = 72) -> list[str]:
    return [plain(row).rstrip() for row in rows(question, cells, UNICODE)]


def test_a_drain_says_who_takes_over_and_who_is_left_alone() -> None:
    """What runs finishes; a model that nobody else serves makes the backend's name the answer."""
    question = asked(drain(["box1"]))
    assert drawn(question) == [
        "  Drain box1?",
        "",
        "  work       3 in flight: they finish there",
        "  routes     1 route falls back to box2: llama3.2:3b",
        "             no other endpoint serves mistral-nemo:12b,",
        "             qwen2.5-coder:7b",
    ]
    assert (question.risk, question.typed) == (Risk.HIGH, "box1")
    assert question.touches == ("mistral-nemo:12b", "qwen2.5-coder:7b")


def test_a_drain_that_leaves_nobody_alone_is_a_plain_question() -> None:
    """All its models are elsewhere too."""
    views = tuple(view for view in snapshot().models if view.model == "llama3.2:3b")
    question = asked(drain(["box2"]), snapshot(models=views))
    assert (question.risk, question.typed) == (Risk.SOME, "")
    assert drawn(question)[2:] == [
        "  work       nothing in flight",
        "  routes     1 route falls back to box1: llama3.2:3b",
    ]


def test_what_is_drained_is_resumed_and_not_drained_again() -> None:
    """Two deeds, never one that turns round."""
    found = changed("backends", "name", "box1", draining=True)
    assert refused(drain(["box1"]), found) == "drain: box1 is draining already"
    assert refused(resume(["box2"]), found) == "resume: box2 is not drained"
    question = asked(resume(["box1", "box2"]), found)
    assert (question.title, question.risk, question.without) == ("Resume box1?", Risk.SOME, ("box2",))
    assert [call.path for call in sending(resume(["box1", "box2"]), question)] == [
        "/api/v1/backends/box1/resume"
    ]


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lambda: drain([]), "drain: no backend selected"),
        (lambda: restart(["gone"]), "restart: gone is gone"),
        (
            lambda: restart(["box1"]),
            "restart: box1 (ollama at unix:/run/sim/box1.sock) was not started by this engine",
        ),
        (lambda: trip([]), "trip: no endpoint selected"),
        (lambda: reset([LLAMA]), f"reset: {LLAMA} is closed and has counted nothing"),
        (lambda: probe(["box1/gone"]), "probe: box1/gone is gone"),
        (
            lambda: probe(["lab/phi-4:14b"]),
            "probe: backend lab is down; its breakers are probed as soon as it is back",
        ),
        (lambda: probe(["box1/mistral-nemo:12b"]), "is absent, and a probe never loads a model (L does)"),
        (resume_intake, "resume-intake: it is not paused"),
    ],
)
def test_what_makes_no_sense_says_why(deed: Callable[[], Deed], words: str) -> None:
    """And what would, where something does."""
    assert words in refused(deed())


def test_a_restart_ends_what_runs_after_a_while_only_by_name() -> None:
    """Idle it is a plain question; busy it takes the name, and gives time."""
    idle = asked(restart(["local"]))
    assert drawn(idle)[2:] == [
        "  stops      local/gemma3-270m-q4-k-m",
        "  work       nothing in flight",
        "  routes     no other endpoint serves gemma3-270m-q4-k-m",
    ]
    assert (idle.risk, idle.adds) == (Risk.SOME, {})
    busy = asked(restart(["local"]), changed("models", "id", "local/gemma3-270m-q4-k-m", inflight=2))
    assert (busy.risk, busy.typed, busy.adds) == (Risk.HIGH, "local", {"drain_seconds": 60.0})
    assert "  work       2 in flight: may finish for 60 s, then they are ended" in drawn(busy)
    loading = changed("models", "id", "local/gemma3-270m-q4-k-m", residency="loading")
    assert "is being loaded or unloaded" in refused(restart(["local"]), loading)
    empty = changed("models", "id", "local/gemma3-270m-q4-k-m", residency="absent")
    assert refused(restart(["local"]), empty) == "restart: no process of local runs"


def test_forcing_the_last_healthy_endpoint_open_wants_the_models_name() -> None:
    """With another one that is healthy y is enough; one that is tripped does not count as another."""
    last = asked(trip([CODER], 300))
    assert drawn(last) == [
        "  Force the breaker of box1/qwen2.5-coder:7b open for 5 min?",
        "",
        "  now        closed since 14m",
        "  work       nothing in flight",
        "  routes     no other endpoint serves qwen2.5-coder:7b",
    ]
    assert (last.risk, last.typed, last.yes) == (Risk.HIGH, "qwen2.5-coder:7b", "Force open")
    other = asked(trip([LLAMA]))
    assert (other.title, other.risk) == (f"Force the breaker of {LLAMA} open until it is reset?", Risk.SOME)
    assert "  routes     1 route falls back to box2: llama3.2:3b" in drawn(other)
    alone = asked(trip([LLAMA]), changed("models", "id", "box2/llama3.2:3b", circuit="open"))
    assert (alone.risk, alone.typed) == (Risk.HIGH, "llama3.2:3b")
    assert alone.beyond(other)
    both = asked(trip([LLAMA, "box2/llama3.2:3b"]))
    assert (both.title, both.risk, both.typed) == (
        "Force 2 breakers open until it is reset?",
        Risk.HIGH,
        "llama3.2:3b",
    )


def test_a_trip_that_is_there_already_sends_nobody_away() -> None:
    """Its time is changed, and nobody has to type anything."""
    question = asked(trip([TRIPPED], 7200))
    assert (question.risk, question.touches) == (Risk.SOME, ())
    assert drawn(question)[0] == f"  Force the breaker of {TRIPPED} open for 2 h?"
    assert trip([TRIPPED], 7200).calls[0].body == {"seconds": 7200}


def test_closing_a_breaker_says_that_requests_find_out() -> None:
    """And why it is open now."""
    question = asked(reset([TRIPPED]))
    assert drawn(question)[2] == "  now        open since 20s: 5 timeouts in 30 s"
    assert "without a probe: requests find out whether it is well" in drawn(question)[-1]
    counted = changed("breakers", "endpoint", LLAMA, failures=3)
    assert len(asked(reset([LLAMA]), counted).facts) == 2


def test_a_probe_is_sent_at_once_unless_it_costs_or_ends_a_hold() -> None:
    """What an operator holds open, and what has a price, is asked about."""
    assert asked(probe([TRIPPED])).risk is Risk.NONE
    held = asked(probe([TRIPPED]), changed("breakers", "endpoint", TRIPPED, tripped=True))
    assert held.risk is Risk.SOME
    assert "an operator holds" in " ".join(drawn(held))
    assert asked(probe(["cloud/gpt-5-mini"])).risk is Risk.SOME


def test_what_a_probe_found_is_told() -> None:
    """In the tone of it."""
    deed = probe([TRIPPED])
    ok = {"endpoint": TRIPPED, "ok": True, "seconds": 0.214, "breaker": {"state": "half_open"}}
    told = f"{TRIPPED} answered in 0.21 s; its breaker is half-open"
    assert result(deed, deed.calls, [ok], []) == (told, "accent")
    bad = {"endpoint": TRIPPED, "ok": False, "message": "HTTP 500", "breaker": {"state": "open"}}
    assert result(deed, deed.calls, [bad], []) == (f"{TRIPPED} failed: HTTP 500; its breaker is open", "bad")


def test_pausing_the_intake_wants_the_environment_typed() -> None:
    """Or, where it has no name, the word; it says what that stops."""
    question = asked(pause_intake(), snapshot(environment=EnvironmentView("prod-a", "red")))
    assert (question.risk, question.typed) == (Risk.HIGH, "prod-a")
    assert drawn(question)[2:4] == [
        "  stops      all new requests, 742 in the last minute: 503",
        "  work       28 in flight go on",
    ]
    assert asked(pause_intake()).typed == "pause"
    paused = snapshot(intake_paused=True)
    assert refused(pause_intake(), paused) == "pause-intake: it is paused already"
    assert asked(resume_intake(), paused).risk is Risk.SOME


def test_menus_explain_what_would_do_nothing() -> None:
    """Muted, with the reason in place of what it does; the entries stay where they are."""
    told = [(key, plain(row).strip()) for key, row in menu(draining(["box1"]), seen())]
    assert told == [
        ("drain", "drain   no new requests; those that run finish"),
        ("resume", "resume  box1 is not drained"),
    ]
    names = [key for key, _ in menu(breaking([LLAMA]), seen())]
    assert names == ["probe", "close", "open 5 min", "open 15 min", "open 1 h", "open"]
    row = next(row for key, row in menu(breaking([LLAMA]), seen()) if key == "close")
    assert [part.tone for part in row] == ["muted", "muted"]


@pytest.mark.parametrize(
    ("name", "color", "tone"),
    [("prod-a", "", "in-red"), ("live", "", "in-red"), ("prod", "green", "in-green"), ("lab", "", "in-blue"),
     ("lab", "pink", "in-blue")],
)  # fmt: skip
def test_an_environment_has_a_color_even_without_one(name: str, color: str, tone: str) -> None:
    """Production is red unless it says otherwise; a color of a later version is none."""
    found = snapshot(environment=EnvironmentView(name, color))
    assert [(part.text, part.tone) for part in badge(found)] == [(f" {name} ", tone)]
    assert environment(None).name == ""
    assert badge(snapshot()) == ()


def test_what_may_not_be_changed_says_whose_wish_that_is() -> None:
    """The user's own before the engine's."""
    bound = snapshot(read_only=True)
    assert barred(bound, bound=True) == "this console is read-only"
    assert barred(bound, bound=False) == "this engine is read-only ([server] read_only)"
    assert barred(snapshot(), bound=False) == ""
    assert barred(None, bound=False) == ""


def test_the_box_names_the_environment() -> None:
    """Right under what is asked, in its color."""
    drawn_rows = rows(asked(drain(["box2"])), 72, UNICODE, EnvironmentView("prod-a", "red"))
    assert plain(drawn_rows[2]).rstrip() == "  in          prod-a"
    assert drawn_rows[2][-1].tone == "in-red"
