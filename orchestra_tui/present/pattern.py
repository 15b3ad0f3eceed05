"""Regular expressions that cannot be slow.

Python's `re` backtracks: a hostile or careless filter could hold the console for hours. Here the expression becomes
a set of places (Glushkov's construction) of which each character of a text moves all at once, so that the time is at
most places times characters. What needs backtracking (back references, look-around) is refused in words.
"""

import string
from collections.abc import Callable
from functools import lru_cache

# Each place costs time with each character; nobody types a filter that needs more.
PLACES = 64
CHARACTERS = 2000
DEEPEST = 16
_ATOMS = 1000
_CACHED = 4096
_START, _END = "\x02", "\x03"
_SPECIAL = frozenset("*+?|()[]{}^$\\")
_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdigit,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}
_PLAIN = {"t": "\t", "n": "\n", "r": "\r"}


class PatternError(ValueError):
    """Why a text is no expression, in words for its author."""


class _Part:
    """A part of the expression: can it be empty, where does it begin and end (sets of places, as bits)."""

    __slots__ = ("empty", "first", "last")

    def __init__(self, empty: bool, first: int, last: int) -> None:
        self.empty, self.first, self.last = empty, first, last


class Pattern:
    """A compiled expression; `found` says whether it occurs in a text, whatever the case of the letters."""

    def __init__(self, text: str) -> None:
        reader = _Reader(text.lower(), _spelt(text))
        whole = reader.read()
        self._always = whole.empty
        self._first, self._last = whole.first, whole.last
        self._follow, self._takes = reader.follow, reader.takes
        self._masks: dict[str, int] = {}
        self._next: dict[int, int] = {}

    def found(self, text: str) -> bool:
        """Whether it matches anywhere; only the first 2000 characters are looked at."""
        if self._always:
            return True
        places = 0
        for char in f"{_START}{text[:CHARACTERS].lower()}{_END}":
            places = (self._after(places) | self._first) & self._mask(char)
            if places & self._last:
                return True
        return False

    def _after(self, places: int) -> int:
        known = self._next.get(places)
        if known is None:
            if len(self._next) >= _CACHED:
                self._next.clear()
            known = 0
            for index, follow in enumerate(self._follow):
                if places >> index & 1:
                    known |= follow
            self._next[places] = known
        return known

    def _mask(self, char: str) -> int:
        known = self._masks.get(char)
        if known is None:
            if len(self._masks) >= _CACHED:
                self._masks.clear()
            known = sum(1 << index for index, takes in enumerate(self._takes) if takes(char))
            self._masks[char] = known
        return known


@lru_cache(maxsize=64)
def compiled(text: str) -> Pattern:
    """The pattern of a text; raises `PatternError`."""
    return Pattern(text)


def is_expression(text: str) -> bool:
    """Whether a word is meant as an expression: a dot alone, as in most names of models, is just a dot."""
    return any(char in _SPECIAL for char in text)


def _spelt(text: str) -> str:
    """The text as it was typed, as long as its lower-case form: `\\W` and `\\w` differ."""
    return text if len(text) == len(text.lower()) else text.lower()


