"""What an engine left behind: read from its state directory and its database, without asking anybody."""

from datetime import datetime
from typing import Any

import msgspec

from orchestra_core.background.recording_files import DIRECTORY, segments
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.incident.living import DECISIONS, ROWS
from orchestra_core.config import Config
from orchestra_core.recording import ring
from orchestra_core.server.audit_log import read_page


class Remains:
    """Everything from `since` (Unix seconds) on. Raises Failure, OSError or OrchestraError for what cannot be read."""

    def __init__(self, config: Config, since: float) -> None:
        self._config = config
        self._since = since

    def recording(self) -> bytes:
        directory = self._config.paths.state_dir / DIRECTORY
        names = ring.since(segments(directory), self._since)
        if not names:
            raise Failure(f"{directory} has nothing of that time")
        return b"".join((directory / name).read_bytes() for name in names)

    def requests(self) -> dict[str, Any]:
        return {"requests": self._page(ROWS, failed=None)}

    def failures(self) -> list[str]:
        """The ids of those that failed, newest first."""
        return [row["id"] for row in self._page(DECISIONS, failed=True)]

    def _page(self, limit: int, *, failed: bool | None) -> list[dict[str, Any]]:
        from orchestra_core.accounting.listing import Wanted  # noqa: PLC0415  costs the start
        from orchestra_core.server.facades.reports import told  # noqa: PLC0415  costs the start

        page = self._queries().page(Wanted(since=self._since, limit=limit, failed=failed))
        return [told(row) for row in page.rows]

    def decision(self, request_id: str) -> dict[str, Any]:
        from orchestra_core.engine.reports import whole  # noqa: PLC0415  costs the start
        from orchestra_core.server.facades.reports import told  # noqa: PLC0415  costs the start

        found = self._queries().recorded(request_id)
        if found is None:
            raise Failure(f"request {request_id} is not in the ledger", reason="not_found")
        record: dict[str, Any] = whole(found)
        return {**record, "request": told(record["request"]), "currency": self._config.accounting.currency}

    def _queries(self) -> Any:
        from orchestra_core.storage.opening import store_at  # noqa: PLC0415  costs the start
        from orchestra_core.storage.queries import Queries  # noqa: PLC0415  costs the start

        return Queries(store_at(self._config.storage.url).reader)

    def alerts(self) -> dict[str, Any]:
        file = self._config.paths.state_dir / "alerts.json"
        if not file.exists():
            return {}  # nothing ever fired or was silenced
        kept = dict(msgspec.json.decode(file.read_bytes()))
        return {name: kept[name] for name in ("alerts", "silences") if name in kept}

    def audit(self) -> list[dict[str, Any]]:
        file = self._config.paths.state_dir / "audit.log"
        if not file.exists():
            raise Failure(f"there is no {file}")
        return read_page(file, "", 500).entries


def last_sign(config: Config) -> float | None:
    """When an engine last recorded anything (Unix seconds); None where none has."""
    return max((one.ended for one in segments(config.paths.state_dir / DIRECTORY)), default=None)


def within(entries: list[dict[str, Any]], since: float) -> list[dict[str, Any]]:
    """Those whose `at` is not before."""
    return [one for one in entries if datetime.fromisoformat(str(one["at"])).timestamp() >= since]
