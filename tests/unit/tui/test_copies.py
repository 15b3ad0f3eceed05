"""What is copied and exported: whole, and harmless where it is opened."""

import csv
import io
import re
import shlex

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present import raw
from orchestra_tui.present.copies import as_csv, as_json, curl, harmless, member
from orchestra_tui.present.spans import plain, width
from orchestra_tui.present.subjects import ALERTS, BREAKERS, MODELS
from orchestra_tui.terminal import describe
from tests.fakes.fake_engine import World

WORLD = World().snapshot()


def test_csv_has_every_facet_in_plain_units() -> None:
    """A spreadsheet can calculate with it: bytes and seconds as numbers, and nothing where nothing is known."""
    rows = list(csv.DictReader(io.StringIO(as_csv(MODELS, WORLD.models, WORLD.now))))
    assert len(rows) == len(WORLD.models)
    for row, view in zip(rows, WORLD.models, strict=True):
        assert row["model"] == view.model
        assert row["mem"] == ("" if view.memory_bytes is None else str(view.memory_bytes))
        assert row["tok/s"] == ("" if view.tokens_per_second is None else str(view.tokens_per_second))
        assert set(row) == set(MODELS.names)
    assert len(as_csv(BREAKERS, WORLD.breakers, WORLD.now).splitlines()) == len(WORLD.breakers) + 1
    assert len(as_csv(ALERTS, WORLD.alerts, WORLD.now).splitlines()) == len(WORLD.alerts) + 1


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u202e=1", "＝1", "\x00=1"],
)
def test_no_cell_is_a_formula(cell: str) -> None:
    """What a spreadsheet would run begins with something else, and has no control characters."""
    view = msgspec.structs.replace(WORLD.models[0], model=cell)
    row = next(csv.DictReader(io.StringIO(as_csv(MODELS, [view], ""))))
    assert row["model"].lstrip()[0] not in "=+-@＝\t\r"
    assert row["model"].isprintable()
    assert cell.strip("\t\r\x00\u202e =＝+-@") in row["model"]


@given(st.text(max_size=30))
def test_whatever_a_name_is_its_cell_is_harmless(text: str) -> None:
    """Numbers stay numbers, all else that begins a formula gets an apostrophe, and lines do not break."""
    cell = harmless(text)
    assert "\n" not in cell
    if cell.lstrip()[:1] in ("=", "+", "-", "@"):
        float(cell)


def test_json_is_what_the_engine_said() -> None:
    """One object as itself, several as a list, and the same when it is read again."""
    assert msgspec.json.decode(as_json(WORLD.models[:1]), type=ModelView) == WORLD.models[0]
    assert tuple(msgspec.json.decode(as_json(WORLD.models), type=list[ModelView])) == WORLD.models


@given(st.text(max_size=300), st.integers(20, 120))
def test_raw_json_fits_and_is_never_obeyed(text: str, cells: int) -> None:
    """Any string of an object is shown in the width there is, without control characters."""
    view = msgspec.structs.replace(WORLD.models[0], model=text, tasks=(text, "x" * 200))
    for row in raw.lines(view, cells):
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain(row))
        assert width(row) <= cells or cells < 40


def test_long_values_go_on_in_the_next_line() -> None:
    """Nothing of them is cut off."""
    view = msgspec.structs.replace(WORLD.models[0], barred="word " * 60)
    shown = " ".join(plain(row).strip() for row in raw.lines(view, 60))
    assert shown.count("word") == 60
    assert '"barred": "word' in shown


def test_a_name_with_a_quote_in_it_is_set_off() -> None:
    """As every other name of the object."""
    row = raw.lines({'a "b"': 1}, 60)[1]
    assert (plain(row).strip(), row[0].tone) == ('"a \\"b\\"": 1', "accent")


def test_curl_gets_the_same_over_socket_and_network() -> None:
    """Names are quoted for the shell and for jq; a key is taken from the environment and never shown."""
    pick = member("models", "id", ['box1/it\'s "x"'])
    words = shlex.split(curl("/run/user/1 0/engine.sock", "/api/v1/snapshot", pick))
    assert words[:5] == [
        "curl",
        "-sS",
        "--unix-socket",
        "/run/user/1 0/engine.sock",
        "http://engine/api/v1/snapshot",
    ]
    assert words[5:] == ["|", "jq", '.models[] | select(.id == "box1/it\'s \\"x\\"")']
    assert curl("http://h:1/", "/livez").endswith("http://h:1/livez")
    assert "$ORCHESTRATOR_API_KEY" in curl("https://h", "/livez")


@pytest.mark.parametrize(
    ("environ", "takes"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "linux"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"TERM": "screen", "STY": "1.pts"}, False),
        ({"TERM": "screen", "STY": "1.pts", "TMUX": "/tmp/x"}, True),
    ],
)
def test_terminals_without_a_clipboard_are_known(environ: dict[str, str], takes: bool) -> None:
    """Of a console of a machine, of nothing, and of GNU screen no copy is expected."""
    assert describe(environ, False).osc52 is takes


def test_the_folder_for_files_is_that_of_the_desktop_rules() -> None:
    """XDG_STATE_HOME where it is a whole path, else below the home."""
    assert str(describe({"HOME": "/h"}, False).folder) == "/h/.local/state/ai-orchestra"
    assert str(describe({"HOME": "/h", "XDG_STATE_HOME": "/s"}, False).folder) == "/s/ai-orchestra"
    assert (
        str(describe({"HOME": "/h", "XDG_STATE_HOME": "s"}, False).folder) == "/h/.local/state/ai-orchestra"
    )
