"""One webhook: a bounded queue, one sender, retries. Whoever puts something in never waits."""

import asyncio
from collections import deque
from collections.abc import Callable

import httpx

from orchestra_core.alerting.retrying import ATTEMPTS, is_delivered, is_worth_retrying, pause
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.alerts import DeliveryView
from orchestra_core.domain.text import one_line
from orchestra_core.trust.signing import signature

QUEUE = 100
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
Item = tuple[str, str, bytes]


class Webhook:
    """`client` connects to checked addresses only and follows no redirects; `chance` is uniform in 0..1.

    `failed` is told of each delivery that is given up, with why.
    """

    def __init__(
        self,
        name: str,
        url: str,
        secret: str | None,
        *,
        client: httpx.AsyncClient,
        clock: Clock,
        chance: Callable[[], float],
        failed: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._url = url
        self._secret = secret
        self._client = client
        self._clock = clock
        self._chance = chance
        self._failed = failed
        self._queue: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._attempt = 0
        self._sent = self._given_up = self._dropped = 0
        self._error = ""
        self._last: float | None = None
        self._current: Item | None = None

    @property
    def waiting(self) -> list[Item]:
        """What is not delivered yet, the oldest first: event, id and body of each."""
        return [*([] if self._current is None else [self._current]), *self._queue]

    def put(self, kind: str, delivery: str, body: bytes) -> None:
        """Of a full queue the oldest is dropped: what is so now matters more than what was."""
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append((kind, delivery, body))
        self._wake.set()

    async def run(self) -> None:
        while True:
            while self._queue:
                self._current = self._queue.popleft()
                await self._deliver(self._current)
                self._current, self._attempt = None, 0
            self._wake.clear()
            await self._wake.wait()

    async def _deliver(self, item: Item) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._attempt = attempt
            error, again = await self._send(item)
            if not error:
                self._sent += 1
                self._error, self._last = "", self._clock.wall()
                return
            self._error = error
            seconds = None if again is None else pause(attempt, self._chance(), again)
            if seconds is None:
                break
            await asyncio.sleep(seconds)
        self._given_up += 1
        self._failed(self.name, f"{item[0]} was not delivered after {_times(self._attempt)}: {self._error}")

    async def _send(self, item: Item) -> tuple[str, float | None]:
        """(why it failed, for how long the other side wants to be left alone); None there: for ever."""
        kind, delivery, body = item
        try:
            async with self._client.stream(
                "POST", self._url, content=body, headers=self._headers(kind, delivery, body), timeout=_TIMEOUT
            ) as answer:
                status = answer.status_code
                wished = _seconds(answer.headers.get("retry-after"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its words may hold the URL, which may hold a token.
            return one_line(f"{type(error).__name__}: {str(error).replace(self._url, '…')}")[:200], 0.0
        if is_delivered(status):
            return "", None
        return f"it answered {status}", wished if is_worth_retrying(status) else None

    def _headers(self, kind: str, delivery: str, body: bytes) -> dict[str, str]:
        at = int(self._clock.wall())
        headers = {
            "content-type": "application/json",
            "user-agent": "ai-orchestra",
            "x-orchestra-event": kind,
            "x-orchestra-delivery": delivery,
            "x-orchestra-timestamp": str(at),
        }
        if self._secret is not None:
            headers["x-orchestra-signature"] = signature(self._secret, at, body)
        return headers

    def view(self) -> DeliveryView:
        retrying = self._error and self._attempt > 1
        state = "idle" if self._current is None else "retrying" if retrying else "sending"
        return DeliveryView(
            name=self.name,
            kind="webhook",
            state=state,
            queued=len(self.waiting),
            sent=self._sent,
            failed=self._given_up,
            dropped=self._dropped,
            attempt=self._attempt,
            error=self._error,
            last_sent=None if self._last is None else rfc3339(self._last),
        )


def _seconds(text: str | None) -> float:
    """A Retry-After in seconds; a date is as good as none, because pauses end after a minute."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def _times(number: int) -> str:
    return "one try" if number == 1 else f"{number} tries"
