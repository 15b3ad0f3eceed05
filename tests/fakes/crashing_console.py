"""A console that breaks on the first state it is told: `python -m tests.fakes.crashing_console LOG`."""

import sys
from pathlib import Path

import msgspec

from orchestra_tui.app import Orchestra
from orchestra_tui.preferences.beginning import Beginning
from tests.fakes.console_engine import ConsoleEngine

if __name__ == "__main__":
    engine = ConsoleEngine()
    engine.push(msgspec.structs.replace(engine.world.snapshot(), host="no memory"))  # type: ignore[arg-type]  # wrong on purpose
    app = Orchestra(engine, beginning=Beginning(log=Path(sys.argv[1])))
    app.run()
    sys.exit(app.return_code)
