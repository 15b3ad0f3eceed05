"""The parts of the availability and overload benchmarks that everything published rests on."""

import socket
import threading
import time
from pathlib import Path

import msgspec
import pytest
import uvloop

from benchmarks.answers import wrong_with
from benchmarks.availability.client import Run
from benchmarks.availability.experiment import arrivals, read
from benchmarks.availability.measure import Results
from benchmarks.availability.report import summarise, table
from benchmarks.availability.statistics import bootstrap, wilson
from benchmarks.open_loop import Reply, exchange, quantile, render, send_when_due
from benchmarks.pages import publish

CHUNK = b'data: {"choices":[{"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
STREAM = CHUNK % (b"a", b"null") + CHUNK % (b" b", b"null") + CHUNK % (b"", b'"length"')
DONE = b"data: [DONE]\n\n"
WHOLE = b'{"choices":[{"message":{"content":"a b"},"finish_reason":"length"}]}'


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (STREAM + DONE, ""),
        (b": keep-alive\n\n" + STREAM.replace(b"\n", b"\r\n") + DONE, ""),
        (STREAM, "no [DONE]"),
        (CHUNK % (b"a", b"null") + CHUNK % (b"", b'"length"') + DONE, "truncated"),
        (CHUNK % (b"x", b"null") + CHUNK % (b"", b'"length"') + DONE, "wrong text"),
        (STREAM.replace(b"length", b"stop") + DONE, "finish reason stop"),
        (STREAM.replace(b'"length"', b"null") + DONE, "finish reason None"),
        (CHUNK % (b"a", b"null") + b'data: {"error":{"message":"lost"}}\n\n', "error event"),
        (STREAM + STREAM + DONE, "wrong text"),
        (b"data: nothing\n\n" + DONE, "unreadable"),
        (b"", "no [DONE]"),
    ],
)
def test_only_the_whole_stream_is_an_answer(body: bytes, wrong: str) -> None:
    """Every token once, the reason it ended, and the mark of the end; comments do not matter."""
    found = wrong_with(body, stream=True, text="a b", finish="length")
    assert found.startswith(wrong)
    assert bool(found) is bool(wrong)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (WHOLE, ""),
        (WHOLE.replace(b"a b", b"a"), "truncated"),
        (WHOLE.replace(b"length", b"stop"), "finish reason"),
        (b'{"error":{"message":"lost"}}', "error in the answer"),
        (b'{"choices":[]}', "error in the answer"),
        (WHOLE[:-1], "unreadable"),
    ],
)
def test_only_the_whole_text_is_an_answer(body: bytes, wrong: str) -> None:
    """An answer in one piece: the text and the reason, nothing short of it."""
    found = wrong_with(body, stream=False, text="a b", finish="length")
    assert found.startswith(wrong)
    assert bool(found) is bool(wrong)


def test_requests_are_the_same_for_every_strategy_and_come_at_the_declared_rate() -> None:
    """A seed names them; another seed has others; in the long run there are as many as declared."""
    load = msgspec.structs.replace(read().load, seconds=300.0)
    first = arrivals(load, 1)
    assert first == arrivals(load, 1)
    assert [one.at for one in first] != [one.at for one in arrivals(load, 2)]
    assert len({one.id for one in first}) == len(first)
    long = [one.expected("m") for one in first if one.tokens == load.tokens[1]]
    assert len(set(long)) == len(long) > 100
    assert len(first) / load.seconds == pytest.approx(load.rate, rel=0.05)
    assert sum(one.stream for one in first) / len(first) == pytest.approx(load.streamed, abs=0.03)


def test_nothing_waits_for_an_answer_before_it_is_sent() -> None:
    """A server that answers nothing for a while still gets every request when it is due."""
    answered = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port, seen = server.getsockname()[1], []

        def serve() -> None:
            while len(seen) < 5:
                connection, _ = server.accept()
                connection.recv(4096)
                seen.append(connection)
            for connection in seen:
                connection.sendall(answered)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        replies: list[Reply] = []

        async def send(number: int, _due: float) -> None:
            replies.append(await exchange(port, render(port, "/", b"%d" % number)))

        async def run() -> list[float]:
            return await send_when_due(time.monotonic(), [0.01 * number for number in range(5)], send)

        late = uvloop.run(run())
        thread.join(10)
    assert len(late) == len(replies) == 5
    assert [(one.status, one.body, one.complete) for one in replies] == [(200, b"ok", True)] * 5


@pytest.mark.parametrize(
    ("sent", "body", "status"),
    [
        (b"", b"", 0),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b"half", 200),
        (b"SSH-2.0\r\n", b"", 0),
    ],
)
def test_an_answer_without_its_end_is_not_complete(sent: bytes, body: bytes, status: int) -> None:
    """What there was of it is kept, and how the connection ended is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(sent)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        reply = uvloop.run(exchange(port, render(port, "/", b"{}")))
        thread.join(10)
    assert (reply.status, reply.body, reply.complete) == (status, body, False)
    assert reply.lost
    assert uvloop.run(exchange(port, b"GET / HTTP/1.1\r\n\r\n")).lost.startswith("cannot connect")


def test_intervals_are_those_of_the_books() -> None:
    """Wilson's of 8 in 10 is 0.490 to 0.943; none of 30,000 failing leaves 1.3 in 10,000; runs are resampled whole."""
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson(30_000, 30_000)
    assert (1 - low, high) == (pytest.approx(1.28e-4, rel=0.01), pytest.approx(1.0))
    assert bootstrap([(90, 100)] * 10) == (0.9, 0.9)
    low, high = bootstrap([(100, 100)] * 9 + [(0, 100)])
    assert (low, high) == (pytest.approx(0.7, abs=0.05), 1.0)
    assert quantile([], 0.99) == 0
    assert quantile(range(100), 0.99) == 99


def test_the_worst_seed_is_shown() -> None:
    """A strategy's row has the pooled share, both intervals and the worst seed with its number."""
    runs = [Run("first-model", 1, offered=100, good=100), Run("first-model", 2, offered=100, good=80)]
    [summary] = summarise(runs)
    assert (summary.availability, summary.worst_seed, summary.worst) == (0.9, 2, 0.8)
    shown = table(Results(read(), runs, {"this engine": "it is away"}))
    assert "| first-model | 90.000 % | 180 / 200 | 80.000 to 100.000 |" in shown
    assert "80.000 % (seed 2)" in shown
    assert "not measured: it is away" in shown


def test_a_chapter_replaces_the_one_before(tmp_path: Path) -> None:
    """Between its marks and nowhere else; without marks it goes to the end."""
    page = tmp_path / "RESULTS.md"
    publish("one", "first\n", page)
    publish("two", "second", page)
    publish("one", "new", page)
    assert page.read_text() == (
        "<!-- one: begin -->\nnew\n<!-- one: end -->\n\n<!-- two: begin -->\nsecond\n<!-- two: end -->\n"
    )
