"""A terminal that knows the control sequences our console makes, and no other.

It shows what was written, as a grid of cells, and keeps every sequence it does not know: those must have come from
somebody's text.
"""

import codecs
import re

from rich.cells import cell_len

# Everything the console, or Textual on its behalf, may write beside text. Modes: 7 wrap, 25 cursor, 1000 to 1015
# mouse, 1004 focus, 1049 second screen, 2004 pasting, 2026 whole frames, 2048 sizes in band.
_MODES = "7|25|1000|1002|1003|1004|1006|1015|1049|2004|2026|2048"
_KNOWN = re.compile(
    rf"\x1b\[\?(?:{_MODES})[hl]"
    r"|\x1b\[\?(?:2026|2048)\$p"
    r"|\x1b\[[\d;]*m"
    r"|\x1b\[(?:(?P<row>\d+);(?P<column>\d+))?H"
    r"|\x1b\[>\d+u|\x1b\[<u"
    r"|\x1b\[6n"
    r"|\x1b\]22;[a-z-]*\x07"
    r"|\x1b\]52;c;(?P<copied>[A-Za-z0-9+/=]*)\x07"
)
_MAYBE_MORE = re.compile(r"\x1b(?:\[[?<>]?[\d;$]*|\](?:[^\x07\x1b]|\x1b(?!\\))*)?$")
# Controls of bidirectional text turn what is shown around, also beside it.
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_LONGEST = 4096


class Screen:
    """Feed it what was written; `rows` is what is shown, `strange` what no sequence of the console's is.

    `unanswered` is how often it was asked where its cursor is."""

    def __init__(self, columns: int, rows: int) -> None:
        self.strange: list[str] = []
        self.copied: list[str] = []
        self.sequences = 0
        self.unanswered = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self._height = columns, rows
        self._cells = [[" "] * columns for _ in range(rows)]
        self._x = self._y = 0

    @property
    def rows(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def feed(self, data: bytes) -> None:
        text, self._rest = self._rest + self._utf8.decode(data), ""
        at = 0
        while at < len(text):
            if found := _TEXT.match(text, at):
                self._write(found[0])
                at = found.end()
            elif text[at] in "\r\n":
                self._x, self._y = 0, self._y + (text[at] == "\n")
                at += 1
            elif found := _KNOWN.match(text, at):
                self.sequences += 1
                self._obey(found)
                at = found.end()
            elif _MAYBE_MORE.match(text, at) and len(text) - at < _LONGEST:
                self._rest = text[at:]
                return
            else:
                self.strange.append(text[at : at + 24])
                at += 1

    def _obey(self, found: re.Match[str]) -> None:
        if found[0].endswith("H"):
            self._x, self._y = int(found["column"] or 1) - 1, int(found["row"] or 1) - 1
        elif found[0].endswith("n"):
            self.unanswered += 1
        elif found["copied"] is not None:
            self.copied.append(found["copied"])
        elif found[0].startswith("\x1b[?1049"):
            self.resize(self.columns, self._height)

    def _write(self, text: str) -> None:
        if not 0 <= self._y < self._height:
            return
        row = self._cells[self._y]
        for char in text:
            wide = cell_len(char)
            if wide == 0 or self._x + wide > self.columns:
                # A mark joins the cell before it; what is beyond the edge is not seen: wrapping is off.
                if wide == 0 and 0 < self._x <= self.columns:
                    row[self._x - 1] += char
                continue
            row[self._x] = char
            if wide == 2:
                row[self._x + 1] = ""
            self._x += wide
