"""The audit log: what is refused at the gate is bounded, whatever is sent, and what is left out is counted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.domain.principal import ANONYMOUS, Principal, Scope, including
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.journal import Audit, Journal
from tests.fakes.clock import ManualClock
from tests.fakes.leaping_loop import LeapingLoop
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

KEY = Principal("0000000a", "k", including(Scope.USE))


class Book:
    """An audit log over a file, asked by hand."""

    def __init__(self, home: Path) -> None:
        self.clock = ManualClock()
        self.problems: list[str] = []
        self.journal = Journal(home / "audit.log", self.problems.append)
        self.audit = Audit(self.journal, self.clock)

    def ask(
        self,
        status: int,
        who: Principal = ANONYMOUS,
        peer: str = "10.0.0.1",
        path: str = "/x",
        method: str = "POST",
        body: bytes = b"{}",
    ) -> None:
        request = Request(method, path, "", {}, body, peer)
        request.principal = who
        exchange = Exchange(FakeTransport(), keep_alive=True, chunked=True, head_only=False)
        exchange.send(status, b"")
        self.audit(request, exchange, Scope.OPERATE)

    @property
    def lines(self) -> list[dict[str, Any]]:
        if not self.journal.path.exists():
            return []
        return [json.loads(one) for one in self.journal.path.read_text().splitlines()]


@pytest.fixture
async def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.mark.parametrize("status", [401, 403, 429])
@pytest.mark.parametrize("who", [ANONYMOUS, KEY], ids=["nobody", "a key"])
async def test_refusals_of_one_are_limited(book: Book, status: int, who: Principal) -> None:
    """Ten at once, then one in six seconds; the others are one line with their number and their origin."""
    for _ in range(500):
        book.ask(status, who)
    assert len(book.lines) == 10
    book.clock.advance(6)
    book.ask(status, who)
    book.ask(status, who)
    assert len(book.lines) == 11
    book.audit.close()
    assert book.lines[-1]["refused"] == 491
    assert book.lines[-1]["most"] == f"{who.id or '10.0.0.1'}: 491"


async def test_what_was_done_is_never_left_out(book: Book) -> None:
    """Nor what failed for another reason than the gate, however often."""
    for status in (202, 404, 409, 500):
        for _ in range(100):
            book.ask(status, KEY)
    assert len(book.lines) == 400
    book.audit.close()
    assert len(book.lines) == 400


async def test_who_watches_the_log_does_not_fill_it(book: Book) -> None:
    """Reading the same again says so once a minute, of each reader; what changes something is always written."""
    other = Principal("0000000b", "l", including(Scope.USE))
    for _ in range(30):
        for who in (KEY, other):
            book.ask(200, who, method="GET")
        book.ask(200, KEY)
    assert len(book.lines) == 2 + 30
    book.ask(200, KEY, path="/y", method="GET")
    book.clock.advance(60)
    book.ask(200, KEY, method="GET")
    assert len(book.lines) == 2 + 30 + 2


@pytest.mark.parametrize("path", ["models/m/load", "models/a%2Fb/unload", "drills"])
async def test_plans_are_read_again_and_again(book: Book, path: str) -> None:
    """What a load, an unload or a drill would do is written down once a minute; what is done or refused, always."""
    for status, body in ((200, b'{"dry_run": true}'), (404, b'{"dry_run": true}'), (202, b"{}")):
        for _ in range(10):
            book.ask(status, KEY, path=f"/api/v1/{path}", body=body)
    assert [line["status"] for line in book.lines] == [200] + [404] * 10 + [202] * 10


async def test_what_knows_no_plan_is_no_plan(book: Book) -> None:
    """An order is written down each time, also with a word in its body that it does not read."""
    for _ in range(10):
        book.ask(200, KEY, path="/api/v1/backends/box/drain", body=b'{"dry_run": true}')
    assert len(book.lines) == 10


async def test_strangers_together_are_limited_and_keys_are_not_theirs(book: Book) -> None:
    """From a thousand addresses sixty lines; a refused key is written down all the same."""
    for number in range(1000):
        book.ask(401, peer=f"10.0.{number >> 8}.{number & 255}")
    assert len(book.lines) == 60
    book.ask(403, KEY)
    assert book.lines[-1]["key"] == KEY.id
    book.audit.close()
    assert book.lines[-1]["refused"] == 940
    assert len(book.lines[-1]["most"]) < 600


async def test_of_a_stranger_little_is_written(book: Book) -> None:
    """No body and the start of the path; of a key's refusal both."""
    book.ask(401, path="/" + "a" * 500)
    book.ask(403, KEY, path="/" + "a" * 500)
    stranger, known = book.lines
    assert (len(stranger["path"]), stranger["body"]) == (64, "")
    assert (len(known["path"]) > 400, known["body"]) == (True, "{}")


async def test_addresses_of_one_ipv6_network_are_one(book: Book) -> None:
    """A client can choose among 2^64 of them."""
    for number in range(50):
        book.ask(401, peer=f"2001:db8::{number:x}")
    assert len(book.lines) == 10


def test_what_was_left_out_is_told_after_a_minute(tmp_path: Path) -> None:
    """By itself, though nothing else is asked: not before the minute is over, and once."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LeapingLoop)
        book = Book(tmp_path)
        for _ in range(25):
            book.ask(401)
        loop.leap(59)
        await settle(4)
        assert len(book.lines) == 10
        loop.leap(61)
        await settle(4)
        assert [one["refused"] for one in book.lines[10:]] == [15]

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(run())


async def test_what_was_left_out_is_told_once(book: Book) -> None:
    """With nothing left out nothing is written; after it was told the count begins anew."""
    book.audit.close()
    assert book.lines == []
    for _ in range(11):
        book.ask(401)
    book.audit.tell()
    for _ in range(2):
        book.ask(401)
    book.audit.tell()
    assert [one["refused"] for one in book.lines[10:]] == [1, 2]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "done"), (202, "done"), (403, "refused"), (429, "refused"), (404, "failed"), (503, "failed")],
)  # fmt: skip
async def test_a_line_says_how_it_ended_and_the_command_for_it(book: Book, status: int, outcome: str) -> None:
    """Who, when, what as one would type it, and what became of it."""
    book.ask(status, KEY, path="/api/v1/backends/box/drain")
    (entry,) = book.lines
    assert (entry["who"], entry["outcome"], entry["command"]) == ("k", outcome, "ai-orchestra drain box")
    assert entry["at"].startswith("2027-01-15T08:00:00")
