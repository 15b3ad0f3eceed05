"""Loads one model as an engine does, says so, and waits to be killed: `RUNTIME STATE (--weights FILE | COMMAND…)`."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed


async def main(runtime: str, state: str, first: str, *rest: str) -> None:
    own = first == "--weights"
    model = ManagedModel(path=Path(rest[0]) if own else None, parallel=1)
    managed = Managed(
        "local",
        {"model": model},
        command=None if own else (first, *rest),
        runtime_dir=Path(runtime),
        state_dir=Path(state),
    )
    await managed.load("model", lambda _: None)
    print("loaded", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
