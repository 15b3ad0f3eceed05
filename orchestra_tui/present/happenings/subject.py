"""What the list of what happened is about."""

from orchestra_tui.present.happenings.entry import Happening
from orchestra_tui.present.listing import Facet, Subject


def _words(one: Happening) -> str:
    return f"{one.who} {one.what} {one.result} {one.subject} {one.text}"


HAPPENINGS = Subject(
    "Events",
    identity=lambda one: one.key,
    words=_words,
    problem=lambda one: one.problem,
    facets=(
        Facet("result", lambda one, _: one.result, title="RESULT"),
        Facet("at", lambda one, _: one.at, title="AT"),
        Facet("who", lambda one, _: one.who, title="WHO"),
        Facet("what", lambda one, _: one.what, title="WHAT"),
        Facet("object", lambda one, _: one.subject or None),
        Facet("message", lambda one, _: one.text or None),
        Facet("command", lambda one, _: one.command or None),
        Facet("key", lambda one, _: None if one.done is None else one.done.key or None),
        Facet("peer", lambda one, _: None if one.done is None else one.done.peer or None),
        Facet("status", lambda one, _: None if one.done is None else one.done.status or None),
    ),
)
