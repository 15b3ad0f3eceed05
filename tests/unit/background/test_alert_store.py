"""The file that keeps silences and what was delivered, and how much room there is on disks."""

import os
import stat
from pathlib import Path

import pytest

from orchestra_core.alerting.alert import Kept, Note
from orchestra_core.alerting.board import Memory
from orchestra_core.alerting.silences import Silence
from orchestra_core.background.alert_store import AlertStore
from orchestra_core.background.disks import read_disks

SOME = Memory(
    (Silence("memory", 5.0, "ann", "moving", 1.0),),
    (Kept("disk", "state", 2, 2, 3.0, "full", Note("bob", "", 4.0)),),
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """In a private file, which is replaced as a whole."""
    store = AlertStore(tmp_path / "state" / "alerts.json")
    assert store.load() == (Memory(), "")
    assert store.save(SOME, 1) == ""
    assert store.load() == (SOME, "")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert os.listdir(store.path.parent) == ["alerts.json"]


def test_an_older_version_that_comes_late_is_left_out(tmp_path: Path) -> None:
    """A write of a thread may end after that of an engine that stops."""
    store = AlertStore(tmp_path / "alerts.json")
    store.save(SOME, 2)
    store.save(Memory(), 1)
    assert store.load() == (SOME, "")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"silences": 3}', b"\xff\xfe", b'{"alerts": [{"rule": "x"}]}']
)
def test_what_cannot_be_read_is_put_aside(tmp_path: Path, content: bytes) -> None:
    """It is told and kept, and the next write has room."""
    store = AlertStore(tmp_path / "alerts.json")
    store.path.write_bytes(content)
    memory, problem = store.load()
    assert memory == Memory()
    assert "put aside as alerts.json.unreadable" in problem
    assert (tmp_path / "alerts.json.unreadable").read_bytes() == content
    assert store.save(SOME, 1) == ""


def test_what_cannot_be_written_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    """Its place is taken by a directory: as good as a disk that says no."""
    store = AlertStore(tmp_path / "alerts.json")
    store.save(SOME, 1)
    (tmp_path / "alerts.json.new").mkdir()
    assert "silences would be forgotten by a restart" in store.save(Memory(), 2)
    assert store.load() == (SOME, "")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Somebody else may have put it there."""
    store = AlertStore(tmp_path / "alerts.json")
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "alerts.json.new").symlink_to(target)
    assert store.save(SOME, 1) != ""
    assert target.read_text() == "mine"


def test_each_disk_is_told_once_and_places_to_come_count(tmp_path: Path) -> None:
    """A directory that is not made yet is where its parent is."""
    (disk,) = read_disks({"state": tmp_path / "not" / "yet", "database": tmp_path})
    assert (disk.name, disk.path) == ("state", str(tmp_path / "not" / "yet"))
    assert 0 < disk.free < disk.total
