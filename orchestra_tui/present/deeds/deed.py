"""A deed: something that changes the engine, held by the identity of what it is done to, and how it is asked about.

Deeds are made by pure functions and done by `Orchestra.do`. What is asked is worked out from the freshest state, once
when the key is pressed, again while the dialog is open, and again right before acting.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any
from urllib.parse import quote

import msgspec

from orchestra_core.domain.result import Plan
from orchestra_tui.present.numbers import age
from orchestra_tui.present.picture import LinkState, Picture
from orchestra_tui.present.plans import Fact

Answer = dict[str, Any]


class Risk(IntEnum):
    """No dialog at all; Enter confirms; `y` or the other button confirms; a name must be typed."""

    NONE = 0
    LOW = 1
    SOME = 2
    HIGH = 3


class Planned(msgspec.Struct, frozen=True):
    """What the engine says to a dry run: its plan, or why it will not do it."""

    plan: Plan | None = None
    refusal: str = ""


class Refusal(msgspec.Struct, frozen=True):
    reason: str


class Question(msgspec.Struct, frozen=True):
    """What is asked before a deed is done. `typed` is what a risky answer must spell, `yes` the word of the button.

    Not `open`, only no can be said: something is not known yet, or it does not allow it. `touches` are others that it
    does something to. `adds` goes into the body of every call, `without` names calls (by `about`) that are left out.
    """

    title: str
    facts: tuple[Fact, ...] = ()
    risk: Risk = Risk.SOME
    typed: str = ""
    yes: str = ""
    open: bool = True
    touches: tuple[str, ...] = ()
    adds: dict[str, object] = {}
    without: tuple[str, ...] = ()

    def beyond(self, accepted: "Question") -> bool:
        """Whether this is more than was agreed to: a higher risk, others it touches, or calls left out before."""
        return (
            self.risk > accepted.risk
            or not set(self.touches) <= set(accepted.touches)
            or not set(accepted.without) <= set(self.without)
        )


class Call(msgspec.Struct, frozen=True):
    """One request that changes the engine. `about` is the object it is about, for the line of results."""

    path: str
    body: dict[str, object] = {}
    about: str = ""


class Deed(msgspec.Struct, frozen=True):
    """`asked` may be called at any time with any picture; `done` is said when every call worked.

    `heard` makes something to be put after `done` from the engine's answers, `tone` how that is said. With `dry`
    calls (which change nothing) the engine is asked what would come of it; `learned` makes the deed that knows
    their answers, in their order.
    """

    verb: str
    targets: tuple[str, ...]
    asked: Callable[[Picture], Question | Refusal]
    calls: tuple[Call, ...]
    done: str
    heard: Callable[[Sequence[Answer]], str] | None = None
    tone: Callable[[Sequence[Answer]], str] | None = None
    dry: tuple[Call, ...] = ()
    learned: "Callable[[Sequence[Planned]], Deed] | None" = None


def refused(verb: str, reason: str) -> Deed:
    """A deed that cannot be done, and says why: the answer to a key that has nothing to work on."""
    return Deed(verb, (), lambda _: Refusal(f"{verb}: {reason}"), (), "")


def consider(deed: Deed, picture: Picture) -> Question | Refusal:
    """The question of a deed as things are, or why it may not be asked: read-only, or no connection.

    On data that is too old the question is shown and cannot be said yes to.
    """
    if picture.read_only:
        return Refusal(f"{deed.verb}: {picture.read_only}; nothing was sent")
    link = picture.link
    if not link.live and link.state is not LinkState.STALE:
        return Refusal(f"{deed.verb}: not connected to the engine ({link.state.value}); nothing was sent")
    asked = deed.asked(picture)
    if link.live or isinstance(asked, Refusal):
        return asked
    old: Fact = ("data", f"{age(link.age)} old: asking the engine first …", "warn")
    return msgspec.structs.replace(asked, open=False, facts=(*asked.facts, old))


def sending(deed: Deed, question: Question) -> tuple[Call, ...]:
    """The calls that were agreed to, with what the question adds to them."""
    return tuple(
        msgspec.structs.replace(call, body={**call.body, **question.adds})
        for call in deed.calls
        if not call.about or call.about not in question.without
    )


def sent(deed: Deed, calls: Sequence[Call]) -> str:
    """What is said at once."""
    return f"{subject(deed, calls)}: sent …"


def subject(deed: Deed, calls: Sequence[Call]) -> str:
    """The verb and what it is done to: its name, or how many."""
    if len(calls) == 1:
        return f"{deed.verb} {calls[0].about}".rstrip()
    return f"{deed.verb} {len(calls)}"


def result(
    deed: Deed, calls: Sequence[Call], answers: Sequence[Answer], failures: Sequence[tuple[str, str]]
) -> tuple[str, str]:
    """The one line that says what became of it, and its tone. `failures` are (about, the engine's words)."""
    if not failures:
        told = deed.heard(answers) if deed.heard is not None else ""
        return f"{deed.done}{told}", deed.tone(answers) if deed.tone is not None else "accent"
    if len(calls) == 1:
        return f"{subject(deed, calls)}: {failures[0][1]}", "bad"
    whys = "; ".join(f"{about}: {why}" if about else why for about, why in failures)
    return f"{deed.verb}: {len(answers)} of {len(calls)} done; {whys}", "bad"


def path(*parts: str) -> str:
    """A path of the native surface; every part is quoted whole, as names hold slashes and colons."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
