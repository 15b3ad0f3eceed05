"""What a command costs to start: proven in a fresh interpreter, not from the source."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATABASE = ("sqlmodel", "sqlalchemy", "alembic")
SCREEN = ("textual", "plotext")
# 0.2 to 0.6 s and 30 MiB, for whoever has hosted models and nobody else.
PRICES = ("genai_prices",)
# Runs a command that finds no engine, then prints which of the given packages it has imported.
PROBE = """
import sys
from orchestra_core.cli.program import execute
code = execute(sys.argv[2].split())
print(code, *[name for name in sys.argv[1].split(",") if name in sys.modules])
"""


def imported(command: str, names: tuple[str, ...], home: Path) -> list[str]:
    """The exit code and those of `names` that the command imported."""
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, ",".join(names), command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=home,
        env={"HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": ""},
    )
    return ran.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "command",
    ["health", "models", "models --best-for reasoning", "metrics", "usage", "requests", "explain req-1"],
)
def test_looking_imports_neither_database_nor_screen(command: str, tmp_path: Path) -> None:
    """What looks starts without SQL libraries, without the console's, and without the list of prices."""
    nowhere = f"{command} --socket {tmp_path}/none.sock"
    assert imported(
        nowhere, (*DATABASE, *SCREEN, *PRICES, "orchestra_core.engine", "orchestra_tui"), tmp_path
    ) == ["3"]


@pytest.mark.parametrize("command", ["version", "--help", "config check", "completion zsh"])
def test_what_needs_no_engine_imports_no_client(command: str, tmp_path: Path) -> None:
    """Commands that talk to nobody do not load the HTTP client either."""
    assert imported(command, (*DATABASE, *SCREEN, "httpx", "orchestra_core.engine"), tmp_path) == ["0"]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("orchestra_core", ("msgspec", "httpx", "asyncio")),
        ("orchestra_core.engine", ("textual", "plotext", "orchestra_tui", *PRICES)),
        (
            "orchestra_tui.app",
            (*DATABASE, "orchestra_core.engine", "orchestra_core.config", "orchestra_core.server"),
        ),
        # All that is there before the first paint: HTTP comes after it.
        ("orchestra_core.cli.console", (*DATABASE, "httpx", "plotext", "orchestra_core.engine")),
    ],
)
def test_core_and_console_load_without_each_other(
    module: str, absent: tuple[str, ...], tmp_path: Path
) -> None:
    """The engine never loads the terminal, the console never loads the engine or its database."""
    code = (
        "import importlib, sys\n"
        "importlib.import_module(sys.argv[1])\n"
        "print(*set(sys.argv[2:]) & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, module, *absent],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert ran.stdout.strip() == ""
