"""What alerts write down while the disk says no for a while."""

import asyncio
import contextlib
from pathlib import Path

from orchestra_core.alerting.facts import Facts
from orchestra_core.alerting.policy import Policy
from orchestra_core.background.alert_store import AlertStore
from orchestra_core.background.alerting import Alerting
from tests.fakes.clock import ManualClock
from tests.fakes.world import World


def alerting(store: AlertStore, said: list[str]) -> Alerting:
    """Of an engine that is well."""
    return Alerting(
        clock=ManualClock(),
        policy=Policy,
        facts=lambda: Facts(World(0).snapshot()),
        tell=lambda _: None,
        say=lambda _kind, _subject, message, _level: said.append(message),
        store=store,
    )


async def wrote(here: Alerting) -> None:
    """Lets it write what it has to."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await here.keep_writing()


async def test_a_silence_that_could_not_be_written_is_written_when_that_is_mended(tmp_path: Path) -> None:
    """Although nothing else has changed; what is wrong is said once."""
    store, said = AlertStore(tmp_path / "alerts.json"), []
    here = alerting(store, said)
    (tmp_path / "alerts.json.new").mkdir()
    here.silence("memory", 1e6, "ann", "moving")
    for _ in range(2):
        await wrote(here)
        here.look()
    assert not store.path.exists()
    assert sum("forgotten by a restart" in one for one in said) == 1
    (tmp_path / "alerts.json.new").rmdir()
    await wrote(here)
    assert [silence.target for silence in store.load()[0].silences] == ["memory"]


async def test_the_end_of_the_engine_tries_once_more(tmp_path: Path) -> None:
    """It may be the last chance."""
    store = AlertStore(tmp_path / "alerts.json")
    here = alerting(store, [])
    (tmp_path / "alerts.json.new").mkdir()
    here.silence("memory", 1e6, "ann", "moving")
    await wrote(here)
    (tmp_path / "alerts.json.new").rmdir()
    here.flush(())
    assert [silence.target for silence in store.load()[0].silences] == ["memory"]
