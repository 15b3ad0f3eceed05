"""What the feed tells the application, as Textual messages."""

from dataclasses import dataclass

from textual.message import Message

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.connection import Lost


@dataclass
class SnapshotArrived(Message):
    """A new picture of the engine; it is frozen and replaces the one before."""

    snapshot: Snapshot


@dataclass
class EventArrived(Message):
    event: Event


@dataclass
class LinkLost(Message):
    """The stream broke or could not be opened; the feed tries again by itself."""

    lost: Lost


@dataclass
class CommandGiven(Message):
    """A line of the command prompt was entered."""

    text: str


@dataclass
class CandidatesFound(Message):
    """What the line that is typed can become; `at` is the one it is now, -1: none. Empty: nothing to show."""

    lines: tuple[str, ...]
    at: int


@dataclass
class CommandClosed(Message):
    """The command or filter prompt was left."""


@dataclass
class FilterChanged(Message):
    text: str


@dataclass
class PromptGiven(Message):
    """A playground prompt was sent."""

    text: str


@dataclass
class PromptRecalled(Message):
    """An arrow beyond the first or last line of the prompt; `by` is 1 for an older one."""

    by: int


@dataclass
class PromptLeft(Message):
    """Escape in the playground's prompt."""


@dataclass
class SelectionLost(Message):
    """The selected row's object no longer exists."""

    key: str