class _Reader:
    """Reads an expression once, from left to right; places are numbered as they come."""

    def __init__(self, text: str, spelt: str) -> None:
        self._text, self._spelt = text, spelt
        self._at = 0
        self._depth = 0
        self._read = 0
        self.takes: list[Callable[[str], bool]] = []
        self.follow: list[int] = []

    def read(self) -> _Part:
        if len(self._text) > CHARACTERS:
            raise PatternError("it is too long")
        whole = self._choice()
        if self._at < len(self._text):
            raise PatternError("a ) without a (")
        return whole

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, what: str) -> str:
        if self._at >= len(self._text):
            raise PatternError(what)
        self._at += 1
        return self._text[self._at - 1]

    def _choice(self) -> _Part:
        whole = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            whole = _Part(whole.empty or other.empty, whole.first | other.first, whole.last | other.last)
        return whole

    def _sequence(self) -> _Part:
        whole = _Part(True, 0, 0)
        while self._peek() not in ("", "|", ")"):
            whole = self._joined(whole, self._repeated())
        return whole

    def _joined(self, left: _Part, right: _Part) -> _Part:
        self._link(left.last, right.first)
        return _Part(
            left.empty and right.empty,
            left.first | (right.first if left.empty else 0),
            right.last | (left.last if right.empty else 0),
        )

    def _link(self, ends: int, begins: int) -> None:
        for index in range(len(self.follow)):
            if ends >> index & 1:
                self.follow[index] |= begins

    def _repeated(self) -> _Part:
        begin = self._at
        part = self._atom()
        end = self._at
        sign = self._peek()
        if sign not in ("*", "+", "?", "{"):
            return part
        least, most = self._times(sign)
        if self._peek() == "?":  # how greedy it is makes no difference to whether it matches
            self._at += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError(f"nothing to repeat before {self._peek()}")
        return self._copies(part, (begin, end), least, most)

    def _copies(self, part: _Part, where: tuple[int, int], least: int, most: int | None) -> _Part:
        """`part` so many times; each time more is read anew, with places of its own."""
        after = self._at
        times = max(least, 1 if most is None else most)
        whole = _Part(True, 0, 0)
        for index in range(times):
            if index:
                self._at = where[0]
                part = self._atom()
            if most is None and index == times - 1:
                self._link(part.last, part.first)
            own = part if index < least else _Part(True, part.first, part.last)
            whole = self._joined(whole, own)
        self._at = after
        return whole

    def _times(self, sign: str) -> tuple[int, int | None]:
        self._at += 1
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        inside = ""
        while (char := self._take("a { without a }")) != "}":
            inside += char
        low, comma, high = inside.partition(",")
        if not all(part.isdecimal() and part.isascii() for part in (low, high) if part) or not inside.strip(
            ","
        ):
            raise PatternError("{} needs numbers")
        least = int(low[:4] or 0)
        most = (int(high[:4]) if high else None) if comma else least
        if max(least, most or 0) > PLACES or (most is not None and most < least):
            raise PatternError(f"{{{inside}}} repeats too often")
        return least, most

    def _atom(self) -> _Part:
        self._read += 1  # nothing at all, repeated again and again, takes no places but time
        if self._read > _ATOMS:
            raise PatternError("it is too long")
        char = self._take("it ends too early")
        if char == "(":
            return self._group()
        if char == "[":
            return self._place(self._set())
        if char == "\\":
            return self._place(self._escape())
        if char in "*+?{":
            raise PatternError(f"nothing to repeat before {char}")
        if char in "^$":
            edge = _START if char == "^" else _END
            return self._place(lambda read: read == edge)
        if char == ".":
            return self._place(lambda read: read not in (_START, _END))
        return self._place(lambda read: read == char)

    def _group(self) -> _Part:
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise PatternError("(? is not supported")
            self._at += 2
        self._depth += 1
        if self._depth > DEEPEST:
            raise PatternError("too many ( inside each other")
        inside = self._choice()
        self._depth -= 1
        if self._take("a ( without a )") != ")":
            raise PatternError("a ( without a )")
        return inside

    def _place(self, takes: Callable[[str], bool]) -> _Part:
        if len(self.takes) >= PLACES:
            raise PatternError("it is too long")
        self.takes.append(takes)
        self.follow.append(0)
        bit = 1 << (len(self.takes) - 1)
        return _Part(False, bit, bit)

    def _escape(self) -> Callable[[str], bool]:
        """What a backslash and the next character stand for."""
        self._take("a \\ at the end")
        char = self._spelt[self._at - 1]
        known = _CLASSES.get(char.lower())
        if known is not None:
            return known if char.islower() else lambda read: not known(read) and read not in (_START, _END)
        if char in _PLAIN:
            return lambda read: read == _PLAIN[char]
        if char in string.ascii_letters + string.digits:
            raise PatternError(f"\\{char} is not supported")
        return lambda read: read == char

    def _set(self) -> Callable[[str], bool]:
        unclosed = "a [ without a ]"
        negative = self._peek() == "^"
        self._at += negative
        kinds: list[Callable[[str], bool]] = []
        ranges: list[tuple[str, str]] = []
        begin = self._at
        while (char := self._take(unclosed)) != "]" or self._at == begin + 1:
            if char == "\\":
                kinds.append(self._escape())
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                ranges.append((char, self._take(unclosed)))
            else:
                ranges.append((char, char))
        if any(high < low for low, high in ranges):
            raise PatternError("a range that runs backwards")

        def takes(read: str) -> bool:
            if read in (_START, _END):
                return False
            inside = any(low <= read <= high for low, high in ranges) or any(kind(read) for kind in kinds)
            return inside is not negative

        return takes
