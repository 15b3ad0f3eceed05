"""The log of requests: what runs on top, below it what has ended, newest first, in a window that is bounded."""

from collections.abc import Sequence

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.requests.ledger import Ended, Page, Running

Entry = RunningView | Ended
# Rows of the ledger that are held; a longer history is what the command line and exports are for.
WINDOW = 500


class Log:
    """Put together from answers as they come. `cursor` is where older rows begin, None: there are none.

    Rows are ordered by when their request came, as the ledger is; so one that took long appears in the middle.
    """

    def __init__(self) -> None:
        self.running: dict[str, RunningView] = {}
        self.total = 0
        self.cursor: str | None = None
        self.currency = ""
        self.only = ""
        self.known = False
        self._ended: dict[str, Ended] = {}
        self._order: list[Ended] = []
        # Ran, and are in no page yet: shown as they were seen last, so that a selection does not lose its request.
        self._awaited: dict[str, RunningView] = {}

    @property
    def ended(self) -> Sequence[Ended]:
        return self._order

    @property
    def full(self) -> bool:
        return len(self._order) >= WINDOW

    @property
    def missing(self) -> bool:
        """Whether a request that ran has ended and is in no page yet: it came before all of the newest ones."""
        return bool(self._awaited)

    def entry(self, identity: str | None) -> Entry | None:
        if identity is None:
            return None
        # One that has just ended may still be told as running by the answer before.
        return self._ended.get(identity) or self.running.get(identity) or self._awaited.get(identity)

    def still(self, identity: str) -> RunningView | None:
        """One that runs, as far as is known now."""
        return None if identity in self._ended else self.running.get(identity)

    def entries(self) -> list[Entry]:
        """Those that run, the newest first, then those that have ended."""
        live = [view for view in reversed(self.running.values()) if view.id not in self._ended]
        return [*live, *self._awaited.values(), *self._order]

    def forget(self) -> None:
        """Other rows are asked for from now on."""
        self._ended.clear()
        self._order = []
        self._awaited.clear()
        self.cursor, self.known = None, False

    def runs(self, answer: Running) -> None:
        now = {view.id: view for view in answer.requests}
        seen = self._awaited | self.running
        self._awaited = {
            name: view for name, view in seen.items() if name not in now and name not in self._ended
        }
        self.running, self.total = now, answer.total

    def newest(self, page: Page) -> None:
        """The first page: what is older than all of it stays, unless pages lie between that nobody asked for."""
        rows = page.requests
        gap = bool(self._order) and page.next is not None and not any(row.id in self._ended for row in rows)
        if gap or self._went_back(rows) or not self.known:
            self._ended, self._order, self.cursor = {}, [], page.next
        self._take(page)
        self._awaited = {name: view for name, view in self._awaited.items() if name not in self._ended}
        if page.next is None or len(rows) >= WINDOW:
            # The whole window was looked at: what is not in it is older than that.
            self._awaited.clear()
        self.known = True

    def _went_back(self, rows: Sequence[Ended]) -> bool:
        """Whether the newest row is none any more: of a recording another time is shown, or another ledger is used."""
        return bool(self._order) and (not rows or rows[0].at < self._order[0].at)

    def older(self, page: Page) -> None:
        self.cursor = page.next
        self._take(page)

    def _take(self, page: Page) -> None:
        self.currency, self.only = page.currency or self.currency, page.only
        before = len(self._ended) if self._order else -1
        self._ended |= {row.id: row for row in page.requests}
        if len(self._ended) == before:
            return
        self._order = sorted(self._ended.values(), key=lambda row: (row.at, row.id), reverse=True)[:WINDOW]
        if len(self._order) < len(self._ended):
            self._ended = {row.id: row for row in self._order}
