"""Requests and events as they are drawn, as text to be read in a review.

`python -m tests.fakes.log_pictures` writes them anew into tests/unit/tui/pictures.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.happenings import rows
from orchestra_tui.present.happenings.entry import Told, merged, of_action
from orchestra_tui.present.requests.detail import about, whole
from orchestra_tui.present.requests.rows import Painter
from orchestra_tui.present.spans import Line, plain
from tests.fakes.request_log import ACTIONS, ENDED, LIVE, NOW, RETRIED
from tests.fakes.world import World

FOLDER = Path(__file__).parents[1] / "unit" / "tui" / "pictures"


def _text(lines: Iterable[Line]) -> str:
    return "\n".join(plain(row).rstrip() for row in lines) + "\n"


def _log(cells: int) -> str:
    head, drawn = Painter().table((*LIVE, *ENDED[::-1]), cells, UNICODE, NOW)
    return _text([head, *(row for _, row in drawn)])


def _events(cells: int) -> str:
    things = merged(Told().rows(World().snapshot().events), map(of_action, ACTIONS), "all")
    head, drawn = rows.table(things, cells, UNICODE, NOW)
    return _text([head, *(row for _, row in drawn)])


PICTURES: dict[str, Callable[[], str]] = {
    "requests-80": lambda: _log(80),
    "requests-118": lambda: _log(118),
    "request-78": lambda: _text(whole(RETRIED.request, RETRIED, "", "USD", 78, UNICODE)),
    "request-36": lambda: _text(about(ENDED[-1], "USD", 36, UNICODE)),
    "running-78": lambda: _text(about(LIVE[1], "USD", 78, UNICODE)),
    "events-80": lambda: _events(80),
    "events-118": lambda: _events(118),
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.txt").write_text(draw(), encoding="utf-8")
