"""Saying something to alerts: nothing is lost by it, so nothing is asked."""

from collections.abc import Callable, Sequence

from orchestra_tui.present.alerts import alert
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk, path, refused
from orchestra_tui.present.picture import Picture

_DONE = {"ack": "acknowledged", "silence": "silenced", "unsilence": "no longer silenced"}


def acknowledge(ids: Sequence[str]) -> Deed:
    """Takes note of alerts, by their ids; only of those that fire."""
    if not ids:
        return refused("ack", "no alert selected")

    def asked(picture: Picture) -> Question | Refusal:
        quiet = {identity: why for identity in ids if (why := _quiet(identity, picture))}
        if len(quiet) == len(ids):
            return Refusal(f"ack: {quiet[ids[0]]}")
        return Question("", risk=Risk.NONE, without=tuple(quiet))

    return _deed("ack", ids, asked)


def silence(verb: str, names: Sequence[str], seconds: float | None = None) -> Deed:
    """`silence` alerts or rules for so many seconds, or `unsilence` them."""
    if not names:
        return refused(verb, "no alert selected")
    body: dict[str, object] = {} if seconds is None else {"seconds": seconds}
    return _deed(verb, names, lambda _: Question("", risk=Risk.NONE), body)


def _deed(
    verb: str,
    names: Sequence[str],
    asked: Callable[[Picture], Question | Refusal],
    body: dict[str, object] | None = None,
) -> Deed:
    calls = tuple(Call(path("alerts", name, verb), body or {}, name) for name in names)
    if len(names) == 1:
        return Deed(verb, tuple(names), asked, calls, f"{names[0]} is {_DONE[verb]}")
    return Deed(
        verb, tuple(names), asked, calls, "", heard=lambda answers: f"{len(answers)} are {_DONE[verb]}"
    )


def _quiet(identity: str, picture: Picture) -> str:
    view = alert(picture.snapshot, identity)
    if view is None:
        return f"{identity} is gone"
    return "" if view.firing else f"{identity} does not fire, it is {view.state}"
