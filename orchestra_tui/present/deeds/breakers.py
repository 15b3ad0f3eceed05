"""Deeds on the breakers of endpoints: forced open, reset, probed."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from orchestra_core.domain.snapshot import BreakerView
from orchestra_tui.present.deeds.deed import Answer, Call, Deed, Question, Refusal, Risk, path, refused
from orchestra_tui.present.deeds.reach import reach, routes, work
from orchestra_tui.present.deeds.several import counted, left_out, listed, sorted_out
from orchestra_tui.present.numbers import age
from orchestra_tui.present.picture import Picture, breaker, model
from orchestra_tui.present.plans import Fact

Asked = Callable[[Sequence[str], Picture], Question | Refusal]


def trip(ids: Sequence[str], seconds: float | None = None) -> Deed:
    """Forces breakers open, for so many seconds or until they are reset."""
    body: dict[str, object] = {} if seconds is None else {"seconds": seconds}
    held = "until it is reset" if seconds is None else f"for {_spelled(seconds)}"
    return _deed("trip", ids, partial(_trip, held), f"is open {held}", f"open {held}", body)


def reset(ids: Sequence[str]) -> Deed:
    """Closes breakers and forgets what they counted."""
    return _deed("reset", ids, _reset, "is closed, it starts slowly", "closed")


def probe(ids: Sequence[str]) -> Deed:
    """Asks endpoints for one token now; their breakers count what it finds."""
    return msgspec.structs.replace(
        _deed("probe", ids, _probe, "", ""),
        done="",
        heard=lambda answers: "; ".join(_found(answer) for answer in answers),
        tone=lambda answers: "accent" if all(answer.get("ok") for answer in answers) else "bad",
    )


def _deed(
    verb: str,
    ids: Sequence[str],
    asked: Asked,
    done: str,
    all_done: str,
    body: dict[str, object] | None = None,
) -> Deed:
    if not ids:
        return refused(verb, "no endpoint selected")
    return Deed(
        verb,
        tuple(ids),
        lambda picture: asked(ids, picture),
        tuple(Call(path("breakers", each, verb), body or {}, each) for each in ids),
        f"the breaker of {ids[0]} {done}" if len(ids) == 1 else "",
        heard=None if len(ids) == 1 else lambda answers: f"{counted(answers, 'breaker')} {all_done}",
    )


def _trip(held: str, ids: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(ids, picture, lambda _: "", breaker)
    if not views:
        return Refusal(f"trip: {others[0].reason}")
    at = reach([view.endpoint for view in views], picture.snapshot)
    # What is open already sends nobody anywhere else.
    typed = (at.alone[0] if len(at.alone) == 1 else f"trip {len(views)}") if at.alone else ""
    one = views[0].endpoint if len(views) == 1 else ""
    return Question(
        f"Force the breaker of {one} open {held}?"
        if one
        else f"Force {counted(views, 'breaker')} open {held}?",
        (
            *((("now", _now(views[0]), ""),) if one else listed("endpoints", [v.endpoint for v in views])),
            work(at, "they finish, new ones go elsewhere"),
            *routes(at),
            *left_out(others),
        ),
        Risk.HIGH if at.alone else Risk.SOME,
        typed,
        yes="Force open",
        touches=at.alone,
        without=tuple(each.id for each in others),
    )


def _reset(ids: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(ids, picture, _quiet, breaker)
    if not views:
        return Refusal(f"reset: {others[0].reason}")
    one = views[0].endpoint if len(views) == 1 else ""
    facts: list[Fact] = [("now", _now(views[0]), "")] if one else []
    if not one:
        facts += [("breakers" if n == 0 else "", f"{v.endpoint}: {_now(v)}", "") for n, v in enumerate(views)]
    facts.append(("then", "what it counted is forgotten; it gets its slots back over ten seconds", ""))
    if any(view.state != "closed" for view in views):
        facts.append(("", "without a probe: requests find out whether it is well", "warn"))
    return Question(
        f"Close the breaker of {one}?" if one else f"Close {counted(views, 'breaker')}?",
        (*facts, *left_out(others)),
        yes="Close it",
        without=tuple(each.id for each in others),
    )


def _quiet(view: BreakerView) -> str:
    return (
        f"{view.endpoint} is closed and has counted nothing"
        if view.state == "closed" and not view.failures
        else ""
    )


def _probe(ids: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(ids, picture, partial(_unable, picture), breaker)
    if not views:
        return Refusal(f"probe: {others[0].reason}")
    held = [view.endpoint for view in views if view.tripped]
    paid = [view.endpoint for view in views if _costs(view.endpoint, picture)]
    facts: list[Fact] = [("asks", "for one token; its breaker counts what comes of it", "")]
    if held:
        facts.append(("held", f"an operator holds {', '.join(held)} open: this ends that", "warn"))
    if paid:
        facts.append(("costs", f"{', '.join(paid)}: about one token", "warn"))
    title = (
        f"Probe {views[0].endpoint} now?" if len(views) == 1 else f"Probe {counted(views, 'endpoint')} now?"
    )
    return Question(
        title,
        (*facts, *left_out(others)),
        Risk.SOME if held or paid else Risk.NONE,
        without=tuple(each.id for each in others),
    )


def _unable(picture: Picture, view: BreakerView) -> str:
    """Why the engine would not probe it, as far as that is seen from here."""
    found = model(picture.snapshot, view.endpoint)
    if found is None:
        return f"{view.endpoint} is gone"
    down = picture.snapshot is not None and any(
        each.name == found.backend and each.health == "down" for each in picture.snapshot.backends
    )
    if down:
        return f"backend {found.backend} is down; its breakers are probed as soon as it is back"
    if found.residency != "ready":
        return f"{view.endpoint} is {found.residency}, and a probe never loads a model (L does)"
    return ""


def _costs(endpoint: str, picture: Picture) -> bool:
    view = model(picture.snapshot, endpoint)
    return view is not None and bool(view.price.input or view.price.output)


def _now(view: BreakerView) -> str:
    since = f"{view.state.replace('_', '-')} since {age(view.since)}"
    held = f", held for another {age(view.held_for)}" if view.held_for is not None else ""
    return f"{since}{held}{f': {view.reason}' if view.reason else ''}"


def _found(answer: Answer) -> str:
    state = str(answer.get("breaker", {}).get("state", "")).replace("_", "-")
    told = (
        f"answered in {float(answer.get('seconds', 0)):.2f} s"
        if answer.get("ok")
        else f"failed: {answer.get('message', '')}"
    )
    return f"{answer.get('endpoint', '')} {told}; its breaker is {state}"


def _spelled(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:g} h"
