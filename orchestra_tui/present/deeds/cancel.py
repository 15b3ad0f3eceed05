"""Cancelling requests: their clients get an error, and what was produced so far has been paid for."""

from collections.abc import Callable, Sequence

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk, path, refused
from orchestra_tui.present.deeds.several import counted, listed
from orchestra_tui.present.numbers import age
from orchestra_tui.present.picture import Picture

_MOST = 8


def cancel(ids: Sequence[str], known: Callable[[str], RunningView | None]) -> Deed:
    """`known` looks a request up among those that run as far as is known at that moment."""
    if not ids:
        return refused("cancel", "no request selected")

    def asked(_: Picture) -> Question | Refusal:
        views = [view for one in ids if (view := known(one)) is not None and not view.cancelling]
        over = tuple(one for one in ids if one not in {view.id for view in views})
        if not views:
            return Refusal(_over(ids, known))
        what = views[0].id if len(views) == 1 else counted(views, "request")
        return Question(
            f"Cancel {what}?",
            facts=(
                *listed("running", [_line(view) for view in views], most=_MOST),
                *((("left out", f"{counted(over, 'request')} ended meanwhile", "warn"),) if over else ()),
                (
                    "its client" if len(views) == 1 else "clients",
                    "told `cancelled`; nobody else is asked",
                    "",
                ),
            ),
            risk=Risk.SOME,
            yes="End it" if len(views) == 1 else "End them",
            without=over,
        )

    calls = tuple(Call(path("requests", one, "cancel"), {}, one) for one in ids)
    done = f"{ids[0]} is cancelled" if len(ids) == 1 else ""
    heard = None if len(ids) == 1 else _heard
    return Deed("cancel", tuple(ids), asked, calls, done, heard=heard)


def _heard(answers: Sequence[object]) -> str:
    return f"{counted(answers, 'request')} cancelled"


def _over(ids: Sequence[str], known: Callable[[str], RunningView | None]) -> str:
    if any(known(one) is not None for one in ids):
        return "cancel: already cancelled, and ending"
    return f"cancel: {ids[0]} does not run" if len(ids) == 1 else "cancel: none of them runs any more"


def _line(view: RunningView) -> str:
    where = view.endpoints[-1] if view.endpoints else view.model_asked
    made = "" if view.tokens_out is None else f", {view.tokens_out} tokens"
    who = view.key_name or view.key
    return f"{view.id}  {view.state} {age(view.age_ms / 1000)}, {where}{made}, {who}"
