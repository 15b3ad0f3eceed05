"""Beginning a fault drill, and ending one."""

from collections.abc import Mapping, Sequence

import msgspec

from orchestra_core.domain.drills import DrillPlan, DrillView
from orchestra_tui.present.deeds.deed import Answer, Call, Deed, Question, Refusal, Risk, path
from orchestra_tui.present.drills import running
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.plans import Fact


def drill(endpoint: str, wish: Mapping[str, object], plan: DrillPlan | None = None) -> Deed:
    """Injects what is wished at an endpoint, as planned; a real one's name must be typed."""
    call = Call(path("drills"), dict(wish), endpoint)
    return Deed(
        "drill",
        (endpoint,),
        lambda picture: _asked(endpoint, plan, picture),
        (call,),
        "drill ",
        heard=begun,
    )


def begun(answers: Sequence[Answer]) -> str:
    """What is said after the word when it runs."""
    first = answers[0] if answers else {}
    return f"{first.get('id', '')} runs on {first.get('endpoint', '')}; F stops it"


def _asked(endpoint: str, plan: DrillPlan | None, picture: Picture) -> Question | Refusal:
    view = model(picture.snapshot, endpoint)
    if view is None:
        return Refusal(f"drill: {endpoint or 'no endpoint selected'}{' is gone' if endpoint else ''}")
    now = running(picture.snapshot, endpoint)
    if now:
        return Refusal(f"drill: {now[0].id} already runs on {endpoint}")
    if plan is None:
        return Question(f"Fault drill on {endpoint}?", open=False)
    others: Fact = ("others", ", ".join(plan.others), "") if plan.others else _ALONE
    facts: tuple[Fact, ...] = (
        ("fault", plan.what, "strong"),
        ("for", f"{plan.seconds:g} s, then it ends by itself", ""),
        others,
        ("work", f"{view.inflight} in flight there now", "warn" if view.inflight else "good"),
        ("may cost", plan.cost, ""),
    )
    asked = Question(f"Fault drill on {endpoint}?", facts, yes="Begin")
    if not plan.confirm:
        return asked
    real: Fact = ("real", "this is no simulation: clients of this endpoint may notice", "bad")
    return msgspec.structs.replace(
        asked, facts=(*facts, real), risk=Risk.HIGH, typed=endpoint, adds={"confirm": endpoint}
    )


_ALONE: Fact = ("others", "none of the same model: its clients will notice", "bad")


def stop(view: DrillView) -> Deed:
    """Ends a drill; that only makes things better, so nothing is asked."""
    return Deed(
        "stop drill",
        (view.id,),
        lambda _: Question("", risk=Risk.NONE),
        (Call(path("drills", view.id, "stop"), {}, view.id),),
        f"drill {view.id} on {view.endpoint} has ended",
    )
