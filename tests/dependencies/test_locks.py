"""What gets installed: pinned, hashed, from no named registry, and what the project says it needs."""

import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestra_core import __version__

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "dev")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def text(lock: str) -> str:
    return (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    found = (PINNED.match(line) for line in text(lock).splitlines())
    return {canonicalize_name(match.group(1)): match.group(2) for match in found if match}


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    return [
        Requirement(line)
        for line in (*project["dependencies"], *project["optional-dependencies"]["embedded"])
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_or_a_hash(lock: str) -> None:
    """No address of a registry, no option, no range: only exact versions with their hashes."""
    assert [line for line in text(lock).splitlines() if not PINNED.match(line) and not HASH.match(line)] == []
    assert len(pins(lock)) > 20


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    """pip refuses the whole lock for one requirement without a hash."""
    lines = text(lock).splitlines()
    assert all(
        HASH.match(after) for line, after in zip(lines, [*lines[1:], ""], strict=True) if PINNED.match(line)
    )


def test_the_development_lock_contains_the_other_unchanged() -> None:
    """Tests run with exactly the versions that users get."""
    run, dev = pins("run"), pins("dev")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_what_the_project_requires_is_locked_and_fits(requirement: Requirement) -> None:
    """Each requirement, the embedded extra's included, is in the lock at a version it allows."""
    version = pins("run")[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_the_pins_that_were_promised_hold() -> None:
    """The screen libraries are pinned as agreed, and the extras are the four that were named."""
    dependencies = PROJECT["project"]["dependencies"]
    assert "textual==8.2.8" in dependencies
    assert "plotext>=5.3.2,<6" in dependencies
    assert set(PROJECT["project"]["optional-dependencies"]) == {"embedded", "postgres", "redis", "gpu"}
    assert PROJECT["project"]["license"] == "MIT"


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_what_is_locked_is_what_is_installed_and_importable(requirement: Requirement) -> None:
    """The environment has a fitting version of each requirement, and the package loads."""
    if requirement.marker and not requirement.marker.evaluate():
        pytest.skip(f"not for this platform: {requirement.marker}")
    assert requirement.specifier.contains(importlib.metadata.version(requirement.name))
    name = requirement.name.replace("-", "_")
    assert importlib.import_module(name).__name__ == name


def test_the_version_is_written_once() -> None:
    """pyproject.toml reads the version from the package."""
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "orchestra_core/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("file", ["pyproject.toml", "Makefile", ".ci/run", "locks/run.txt", "locks/dev.txt"])
def test_no_file_that_installs_names_a_registry(file: str) -> None:
    """Whoever installs decides where from: no index, no links, no extra host."""
    content = (ROOT / file).read_text(encoding="utf-8")
    assert not re.search(
        r"--(extra-)?index-url|--find-links|--trusted-host|/simple\b|\[\[tool\.uv\.index", content
    )
