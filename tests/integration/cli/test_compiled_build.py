"""What `make fast` makes: used where the sources are those it was made of, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compiled.making import BuildError, compiler, make

_SOURCE = '''"""Counts."""


def total(numbers: list[int]) -> int:
    """Their sum."""
    found = 0
    for number in numbers:
        found += number
    return found
'''
_PROBE = """
import tiny.counting
import orchestra_fast
print(tiny.counting.__file__.rpartition(".")[2], tiny.counting.total([1, 2, 3]), orchestra_fast.build.problem)
"""

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler here")


def package(root: Path) -> None:
    (root / "tiny").mkdir(parents=True)
    (root / "tiny" / "__init__.py").write_text(
        'import importlib\n\nimportlib.import_module("orchestra_fast")\n'
    )
    (root / "tiny" / "counting.py").write_text(_SOURCE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a build of one module; its sources are in `sources` beside it."""
    place = tmp_path_factory.mktemp("fast")
    package(place / "sources")
    make(place / "sources", ("tiny.counting",), place / "into")
    return place / "into"


def probe(built: Path, sources: Path, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=sources,
        env={"PATH": "", "PYTHONPATH": os.pathsep.join((str(built), str(sources))), **environment},
    )
    return ran.stdout.strip()


def test_a_build_is_used_where_the_sources_are_its_own(built: Path) -> None:
    """The compiled module is found before its source and does the same."""
    assert probe(built, built.parent / "sources") == "so 6"


def test_a_build_of_other_sources_is_left_alone(built: Path, tmp_path: Path) -> None:
    """A source that changed since is what runs, and the build says why it does not."""
    package(tmp_path)
    (tmp_path / "tiny" / "counting.py").write_text(_SOURCE.replace("found = 0", "found = 10"))
    assert probe(built, tmp_path).startswith("py 16 tiny/counting.py has changed")


def test_the_sources_run_where_the_user_says_so(built: Path) -> None:
    """ORCHESTRA_PURE=1 leaves the build unused."""
    assert probe(built, built.parent / "sources", ORCHESTRA_PURE="1") == "py 6 ORCHESTRA_PURE is set"


def test_a_build_that_cannot_be_imported_is_none(tmp_path: Path) -> None:
    """What fails only when it is imported fails when it is made."""
    package(tmp_path / "sources")
    (tmp_path / "sources" / "tiny" / "counting.py").write_text(_SOURCE + "\n\n1 // total([])\n")
    with pytest.raises(BuildError, match="cannot be imported"):
        make(tmp_path / "sources", ("tiny.counting",), tmp_path / "into")
    assert not (tmp_path / "into" / "orchestra_fast").exists()


def test_a_build_that_fails_leaves_what_was_there(built: Path, tmp_path: Path) -> None:
    """A mistake is told in the compiler's words, and the build before it goes on being used."""
    package(tmp_path)
    (tmp_path / "tiny" / "counting.py").write_text("def wrong(:\n")
    with pytest.raises(BuildError, match=r"counting\.py:1: error"):
        make(tmp_path, ("tiny.counting",), built)
    assert probe(built, built.parent / "sources") == "so 6"
