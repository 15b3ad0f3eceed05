"""What the menus of the Backends view offer: a word, what it does, and why it would do nothing now."""

from collections.abc import Callable, Sequence

import msgspec

from orchestra_tui.present.deeds.backends import drain, resume
from orchestra_tui.present.deeds.breakers import probe, reset, trip
from orchestra_tui.present.deeds.deed import Deed, Refusal, consider
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, cut_line, line, span

# What a menu has room for on the narrowest terminal that is not too small.
_CELLS = 52


class Entry(msgspec.Struct, frozen=True):
    """`name` is what is chosen by; `does` says it in words."""

    name: str
    does: str
    deed: Callable[[], Deed]


def draining(names: Sequence[str]) -> tuple[Entry, ...]:
    """Two entries, never a toggle: what is drained by somebody else meanwhile is not resumed by mistake."""
    return (
        Entry("drain", "no new requests; those that run finish", lambda: drain(names)),
        Entry("resume", "takes requests again", lambda: resume(names)),
    )


def breaking(ids: Sequence[str]) -> tuple[Entry, ...]:
    return (
        Entry("probe", "ask for one token now (half-open)", lambda: probe(ids)),
        Entry("close", "reset it and what it counted", lambda: reset(ids)),
        Entry("open 5 min", "force it open, then probes decide", lambda: trip(ids, 300)),
        Entry("open 15 min", "force it open, then probes decide", lambda: trip(ids, 900)),
        Entry("open 1 h", "force it open, then probes decide", lambda: trip(ids, 3600)),
        Entry("open", "force it open until it is reset", lambda: trip(ids)),
    )


def rows(entries: Sequence[Entry], picture: Picture) -> list[tuple[str, Line]]:
    """Each with its name; one that would do nothing now is muted, with the reason."""
    widest = max(len(entry.name) for entry in entries)
    drawn = []
    for entry in entries:
        deed = entry.deed()
        asked = consider(deed, picture)
        refused = isinstance(asked, Refusal)
        words = asked.reason.removeprefix(f"{deed.verb}: ") if isinstance(asked, Refusal) else entry.does
        row = line(
            span(f"  {entry.name:<{widest}}  ", "muted" if refused else "strong"),
            span(words, "muted" if refused else ""),
        )
        drawn.append((entry.name, cut_line(row, _CELLS, picture.glyphs.more)))
    return drawn


def first(entries: Sequence[Entry], picture: Picture) -> str:
    """The first that would do something; where none would, the first."""
    able = (entry.name for entry in entries if not isinstance(consider(entry.deed(), picture), Refusal))
    return next(able, entries[0].name)


def called(ids: Sequence[str], what: str) -> str:
    """What a menu is about, in its title."""
    return ids[0] if len(ids) == 1 else f"{len(ids)} {what}"
