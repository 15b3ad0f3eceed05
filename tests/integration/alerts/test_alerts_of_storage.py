"""Alerts of what the engine writes to: a locked database with records that wait, and a disk without room."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import well
from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import until


def only(*rules: str) -> str:
    every = {
        "memory",
        "models",
        "backends",
        "errors",
        "latency",
        "breakers",
        "budgets",
        "journal",
        "database",
        "disk",
    }
    off = ", ".join(f'"{rule}"' for rule in sorted(every - set(rules)))
    return f"off = [{off}]\nresolve_seconds = 0\n"


def database(home: Path) -> Path:
    (file,) = home.rglob("orchestra.db")
    return file


async def test_a_locked_database_and_what_waits_for_it(tmp_path: Path) -> None:
    """Requests go on; both are told, and are over when the lock is gone."""
    limits = "database_seconds = 0\njournal_seconds = 0\njournal_warning = 0.000001\njournal_critical = 0.9\n"
    async with ChaosBackend("a") as a:
        a.well = well(3)
        settings = f"[alerts]\n{only('database', 'journal')}{limits}"
        async with EngineHere(tmp_path, [a], settings) as here:
            assert (await here.chat()).status == 200
            assert await asyncio.to_thread(here.engine.ledger.flush)
            with contextlib.closing(
                sqlite3.connect(database(tmp_path), isolation_level=None, check_same_thread=False)
            ) as other:
                other.execute("BEGIN IMMEDIATE")
                assert (await here.chat()).status == 200
                await until(lambda: len([view for view in here.engine.alerts.views if view.firing]) == 2)
                views = {view.id: view for view in here.engine.alerts.views}
                assert "locked" in views["database:ledger"].message
                assert (
                    "of records wait for the database, room for 256 MiB" in views["journal:records"].message
                )
                other.execute("ROLLBACK")
            await until(lambda: not [view for view in here.engine.alerts.views if view.firing])
            assert len(here.told("alert.resolved")) == 2
            assert len(await here.rows()) == 2


async def test_a_disk_without_room(tmp_path: Path) -> None:
    """Where state and database are on one disk, that is told once."""
    settings = f'[alerts]\n{only("disk")}disk_seconds = 0\ndisk_warning = "900000TB"\n'
    async with EngineHere(tmp_path, [], settings) as here:
        await until(lambda: bool(here.engine.alerts.views))
        (view,) = here.engine.alerts.views
        assert (view.id, view.severity) == ("disk:state", "warning")
        assert "free of" in view.message
