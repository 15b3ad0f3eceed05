"""`replay FILE`: what can be read is told, also of a damaged file; a wrong one ends with exit code 2."""

import json
from pathlib import Path
from random import Random

import pytest

from orchestra_core.cli.failure import Failure
from orchestra_core.cli.incident.bundle import pack, write
from orchestra_core.cli.program import execute
from orchestra_core.recording.lines import VERSION
from tests.business.test_terminal import PROGRAM
from tests.fakes.filmed import Film, film
from tests.fakes.processes import clean_environment
from tests.fakes.terminal import Terminal, missing
from tests.fakes.world import World

FILM = film(90, per_block=30)
ROW = {"id": "r1", "at": FILM.shot[0].now, "verdict": "success"}
PIECES = {
    "README.txt": b"guide",
    "recording.jsonl.gz": FILM.data,
    "requests.json": json.dumps({"requests": [ROW]}).encode(),
    "decisions.jsonl": json.dumps({"request": ROW}).encode() + b"\n",
}


def ran(capsys: pytest.CaptureFixture[str], file: Path, *more: str) -> tuple[int, str, str]:
    code = execute(["replay", str(file), *more])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("bundled", [False, True])
def test_without_a_terminal_the_story_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled: bool
) -> None:
    """Of a recording and of an incident alike: from when to when, and what happened, a line each."""
    file = tmp_path / "a"
    file.write_bytes(pack(PIECES, "a", 0) if bundled else FILM.data)
    code, out, err = ran(capsys, file)
    assert (code, err) == (0, "")
    assert out.startswith("90 moments from 2026-03-02 13:02:50Z to 2026-03-02 13:04:19Z\n")
    assert "model.loading" in out
    told = json.loads(ran(capsys, file, "--json")[1])
    assert (told["moments"], told["flaws"]) == (90, [])


@pytest.mark.parametrize("share", [0.5, 0.8, 0.99])
def test_of_a_cut_incident_the_rest_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    """The recording comes before what is larger, and as much of it as is there is shown."""
    whole = pack(PIECES, "a", 0)
    file = tmp_path / "a.tar.gz"
    file.write_bytes(whole[: int(len(whole) * share)])
    code, out, err = ran(capsys, file)
    assert code == 0
    assert " moments from 2026-03-02 13:02:50Z" in out
    assert "the file is cut off" in err


def test_of_a_damaged_incident_the_rest_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever the damage is, nothing crashes, and it is said."""
    whole = pack(PIECES, "a", 0)
    file = tmp_path / "a.tar.gz"
    codes = set()
    for place in range(20, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        file.write_bytes(bytes(damaged))
        code, _, err = ran(capsys, file)
        codes.add(code)
        assert err
    assert codes <= {0, 2}


def test_a_damaged_document_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recording is replayed all the same."""
    file = tmp_path / "a.tar.gz"
    file.write_bytes(pack({**PIECES, "requests.json": b"{", "decisions.jsonl": b'{"request": 1}\n'}, "a", 0))
    code, _, err = ran(capsys, file)
    assert code == 0
    assert "requests.json is damaged" in err
    assert "decisions.jsonl is damaged" in err


def test_a_wrong_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2 and what is wrong with it."""
    strange = Film(version=VERSION + 1)
    strange.shoot(World().snapshot(), 0)
    strange.end()
    wrong = {
        "absent": (None, "cannot read"),
        "text": (b"hello", "neither a recording nor"),
        "empty": (b"", "neither a recording nor"),
        "other": (pack({"a.txt": b"x"}, "a", 0), "neither a recording nor"),
        "future": (strange.data, "format 2 of version 0.6.0; this program reads format 1"),
    }
    for name, (content, words) in wrong.items():
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        code, out, err = ran(capsys, file)
        assert (code, out) == (2, ""), name
        assert words in err
    assert ran(capsys, tmp_path)[0] == 2


@pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_at_a_terminal_it_is_the_console(tmp_path: Path, size: tuple[int, int]) -> None:
    """One sees that it is a replay, moves in it, and leaves it with exit code 0."""
    (tmp_path / "a.tar.gz").write_bytes(pack(PIECES, "a", 0))
    argv = [*PROGRAM, "replay", "a.tar.gz"]
    with Terminal(argv, clean_environment(tmp_path), tmp_path, size) as terminal:
        terminal.sees("REPLAY 13:02:5")
        terminal.keys("p")
        terminal.sees("paused")
        terminal.type(":goto 13:04")
        terminal.keys("Enter")
        terminal.sees("REPLAY 13:04:00 paused")
        terminal.keys(",")
        terminal.sees("REPLAY 13:03:59")
        assert terminal.widest <= size[0]
        terminal.keys("q")
        assert terminal.ended() == 0


def test_what_came_in_the_way_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Writing an incident makes a file that was not there, or none."""
    file = tmp_path / "a.tar.gz"
    file.write_text("mine")
    with pytest.raises(Failure, match="there already"):
        write(file, PIECES, 0)
    assert file.read_text() == "mine"


def test_damage_takes_nothing_of_what_is_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording is whole where only the log behind it is not."""
    whole = bytearray(pack({**PIECES, "log.txt": Random(1).randbytes(100_000)}, "a", 0))
    whole[-50_000] ^= 0x55
    file = tmp_path / "a.tar.gz"
    file.write_bytes(bytes(whole))
    code, out, err = ran(capsys, file)
    assert code == 0
    assert out.startswith("90 moments")
    assert "damaged" in err
