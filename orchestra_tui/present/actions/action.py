"""One thing a user can do."""

import msgspec

_SIGNS = {
    "question_mark": "?",
    "colon": ":",
    "semicolon": ";",
    "slash": "/",
    "backslash": "\\",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "asterisk": "*",
    "exclamation_mark": "!",
    "number_sign": "#",
    "underscore": "_",
    "vertical_line": "|",
    "tilde": "~",
}


def sign(key: str) -> str:
    """A key as it is written on screens."""
    return _SIGNS.get(key, key)


class Action(msgspec.Struct, frozen=True):
    """`keys` are key names, `told` how help writes them where that is not all of them in their order; `rank` orders the
    footer (0: not in it).

    `views` empty means every view. `place` is `view`, or `prompt` while the playground's prompt is focused.
    `mutates` marks what changes the engine: such an action never has a lower-case key.
    """

    id: str
    keys: tuple[str, ...]
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
    told: str = ""

    @property
    def shown(self) -> str:
        """Its keys as they are written on screens."""
        return self.told or " ".join(map(sign, self.keys))
