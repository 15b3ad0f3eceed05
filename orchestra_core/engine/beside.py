"""What a recording holds beside the states of its engine, so that all views can be looked at later: how traffic went
over the last hours, and who used what."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from orchestra_core.accounting.usage import By
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.series import BY, WINDOWS, SeriesView
from orchestra_core.server.facades.reports import usage_body
from orchestra_core.server.ports import Reports
from orchestra_core.server.questions import read_usage

# The shortest window is in every snapshot.
_IN_SNAPSHOTS = "5m"
_ROWS = 50
_BUSIEST = 8
# Sums change slowly, and each takes the ledger some milliseconds.
_SUMS_SECONDS = 300.0
# An engine has other things to do as it starts.
_FIRST_SECONDS = 30.0
_SINCE = ("today", "7d")
_BY = (By.MODEL, By.TASK, By.KEY, By.BACKEND, By.DAY)
_DAYS = {"by": By.DAY.value, "since": "31d", "until": "today"}


class Beside:
    """`series` is how traffic went: over which window, by what, and how many rows at most."""

    def __init__(
        self, clock: Clock, series: Callable[[str, str | None, int], SeriesView], reports: Reports
    ) -> None:
        self._clock = clock
        self._series = series
        self._reports = reports
        self._sums: list[dict[str, object]] = []

    def start(self, supervisor: Supervisor) -> None:
        supervisor.keep(self._run, "sums for the recording")

    async def _run(self) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            await self.sum()
            await asyncio.sleep(_SUMS_SECONDS)

    async def sum(self) -> None:
        """Asks the ledger; while it cannot be read, what it said last is what is known."""
        try:
            self._sums = [{"asked": asked, "told": await self._asked(asked)} for asked in _questions()]
        except OrchestraError:
            return

    async def _asked(self, asked: dict[str, str]) -> dict[str, object]:
        now = datetime.fromtimestamp(self._clock.wall(), self._reports.zone)
        query, _ = read_usage(asked, now)
        told = await self._reports.usage(query, _ROWS, advise=now.date().toordinal())
        return usage_body(self._reports, query, self._clock.wall(), told)

    async def __call__(self) -> bytes:
        """All of it as JSON; between the parts others have their turn."""
        traffic: dict[str, dict[str, SeriesView]] = {}
        for window in WINDOWS:
            if window != _IN_SNAPSHOTS:
                traffic[window] = {}
                for by in BY:
                    traffic[window][by] = self._series(window, by, _BUSIEST)
                    await asyncio.sleep(0)
        return msgspec.json.encode({"series": traffic, "usage": self._sums})


def _questions() -> Iterator[dict[str, str]]:
    """As the console asks them."""
    for since in _SINCE:
        for by in _BY:
            yield {"by": by.value, "since": since}
    yield _DAYS
