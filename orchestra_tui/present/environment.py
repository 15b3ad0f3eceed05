"""Which engine this is, so that production looks like nothing else; and whether it may be changed from here."""

from orchestra_core.domain.snapshot import EnvironmentView, Snapshot
from orchestra_core.domain.text import one_line
from orchestra_tui.present.spans import Line, Span, line

COLORS = ("red", "yellow", "green", "blue", "magenta", "cyan")
_GRAVE = ("prod", "live")


def environment(snapshot: Snapshot | None) -> EnvironmentView:
    """Without a color of its own production is red; what has no name has no color either."""
    view = snapshot.environment if snapshot is not None else EnvironmentView()
    if not view.name or view.color in COLORS:
        return view
    return EnvironmentView(view.name, "red" if view.name.lower().startswith(_GRAVE) else "blue")


def badge(snapshot: Snapshot | None) -> Line:
    """The name on its color; nothing where it has none."""
    view = environment(snapshot)
    return line(Span(f" {one_line(view.name)} ", coloring(view))) if view.name else ()


def coloring(view: EnvironmentView) -> str:
    """Of the name, wherever it stands."""
    return f"in-{view.color}" if view.color in COLORS else "badge"


def barred(snapshot: Snapshot | None, *, bound: bool) -> str:
    """Why nothing may be changed from here, empty where it may; `bound`: by the user's own wish."""
    if bound:
        return "this console is read-only"
    if snapshot is not None and snapshot.read_only:
        return "this engine is read-only ([server] read_only)"
    return ""
