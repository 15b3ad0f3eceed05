"""Everything printed: text for people, JSON for programs, nothing a terminal would obey."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

import click
import msgspec

from orchestra_core.domain.text import one_line, safe_text

# Legal in JSON text and yet obeyed by terminals: delete, C1 controls, bidi controls, line separators.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_STATES = {
    "healthy": "green",
    "running": "green",
    "connected": "green",
    "available": "green",
    "up": "green",
    "ok": "green",
    "degraded": "yellow",
    "loading": "yellow",
    "half_open": "yellow",
    "warn": "yellow",
    "unhealthy": "red",
    "unavailable": "red",
    "down": "red",
    "open": "red",
    "fail": "red",
    "critical": "red",
    "warning": "yellow",
    "firing": "red",
    "resolved": "green",
}


class Printer:
    """Prints in the chosen format; `colours` follows NO_COLOR and whether a terminal listens."""

    def __init__(self, as_json: bool, environ: Mapping[str, str]) -> None:
        self.as_json = as_json
        self._dumb = environ.get("TERM") == "dumb"
        self._passing = False
        self._plain = bool(environ.get("NO_COLOR")) or self._dumb

    def data(self, value: object) -> None:
        """One JSON document."""
        click.echo(spell_json(value, indent=2))

    def result(self, value: object, *lines: str) -> None:
        """What came of a command: one JSON document, or these lines for people."""
        if self.as_json:
            self.data(value)
            return
        for line in lines:
            self.line(line)

    def event(self, value: object) -> None:
        """One line of a stream of JSON."""
        click.echo(spell_json(value))

    def line(self, text: str = "") -> None:
        click.echo(safe_text(text))

    def piece(self, text: str) -> None:
        """Part of a streamed answer, at once and without a line end."""
        click.echo(safe_text(text), nl=False)
        sys.stdout.flush()

    def talk(self, text: str) -> None:
        """What is not data: progress, hints, reasons."""
        click.echo(self.paint(safe_text(text), sys.stderr, dim=True), err=True)

    @property
    def watched(self) -> bool:
        """Whether somebody sees what is said beside the data, on a terminal that can take a line back."""
        return sys.stderr.isatty() and not self._dumb

    def passing(self, text: str = "") -> None:
        """A line on that terminal that the next takes the place of; an empty one takes it away."""
        if self.watched and (text or self._passing):
            self._passing = bool(text)
            fits = one_line(text)[: shutil.get_terminal_size().columns - 1]
            click.echo(f"\r\x1b[K{self.paint(fits, sys.stderr, dim=True)}", nl=False, err=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their content; a cell that names a state is coloured."""
        cells = [[one_line(cell) for cell in row] for row in rows]
        widths = [max(len(row[at]) for row in [list(heads), *cells]) for at in range(len(heads))]
        padded = [head.ljust(width) for head, width in zip(heads, widths, strict=True)]
        click.echo(self.paint("  ".join(padded).rstrip(), bold=True))
        for row in cells:
            texts = (self._cell(cell, width) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(texts).rstrip())

    def state(self, text: str) -> str:
        """A state's name in its colour."""
        return self.paint(one_line(text), fg=_STATES.get(text))

    def paint(self, text: str, stream: IO[str] | None = None, **style: Any) -> str:
        target = stream or sys.stdout
        return text if self._plain or not target.isatty() else click.style(text, **style)

    def _cell(self, cell: str, width: int) -> str:
        return self.state(cell) + " " * (width - len(cell)) if cell in _STATES else cell.ljust(width)


def spell_json(value: object, indent: int = 0) -> str:
    """JSON that is safe to look at: what a terminal would obey is written as an escape, still valid JSON."""
    raw = msgspec.json.encode(value)
    text = (msgspec.json.format(raw, indent=indent) if indent else raw).decode()
    return _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
