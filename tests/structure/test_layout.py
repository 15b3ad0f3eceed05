"""Names and sizes: what a reader can count on before opening a file."""

import ast
import functools
from pathlib import Path

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


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """The statements of a module, however deep, without their expressions, which are most of it."""
    found: list[ast.AST] = []
    rest: list[ast.AST] = [tree(path)]
    while rest:
        node = rest.pop()
        found.append(node)
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, ())
            rest += inner if isinstance(inner, list) else ()
    return found


def test_no_module_is_named_for_nothing() -> None:
    """No utils, helpers, common, manager, base: a module's name says what is in it."""
    assert [name(path) for path in MODULES if path.stem in BANNED_MODULES] == []
    assert [name(path.parent) for path in MODULES if path.parent.name in BANNED_MODULES] == []


def test_modules_stay_readable() -> None:
    """At most 400 lines a module, those of tests too, and 60 a function, and no class named for being vague."""
    every = [*MODULES, *(ROOT / "tests").rglob("*.py")]
    assert [name(path) for path in every if len(lines(path)) > MODULE_LINES] == []
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                limit = LONG_FUNCTIONS.get((name(path), node.name), FUNCTION_LINES)
                assert (node.end_lineno or 0) - node.lineno + 1 <= limit, f"{name(path)}: {node.name}"
            if isinstance(node, ast.ClassDef):
                assert not node.name.endswith(BANNED_ENDINGS), f"{name(path)}: {node.name}"


def test_modules_say_what_they_are_for() -> None:
    """Every module that is not empty opens with a docstring."""
    silent = [name(path) for path in MODULES if any(lines(path)) and not ast.get_docstring(tree(path))]
    assert silent == []


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
        and "#" not in lines(path)[node.lineno - 1]
    ]
    assert silent == []


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


def test_no_message_is_handled_twice() -> None:
    """Textual calls the handlers of all classes by itself: one that calls its super's has the work done again."""
    twice = [
        f"{name(path)}:{node.name}"
        for path in MODULES
        if path.is_relative_to(ROOT / "orchestra_tui")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("on_")
        # What every event goes through is a method like any other.
        and node.name != "on_event"
        and f"super().{node.name}(" in ast.unparse(node)
    ]
    assert twice == []
