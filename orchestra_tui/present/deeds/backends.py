"""Deeds on whole backends: drained, resumed, restarted."""

from collections.abc import Callable, Sequence

from orchestra_core.domain.snapshot import BackendView
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk, path, refused
from orchestra_tui.present.deeds.reach import Reach, reach, routes, work
from orchestra_tui.present.deeds.several import counted, left_out, listed, sorted_out
from orchestra_tui.present.deeds.unload import DRAIN_SECONDS
from orchestra_tui.present.picture import Picture, backend
from orchestra_tui.present.plans import Fact

Asked = Callable[[Sequence[str], Picture], Question | Refusal]


def drain(names: Sequence[str]) -> Deed:
    """No new requests for these backends; what runs there finishes."""
    return _deed("drain", names, _drain, "gets no new requests", "get no new requests")


def resume(names: Sequence[str]) -> Deed:
    """These backends take requests again."""
    return _deed("resume", names, _resume, "takes requests again", "take requests again")


def restart(names: Sequence[str]) -> Deed:
    """The processes of these backends are ended and started again, if they are the engine's own."""
    return _deed("restart", names, _restart, "is restarting", "are restarting")


def _deed(verb: str, names: Sequence[str], asked: Asked, done: str, all_done: str) -> Deed:
    if not names:
        return refused(verb, "no backend selected")
    return Deed(
        verb,
        tuple(names),
        lambda picture: asked(names, picture),
        tuple(Call(path("backends", name, verb), {}, name) for name in names),
        f"{names[0]} {done}" if len(names) == 1 else "",
        heard=None if len(names) == 1 else lambda answers: f"{len(answers)} {all_done}",
    )


def _drain(names: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(
        names, picture, lambda view: f"{view.name} is draining already" if view.draining else "", backend
    )
    if not views:
        return Refusal(f"drain: {others[0].reason}")
    at = _reach(views, picture)
    return Question(
        f"Drain {_called(views)}?",
        (*_names(views), work(at, "they finish there"), *routes(at), *left_out(others)),
        Risk.HIGH if at.alone else Risk.SOME,
        _typed("drain", views) if at.alone else "",
        touches=at.alone,
        without=tuple(each.id for each in others),
    )


def _resume(names: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(
        names, picture, lambda view: "" if view.draining else f"{view.name} is not drained", backend
    )
    if not views:
        return Refusal(f"resume: {others[0].reason}")
    health = [f"{view.name} is {view.health}" for view in views]
    facts: list[Fact] = [("then", f"requests go there again; {', '.join(health)}", "")]
    return Question(f"Resume {_called(views)}?", (*_names(views), *facts, *left_out(others)),
                    without=tuple(each.id for each in others))  # fmt: skip


def _restart(names: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(names, picture, lambda view: _not_restarted(view, picture), backend)
    if not views:
        return Refusal(f"restart: {others[0].reason}")
    at = _reach(views, picture)
    wait = f"may finish for {DRAIN_SECONDS:.0f} s, then they are ended"
    stops: Fact = ("stops", ", ".join(view.id for view in at.gone if view.residency == "ready"), "strong")
    facts = (*_names(views), stops, work(at, wait), *routes(at), *left_out(others))
    busy = at.inflight > 0
    return Question(
        f"Restart {_called(views)}?",
        facts,
        Risk.HIGH if busy else Risk.SOME,
        _typed("restart", views) if busy else "",
        adds={"drain_seconds": DRAIN_SECONDS} if busy else {},
        without=tuple(each.id for each in others),
    )


def _not_restarted(view: BackendView, picture: Picture) -> str:
    if view.kind != "managed":
        return (
            f"{view.name} ({view.kind} at {view.address}) was not started by this engine: restart it where it runs, "
            "D drains it first"
        )
    models = picture.snapshot.models if picture.snapshot else ()
    own = [each for each in models if each.backend == view.name]
    moving = [each.id for each in own if each.residency not in ("ready", "absent")]
    if moving:
        return f"{moving[0]} is being loaded or unloaded; wait until that has ended"
    return "" if any(each.residency == "ready" for each in own) else f"no process of {view.name} runs"


def _reach(views: Sequence[BackendView], picture: Picture) -> Reach:
    names = {view.name for view in views}
    models = picture.snapshot.models if picture.snapshot else ()
    return reach([each.id for each in models if each.backend in names], picture.snapshot)


def _called(views: Sequence[BackendView]) -> str:
    return views[0].name if len(views) == 1 else counted(views, "backend")


def _names(views: Sequence[BackendView]) -> tuple[Fact, ...]:
    return listed("backends", [view.name for view in views]) if len(views) > 1 else ()


def _typed(verb: str, views: Sequence[BackendView]) -> str:
    return views[0].name if len(views) == 1 else f"{verb} {len(views)}"
