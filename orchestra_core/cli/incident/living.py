"""What a running engine tells of the last minutes."""

from typing import Any
from urllib.parse import quote, urlencode

from orchestra_core.cli.client import EngineClient
from orchestra_core.clock import rfc3339

# Of requests: rows in all, and those whose decision is told too, failures before the others.
ROWS, DECISIONS = 500, 200


class Living:
    """Everything from `since` (Unix seconds) on. Raises Failure where the engine does not answer or refuses."""

    def __init__(self, engine: EngineClient, since: float) -> None:
        self._engine = engine
        self._since = since

    def recording(self) -> bytes:
        return self._engine.raw(f"/api/v1/recording?{urlencode({'since': rfc3339(self._since)})}")

    def requests(self) -> dict[str, Any]:
        return self._page(ROWS)

    def failures(self) -> list[str]:
        """The ids of those that failed, newest first."""
        return [row["id"] for row in self._page(DECISIONS, failed="true")["requests"]]

    def decision(self, request_id: str) -> dict[str, Any]:
        return self._engine.get(f"/api/v1/requests/{quote(request_id, safe='')}")

    def _page(self, limit: int, **more: str) -> dict[str, Any]:
        asked = {"since": rfc3339(self._since), "limit": str(limit), **more}
        return self._engine.get(f"/api/v1/requests?{urlencode(asked)}")

    def alerts(self) -> dict[str, Any]:
        return self._engine.get("/api/v1/alerts?all=1")

    def audit(self) -> list[dict[str, Any]]:
        return list(self._engine.get("/api/v1/audit?limit=500")["entries"])
