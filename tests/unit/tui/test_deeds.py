"""What holds for every deed: read-only, the connection, the age of the data, and what is sent."""

import msgspec
import pytest

from orchestra_tui.present.deeds.alerts import acknowledge, silence
from orchestra_tui.present.deeds.box import button, hint, rows
from orchestra_tui.present.deeds.deed import (
    Call,
    Deed,
    Question,
    Refusal,
    Risk,
    consider,
    path,
    refused,
    result,
    sending,
    sent,
)
from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain
from tests.fakes.fake_engine import World

ASKED = Question("Drain be-2?", (("work", "3 in flight", "bad"),))
DEED = Deed("drain", ("be-2",), lambda _: ASKED, (Call("/x", {"a": 1}, "be-2"),), "be-2 is draining")


def seen(state: LinkState = LinkState.LIVE, age: float = 0.0, read_only: str = "") -> Picture:
    return Picture(snapshot=World().snapshot(), link=Link(state, age), read_only=read_only)


def test_on_a_live_link_a_deed_is_asked_about_as_it_says() -> None:
    """Nothing is added to its own question."""
    assert consider(DEED, seen()) == ASKED


def test_read_only_comes_before_everything_else() -> None:
    """The reason is said whatever the connection is, and nothing of the deed is looked at."""
    for state in LinkState:
        asked = consider(DEED, seen(state, read_only="read-only: started with --read-only"))
        assert asked == Refusal("drain: read-only: started with --read-only; nothing was sent")


@pytest.mark.parametrize("state", [LinkState.LOST, LinkState.CONNECTING, LinkState.STARTING])
def test_nothing_is_done_while_disconnected(state: LinkState) -> None:
    """And the reason is the state of the connection."""
    asked = consider(DEED, seen(state))
    assert asked == Refusal(f"drain: not connected to the engine ({state}); nothing was sent")


def test_on_old_data_the_box_says_so_and_cannot_be_said_yes_to() -> None:
    """Until the engine has answered; what it is about is shown at once."""
    asked = consider(DEED, seen(LinkState.STALE, 9.4))
    assert isinstance(asked, Question)
    assert not asked.open
    assert asked.facts == (*ASKED.facts, ("data", "9s old: asking the engine first …", "warn"))
    assert asked.beyond(ASKED) is False


def test_what_cannot_be_done_says_why() -> None:
    """A key with nothing to work on is a deed that is refused."""
    assert consider(refused("drain", "no backend selected"), seen()) == Refusal("drain: no backend selected")


def test_the_box_wraps_and_says_how_it_is_answered() -> None:
    """Enter never confirms what is destructive; what must be typed is spelled out."""
    drawn = [plain(row).rstrip() for row in rows(ASKED, 40, UNICODE)]
    assert drawn == ["  Drain be-2?", "", "  work       3 in flight"]
    typed = msgspec.structs.replace(ASKED, risk=Risk.HIGH, typed="be-2")
    assert hint(ASKED) == "y confirms; Enter or esc cancels."
    assert hint(typed) == "Type be-2 and Enter to confirm; esc cancels."
    assert hint(msgspec.structs.replace(ASKED, risk=Risk.LOW)) == "Enter confirms, esc cancels."
    assert hint(msgspec.structs.replace(typed, open=False)) == "Enter or esc closes; nothing is sent."
    assert button("drain", ASKED) == "Drain"
    assert button("trip", msgspec.structs.replace(ASKED, yes="Force open")) == "Force open"


def test_what_is_sent_is_what_was_asked_about() -> None:
    """The question adds to the bodies and leaves calls out; names are quoted whole."""
    more = msgspec.structs.replace(ASKED, adds={"b": 2})
    assert [call.body for call in sending(DEED, more)] == [{"a": 1, "b": 2}]
    assert sending(DEED, msgspec.structs.replace(ASKED, without=("be-2",))) == ()
    assert path("models", "hf.co/a b:1", "load") == "/api/v1/models/hf.co%2Fa%20b%3A1/load"
    assert sent(DEED, DEED.calls) == "drain be-2: sent …"
    assert sent(DEED, DEED.calls * 3) == "drain 3: sent …"


def test_the_line_of_results_counts_and_gives_reasons() -> None:
    """One: its own words. Several: how many, and why not the others."""
    several = DEED.calls * 4
    assert result(DEED, DEED.calls, [{}], []) == ("be-2 is draining", "accent")
    assert result(DEED, DEED.calls, [], [("be-2", "why")]) == ("drain be-2: why", "bad")
    told, tone = result(DEED, several, [{}] * 3, [("be-2/x", "why")])
    assert (told, tone) == ("drain: 3 of 4 done; be-2/x: why", "bad")


def test_an_alert_is_taken_note_of_without_asking() -> None:
    """Nothing is lost by it; one that does not fire is refused, or left out of several."""
    assert consider(acknowledge([]), seen()) == Refusal("ack: no alert selected")
    assert consider(acknowledge(["disk:state"]), seen()) == Refusal(
        "ack: disk:state does not fire, it is resolved"
    )
    assert consider(acknowledge(["x"]), seen()) == Refusal("ack: x is gone")
    deed = acknowledge(["memory:host", "disk:state"])
    asked = consider(deed, seen())
    assert isinstance(asked, Question)
    assert (asked.risk, asked.without) == (Risk.NONE, ("disk:state",))
    assert sending(deed, asked) == (Call("/api/v1/alerts/memory%3Ahost/ack", {}, "memory:host"),)
    assert result(deed, deed.calls[:1], [{}], [])[0] == "1 are acknowledged"


def test_a_silence_is_sent_with_its_time() -> None:
    """And ended without one."""
    begun, ended = silence("silence", ["memory"], 900.0), silence("unsilence", ["memory"])
    assert begun.calls == (Call("/api/v1/alerts/memory/silence", {"seconds": 900.0}, "memory"),)
    assert ended.calls == (Call("/api/v1/alerts/memory/unsilence", {}, "memory"),)
    assert (begun.done, ended.done) == ("memory is silenced", "memory is no longer silenced")
    assert consider(silence("silence", []), seen()) == Refusal("silence: no alert selected")
