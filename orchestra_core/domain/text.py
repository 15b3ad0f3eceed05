"""The one sanitiser for strings that came from outside, before they reach a terminal or a log.

Works character by character and keeps no state, so an escape sequence split over two tokens is harmless.
Sources of the set: ECMA-48 control functions, Unicode bidi controls (CVE-2021-42574), tag characters.
"""

import re
import unicodedata
from functools import lru_cache

MAX_LINE = 8192
MAX_MARKS = 8
_SHORT = 128

_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u180e\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_LONG = re.compile(rf"[^\n]{{{MAX_LINE + 1},}}")


def safe_text(s: str) -> str:
    """`s` without anything a terminal would obey: controls are shown, not sent; newline and tab stay.

    NFC; escape becomes a visible sign, other controls `\\xNN` or `\\uNNNN`; Unicode tags vanish, lone
    surrogates become U+FFFD; at most 8 combining marks follow each other; a line ends at 8192 characters.
    """
    if len(s) <= MAX_LINE and s.isascii() and s.isprintable():
        return s
    s = s.replace("\r\n", "\n")
    if not s.isascii():
        s = _limit_marks(unicodedata.normalize("NFC", s))
    s = _BAD.sub(_shown, s)
    return _LONG.sub(lambda found: found.group()[:MAX_LINE] + "…", s) if len(s) > MAX_LINE else s


def one_line(s: str) -> str:
    """`safe_text` for a table cell or a log line: newlines and tabs become single spaces."""
    if len(s) <= MAX_LINE and s.isascii() and s.isprintable():
        return s
    return _one_short_line(s) if len(s) <= _SHORT else _one_line(s)


def _one_line(s: str) -> str:
    return safe_text(s).replace("\n", " ").replace("\t", " ")


# Tables show the same symbols and names second after second.
_one_short_line = lru_cache(maxsize=1024)(_one_line)


def _shown(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code == 0x1B:
        return "␛"
    if code >= 0xE0000:
        return ""
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _limit_marks(s: str) -> str:
    kept: list[str] = []
    run = 0
    for char in s:
        run = run + 1 if unicodedata.combining(char) or unicodedata.category(char) == "Me" else 0
        if run <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)
