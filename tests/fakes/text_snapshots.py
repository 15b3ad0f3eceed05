"""What a terminal shows, kept as text beside the tests: a difference reads like any other difference.

`ORCHESTRA_SNAPSHOTS=write` writes the files anew; then look at what has changed before it is committed.
"""

import os
from pathlib import Path
from typing import Any

from textual.app import App

from tests.fakes.console_engine import shown

FOLDER = Path(__file__).parents[1] / "integration" / "tui" / "snapshots"


def differs(app: App[Any], name: str) -> str:
    """Empty where the terminal shows what the file `name` says; else what it shows instead."""
    painted = "\n".join(row.rstrip() for row in shown(app)) + "\n"
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ORCHESTRA_SNAPSHOTS") == "write":
        path.write_text(painted, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    return "" if painted == kept else painted
