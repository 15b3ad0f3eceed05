"""The filter language of every list: what is typed after `/`, and whether a row passes.

    qwen coder          both words, anywhere
    !embed              not this word
    ^qwen.*(7|14)b      an expression; `"a b"` is taken as it is
    state:ready         in one field; `state:!ready` or `!state:ready` not in it; `state:ready,loading` either
    status:5            a number begins so
    tok/s>20  mem>=4g   a number of a field; `last<5m` a time

What is being typed passes everything until it says something, and nothing that is typed is an error: what cannot be
read as an expression is looked for as it stands, and `mistake` says so.
"""

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

import msgspec

from orchestra_tui.present.pattern import PatternError, compiled, is_expression

# A filter is typed by a person; what is longer was pasted by mistake.
LONGEST = 300
_TERM = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_FIELD = re.compile(r"(?P<name>[a-z][a-z0-9_./-]*)(?P<sign>:|<=|>=|<|>|=)(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"(-?\d{1,15}(?:\.\d{1,9})?)\s?([a-zA-Z%]{0,3})$")
_TIME = re.compile(r"(\d{1,6})m ?(\d\d?)s$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1.0, "b": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3, "t": 1024.0**4, "%": 1.0}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}


class Word(msgspec.Struct, frozen=True):
    """Text to find; `expression`: as a pattern, which is known to be one."""

    text: str
    expression: bool = False

    def found(self, text: str) -> bool:
        if self.expression:
            return compiled(self.text).found(text)
        return self.text in text.lower()

    def held(self, value: str) -> bool:
        """Whether it is in a field's value; of a number it is the beginning: 5 is not in 450."""
        if value.isdecimal() and self.text.isdecimal():
            return value.startswith(self.text)
        return self.found(value)


class Term(msgspec.Struct, frozen=True):
    """One condition. `whole` is what is looked for where rows have no field of that name: names have colons too."""

    whole: Word
    field: str = ""
    sign: Literal["", ":", "<", ">", "<=", ">=", "="] = ""
    words: tuple[Word, ...] = ()
    number: str = ""
    negative: bool = False
    inner: bool = False
    """The `!` stands after the colon."""

    def passes(self, text: str, fields: Mapping[str, str]) -> bool:
        if self.field not in fields:
            return (self.whole.text in ("", "!") or self.whole.found(text)) is not self.negative
        held = fields[self.field]
        if self.sign == ":":
            found = any(word.held(held) for word in self.words)
            return not self.words or found is not (self.negative ^ self.inner)
        return not self.number or _compared(held, self.sign, self.number) is not self.negative


class Query(msgspec.Struct, frozen=True):
    """What was typed, read. All terms must pass; `mistake` says what could not be read as it was meant."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    mistake: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def matches(self, text: str, fields: Mapping[str, str] = {}) -> bool:
        """Whether a row passes: `text` is all that words look at, `fields` are its values by lower-case name."""
        return all(term.passes(text, fields) for term in self.terms)

    @property
    def chip(self) -> str:
        """For a title: what is filtered by, and what is wrong with it; empty without a filter."""
        if not self:
            return ""
        return f"filter: {self.text.strip()}" + (f" ({self.mistake})" if self.mistake else "")


def parse(text: str, names: Collection[str] | None = None) -> Query:
    """Reads a filter; whatever the text is, there is an answer, in time that grows with its length only.

    `names` are the fields that there are; without them what looks like a field is one where a row has it.
    """
    mistakes: list[str] = []
    if len(text) > LONGEST:
        mistakes.append(f"only the first {LONGEST} characters count")
    terms = []
    for found in _TERM.finditer(text[:LONGEST]):
        term = _term(found[0], names, mistakes)
        if term is not None:
            terms.append(term)
    return Query(text[:LONGEST], tuple(terms), mistakes[0] if mistakes else "")


def complete(text: str, fields: Mapping[str, Iterable[str]]) -> str | None:
    """The whole line that the last word begins: a field with its colon, or one of the field's known values."""
    words = text[:LONGEST].split()
    last = words[-1] if words and not text[-1:].isspace() and len(text) <= LONGEST else ""
    head = text.removesuffix(last) if last else text
    sign = "!" if last.startswith("!") else ""
    name, colon, value = last.removeprefix("!").partition(":")
    if colon:
        before, comma, typed = value.rpartition(",")
        inner = "!" if typed.startswith("!") else ""
        wanted = typed.removeprefix("!").lower()
        known = (
            one for one in fields.get(name, ()) if one.lower().startswith(wanted) and one.lower() != wanted
        )
        whole = next((one for one in known if not re.search(r"[\s\"]", one)), None)
        return None if whole is None else f"{head}{sign}{name}:{before}{comma}{inner}{whole}"
    whole = next((one for one in fields if name and one.startswith(name)), None)
    return None if whole is None else f"{head}{sign}{whole}:"


def _term(typed: str, names: Collection[str] | None, mistakes: list[str]) -> Term | None:
    negative = typed.startswith("!")
    rest = typed[1:] if negative else typed
    if not rest:
        return None
    parts = _FIELD.fullmatch(rest.lower())
    if parts is None or (names is not None and parts["name"] not in names):
        return Term(_word(rest, mistakes), negative=negative)
    value = rest[parts.start("value") :]
    whole = _word(rest, [])
    if parts["sign"] != ":":
        if value and _value(value, "") is None:
            mistakes.append(f"{value} is not a number")
            value = ""
        sign = parts["sign"]
        return Term(whole, parts["name"], sign, number=value, negative=negative)  # type: ignore[arg-type]  # _FIELD has no others
    inner = value.startswith("!")
    words = _alternatives(value[inner:], mistakes)
    return Term(whole, parts["name"], ":", words, negative=negative, inner=inner)


def _alternatives(value: str, mistakes: list[str]) -> tuple[Word, ...]:
    # Inside an expression a comma is its own: {1,3}.
    pieces = [value] if value.startswith('"') or is_expression(value) else value.split(",")
    return tuple(_word(piece, mistakes) for piece in pieces if piece)


def _word(typed: str, mistakes: list[str]) -> Word:
    if '"' in typed:
        return Word(typed.replace('"', "").lower())
    if not is_expression(typed):
        return Word(typed.lower())
    try:
        compiled(typed)
    except PatternError as error:
        mistakes.append(f"regex: {error}; as text")
        return Word(typed.lower())
    return Word(typed, expression=True)


def _compared(held: str, sign: str, wanted: str) -> bool:
    """What is not known is neither more nor less than anything."""
    mine = _value(held, "")
    theirs = None if mine is None else _value(wanted, held)
    return mine is not None and theirs is not None and _COMPARE[sign](mine, theirs)


def _value(text: str, like: str) -> float | None:
    """A number with its unit, in units in which those of one field compare. `like`: 5m are minutes beside `3s` or
    `2h`, and mega beside `3.1G`: the console writes times in lower case and sizes in upper case."""
    minutes = _TIME.match(text)
    if minutes:
        return int(minutes[1]) * 60.0 + int(minutes[2])
    found = _NUMBER.match(text.strip())
    if found is None:
        return None
    unit = found[2]
    timed = _is_time(like) if like else _is_time(text)
    scale = (_SECONDS if timed else _SIZES).get(unit.lower())
    if scale is None and not like:
        scale = _SIZES.get(unit.lower(), _SECONDS.get(unit.lower()))
    return None if scale is None and unit else float(found[1]) * (scale or 1.0)


def _is_time(text: str) -> bool:
    found = _NUMBER.match(text.strip())
    return bool(_TIME.match(text)) or (found is not None and found[2] in _SECONDS)
