"""A verb of the command line and what a line with it means."""

from collections.abc import Callable, Sequence

import msgspec

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.deeds.deed import Deed
from orchestra_tui.present.picture import Picture


class Command(msgspec.Struct, frozen=True):
    """`call` is an action to run; or `deed` makes what is done to the engine; or `verb` works on `target`."""

    verb: str
    target: str = ""
    call: str = ""
    deed: Callable[[Picture], Deed] | None = None


class Mistake(msgspec.Struct, frozen=True):
    """A sentence that says what is wrong with the line."""

    message: str


class Verb(msgspec.Struct, frozen=True):
    """`completed` are whole rests of a line that make sense; `meant` reads the rest that was typed, maybe empty."""

    name: str
    usage: str
    completed: Callable[[Snapshot | None], Sequence[str]]
    meant: Callable[[str, Snapshot | None], Command | Mistake]
