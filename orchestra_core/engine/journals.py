"""What is written of requests: the audit log of operators always, the access log where there is one."""

import asyncio
from collections.abc import Callable

from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.server.audit_log import Page, read_page
from orchestra_core.server.connection import Handler
from orchestra_core.server.journal import Access, Audit, Journal
from orchestra_core.server.routes import Routes


class Journals:
    """`problem` is told what cannot be written."""

    def __init__(self, config: Config, clock: Clock, problem: Callable[[str], None]) -> None:
        self._path = config.logging.access
        self._clock = clock
        self._problem = problem
        self.audit = Audit(Journal(config.paths.state_dir / "audit.log", problem), clock)
        self._access: Access | None = None

    def around(self, routes: Routes) -> Handler:
        """The routes, with the access log around them where there is one; raises ConfigError for what has no place."""
        self.audit.journal.prepare()
        if self._path is None:
            return routes
        journal = Journal(self._path, self._problem)
        journal.prepare()
        self._access = Access(journal, self._clock, routes)
        return self._access

    async def page(self, before: str, limit: int) -> Page:
        """Of the audit log, newest first."""
        return await asyncio.to_thread(read_page, self.audit.journal.path, before, limit)

    def close(self) -> None:
        if self._access is not None:
            self._access.close()
        self.audit.close()
