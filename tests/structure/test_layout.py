"""Names and sizes: what a reader can count on before opening a file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestra_core", "orchestra_tui")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
BANNED_MODULES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "base",
    "handler",
    "handlers",
}
BANNED_ENDINGS = ("Manager", "Helper", "Helpers", "Util", "Utils", "Handler", "Processor", "Base")
MODULE_LINES = 400
FUNCTION_LINES = 60
# The composition root builds the whole object graph in one place, in the order of the diagram.
LONG_FUNCTIONS = {("orchestra_core/engine/build.py", "__init__"): 110}
# The supervisor keeps what broke from taking the rest down; the connection answers 500 and goes on; an attempt whose
# answer could not be read ends, and so does a load that broke, since nobody would ever end them.
BROAD_EXCEPTIONS = {
    "orchestra_core/server/connection.py",
    "orchestra_core/background/supervisor.py",
    "orchestra_core/background/residency.py",
    "orchestra_core/upstream/attempt.py",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), name(path)))


def test_no_module_is_named_for_nothing() -> None:
    """No utils, helpers, common, manager, base: a module's name says what is in it."""
    assert [name(path) for path in MODULES if path.stem in BANNED_MODULES] == []
    assert [name(path.parent) for path in MODULES if path.parent.name in BANNED_MODULES] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_stays_readable(path: Path) -> None:
    """At most 400 lines a module and 60 a function, and no class named for being vague."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            limit = LONG_FUNCTIONS.get((name(path), node.name), FUNCTION_LINES)
            assert (node.end_lineno or 0) - node.lineno + 1 <= limit, node.name
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(BANNED_ENDINGS), node.name


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    """Every module that is not empty opens with a docstring."""
    source = path.read_text(encoding="utf-8")
    assert not source.strip() or ast.get_docstring(ast.parse(source))


def test_broad_exceptions_are_caught_only_at_the_named_boundaries() -> None:
    """`except Exception` is for the boundaries that answer or restart; elsewhere it must raise again."""
    found = {
        name(path)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
        and not isinstance(node.body[-1], ast.Raise)
    }
    assert found <= BROAD_EXCEPTIONS


def test_every_broad_exception_gives_its_reason() -> None:
    """Behind it, in the same line: what may come there that cannot be named."""
    silent = [
        f"{name(path)}:{node.lineno}"
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id in {"Exception", "BaseException"}
        and "#" not in path.read_text(encoding="utf-8").splitlines()[node.lineno - 1]
    ]
    assert silent == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.stem)
def test_modules_of_tests_are_small_too(path: Path) -> None:
    """As many lines as any other module may have."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


def test_every_test_says_what_it_shows() -> None:
    """Each test function has a docstring, and no two test modules share a name."""
    silent = [
        f"{name(path)}:{node.name}"
        for path in TESTS
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
    stems = [path.stem for path in TESTS]
    assert sorted(stems) == sorted(set(stems))


def test_every_test_is_in_a_phase() -> None:
    """A test outside the six phases would never be run by `make test`."""
    phases = {"structure", "dependencies", "unit", "integration", "business", "performance"}
    assert {path.relative_to(ROOT / "tests").parts[0] for path in TESTS} <= phases
