"""One thing a user can do."""

import msgspec


class Action(msgspec.Struct, frozen=True):
    """`keys` are key names; `shown` is how help writes them; `rank` orders the footer (0: not in it).

    `views` empty means every view. `place` is `view`, or `prompt` while the playground's prompt is focused.
    `mutates` marks what changes the engine: such an action never has a lower-case key.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    label: str
    help: str
    call: str
    views: tuple[str, ...] = ()
    rank: int = 0
    place: str = "view"
    mutates: bool = False
    command: str = ""
    palette: bool = True
    priority: bool = False
    """Taken before the next key is looked at: text typed at once after it must not be read as keys."""
