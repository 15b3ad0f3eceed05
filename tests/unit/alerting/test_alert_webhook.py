"""What a webhook is sent, how it is signed, and what happens while it cannot be reached."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.alerting.retrying import ATTEMPTS, is_delivered, is_worth_retrying, pause
from orchestra_core.upstream.webhook import QUEUE, Webhook
from tests.fakes.clock import ManualClock
from tests.fakes.turns import settle, until

Answers = list[int | Exception | httpx.Response]
HOOK = "https://hooks.example/T1/secret-token?sig=hidden"
Leap = Callable[[float], None]


class Far:
    """Where a webhook leads to: answers with what it is told to, else with 200; `gate` clear holds it."""

    def __init__(self) -> None:
        self.answers: Answers = []
        self.got: list[httpx.Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failed: list[str] = []
        self.clock = ManualClock(wall=1_800_000_000.4)
        self.hook = Webhook(
            "chat",
            HOOK,
            "s3cret",
            client=httpx.AsyncClient(transport=httpx.MockTransport(self.answer)),
            clock=self.clock,
            chance=lambda: 1.0,
            failed=lambda name, why: self.failed.append(f"{name}: {why}"),
        )

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(answer)

    async def reaches(self, number: int) -> None:
        """Returns when so many requests have come and what follows from them has happened."""
        await until(lambda: len(self.got) >= number)
        await settle()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    """A webhook at work."""
    made = Far()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.hook.run())
        yield made
        running.cancel()


async def test_what_is_sent_is_signed(far: Far) -> None:
    """HMAC-SHA256 over time, a full stop and body, with what it is and an id of its own."""
    far.hook.put("alert.fired", "d1", b'{"text":"x"}')
    await far.reaches(1)
    (request,) = far.got
    headers = request.headers
    assert str(request.url) == HOOK
    assert headers["content-type"] == "application/json"
    assert (headers["x-orchestra-event"], headers["x-orchestra-delivery"]) == ("alert.fired", "d1")
    assert headers["x-orchestra-timestamp"] == "1800000000"
    expected = hmac.new(b"s3cret", b'1800000000.{"text":"x"}', sha256).hexdigest()
    assert headers["x-orchestra-signature"] == f"sha256={expected}"
    assert json.loads(request.content) == {"text": "x"}
    view = far.hook.view()
    assert (view.state, view.sent, view.failed, view.error) == ("idle", 1, 0, "")
    assert view.last_sent == "2027-01-15T08:00:00.400Z"


@pytest.mark.parametrize(
    ("answer", "wait"),
    [(503, 1.0), (500, 1.0), (429, 1.0), (httpx.ConnectError("refused"), 1.0), (httpx.ReadTimeout("slow"), 1.0),
     (httpx.Response(503, headers={"retry-after": "7"}), 7.0),
     (httpx.Response(503, headers={"retry-after": "999999"}), 60.0),
     (httpx.Response(429, headers={"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}), 1.0)],
    ids=str,
)  # fmt: skip
async def test_what_fails_is_tried_again(
    far: Far, leap: Leap, answer: int | Exception | httpx.Response, wait: float
) -> None:
    """After a pause, which the other side may lengthen to a minute; the delivery keeps its id."""
    far.answers = [answer]
    far.hook.put("alert.fired", "d1", b"{}")
    await far.reaches(1)
    assert far.hook.view().queued == 1
    leap(wait - 0.2)
    await settle()
    assert len(far.got) == 1
    leap(0.3)
    await far.reaches(2)
    assert {request.headers["x-orchestra-delivery"] for request in far.got} == {"d1"}
    assert (far.hook.view().sent, far.failed) == (1, [])


async def test_what_is_delivered_late_is_signed_anew(far: Far, leap: Leap) -> None:
    """Or the other side would take it for an old one that somebody sends again."""
    far.answers = [503]
    far.hook.put("alert.fired", "d1", b"{}")
    await far.reaches(1)
    far.clock.advance(400)
    leap(2)
    await far.reaches(2)
    first, second = (request.headers for request in far.got)
    assert int(second["x-orchestra-timestamp"]) - int(first["x-orchestra-timestamp"]) == 400
    assert first["x-orchestra-signature"] != second["x-orchestra-signature"]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 301, 307])
async def test_what_is_refused_is_not_tried_again(far: Far, status: int) -> None:
    """Nor is a redirect followed: the secret and the alert go where an operator said."""
    far.answers = [httpx.Response(status, headers={"location": "https://elsewhere.example/"})]
    far.hook.put("alert.fired", "d1", b"{}")
    far.hook.put("alert.resolved", "d2", b"{}")
    await far.reaches(2)
    assert [request.headers["x-orchestra-delivery"] for request in far.got] == ["d1", "d2"]
    assert far.failed == [f"chat: alert.fired was not delivered after one try: it answered {status}"]
    assert {request.url.host for request in far.got} == {"hooks.example"}


async def test_what_never_succeeds_is_given_up_and_told(far: Far, leap: Leap) -> None:
    """After eight tries, without the URL in what is said; what waits behind it is then sent."""
    far.answers = [httpx.ConnectError(f"cannot reach {HOOK}")] * ATTEMPTS
    far.hook.put("alert.fired", "d1", b"{}")
    far.hook.put("alert.resolved", "d2", b"{}")
    for number in range(1, ATTEMPTS + 1):
        await far.reaches(number)
        view = far.hook.view()
        if 1 < number < ATTEMPTS:
            assert (view.state, view.attempt, view.queued) == ("retrying", number, 2)
            assert "token" not in view.error
        leap(61)
    await far.reaches(ATTEMPTS + 1)
    assert len(far.failed) == 1
    assert "after 8 tries" in far.failed[0]
    assert "token" not in far.failed[0]
    view = far.hook.view()
    assert (view.sent, view.failed, view.state) == (1, 1, "idle")


async def test_a_flood_is_bounded_and_never_waits(far: Far) -> None:
    """While the other side says nothing the oldest of a hundred are dropped, and that is counted."""
    far.gate.clear()
    far.hook.put("alert.fired", "first", b"{}")
    await far.reaches(1)
    for number in range(QUEUE + 5):
        far.hook.put("alert.fired", f"d{number}", b"{}")
    view = far.hook.view()
    assert (view.queued, view.dropped, view.state) == (QUEUE + 1, 5, "sending")
    far.gate.set()
    await far.reaches(QUEUE + 1)
    assert [request.headers["x-orchestra-delivery"] for request in far.got] == [
        "first",
        *(f"d{number}" for number in range(5, QUEUE + 5)),
    ]


@given(st.integers(1, 20), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_pauses_are_bounded_and_end(attempt: int, chance: float, retry_after: float | None) -> None:
    """Never longer than a minute, never none at all, and after eight tries no more."""
    seconds = pause(attempt, chance, retry_after)
    assert (seconds is None) == (attempt >= ATTEMPTS)
    if seconds is not None:
        assert 0.5 <= seconds <= 60.0
        assert retry_after is None or seconds >= min(retry_after, 60.0)


@given(st.integers(100, 599))
def test_a_status_is_delivered_tried_again_or_final(status: int) -> None:
    """Never two of these."""
    assert not (is_delivered(status) and is_worth_retrying(status))
    assert is_worth_retrying(status) == (status >= 500 or status in (408, 425, 429))
