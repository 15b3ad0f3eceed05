"""Rows of what happened, where there is little room for them."""

import pytest

from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.happenings.entry import Happening
from orchestra_tui.present.happenings.rows import table
from orchestra_tui.present.spans import plain

NOW = "2026-03-02T13:00:00.000Z"


def drawn(cells: int, **told: str) -> str:
    one = Happening("k", NOW, "engine", result="error", **told)
    return plain(table([one], cells, UNICODE, NOW)[1][0][1])


@pytest.mark.parametrize(
    ("told", "narrow", "wide"),
    [
        (
            {"what": "model.ready", "subject": "box1/qwen:7b", "text": "qwen:7b is ready after 3 s"},
            " qwen:7b is ready after 3 s",
            " box1/qwen:7b qwen:7b is ready after 3 s",
        ),
        (
            {"what": "model.loading", "subject": "box1/qwen:7b", "text": "needs 9.0G"},
            " qwen:7b needs 9.0G",
            " box1/qwen:7b needs 9.0G",
        ),
        (
            {"what": "request.failed", "subject": "req-1", "text": "box1/qwen:7b: failed: it broke"},
            " failed: it broke  qwen:7b",
            " box1/qwen:7b: failed: it broke  req-1",
        ),
        (
            {"what": "request.failover", "subject": "req-1", "text": "timed out: slow"},
            " timed out: slow  req-1",
            " timed out: slow  req-1",
        ),
    ],
)
def test_where_there_is_little_room_it_is_for_what_happened(
    told: dict[str, str], narrow: str, wide: str
) -> None:
    """Not for the backend in front of its model, nor for the model twice; of a request why comes before where."""
    assert drawn(80, **told).endswith(narrow)
    assert drawn(160, **told).endswith(wide)
