"""Limits of budgets that an operator has set, written down whatever becomes of whoever asked."""

import asyncio
import contextlib
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from orchestra_core.background import kept
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.domain.budgets import Budget
from orchestra_core.engine.limits import Limits, Setting


async def test_one_write_at_a_time_also_when_who_asked_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once would write into the same file; the last word is what is kept."""
    replace, go_on = kept.replace, threading.Event()
    writing, most = [0], [0]

    def slow(path: Path, content: bytes) -> None:
        writing[0] += 1
        most[0] = max(most[0], writing[0])
        go_on.wait(10)
        replace(path, content)
        writing[0] -= 1

    monkeypatch.setattr(kept, "replace", slow)
    limits = Limits(tmp_path / "budgets.json", lambda *_: None)
    purse: Any = SimpleNamespace(configure=lambda _: None, views=tuple)
    supervisor = Supervisor()
    ask = Setting(limits, purse, lambda: (Budget("team", 10.0),), lambda *_: None, supervisor)
    for limit in (20.0, 30.0):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask("team", limit, "ann")
    go_on.set()
    await ask("team", 40.0, "ann")
    assert most == [1]
    assert msgspec.json.decode((tmp_path / "budgets.json").read_bytes()) == {"team": 40.0}
    await supervisor.close()
