"""Valid requests, damaged at random: an answer from the list or a wait, and never an exception."""

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.bad_requests import NEXT, chunked, get, post
from tests.fakes.one_connection import Connection

STATUSES = {100, 200, 400, 405, 408, 413, 414, 415, 417, 429, 431, 501, 503, 505}
VALID = st.sampled_from(
    [
        get(b"/a?b=c", b"Accept: */*"),
        post(b"Content-Length: 12", b"Content-Type: application/json", body=b'{"model":""}'),
        post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc"),
        chunked(b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX: y\r\n\r\n"),
        get(b"/", b"Connection: close"),
        get(b"/", b"Connection: upgrade", b"Upgrade: h2c"),
        get(b"/a") + post(b"Content-Length: 2", body=b"hi") + get(b"/b"),
        b"\r\n" + get(b"http://x/a"),
    ]
)
TOKENS = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b" ",
            b"\t",
            b":",
            b"\r\n\r\n",
            b"0\r\n\r\n",
            b"\xff",
            b"_",
            b";",
            b",",
        ),
        *(
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Host: y\r\n",
            b"chunked",
            b"HTTP/2.0",
        ),
        *(b"99999999999999999999", b"-1", b"0x", b"Upgrade: foo\r\n", b"Expect: x\r\n", b"a" * 9000),
    ]
)
PLACES = st.floats(0, 1)
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), PLACES, TOKENS | st.binary(min_size=1, max_size=3)),
        st.tuples(st.just("remove"), PLACES, st.integers(1, 20)),
        st.tuples(st.just("replace"), PLACES, st.binary(min_size=1, max_size=2)),
        st.tuples(st.just("repeat"), PLACES, st.integers(1, 60)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, edits: list[tuple[str, float, bytes | int]]) -> bytes:
    for how, place, what in edits:
        at = int(place * len(data))
        if isinstance(what, bytes):
            data = data[:at] + what + data[at + len(what) * (how == "replace") :]
        elif how == "remove":
            data = data[:at] + data[at + what :]
        else:
            data = data[: at + what] + data[at:]
    return data


def pieces(data: bytes, places: list[float]) -> list[bytes]:
    marks = sorted({0, len(data), *(int(place * len(data)) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


@given(VALID, EDITS, st.lists(PLACES, max_size=6))
@settings(max_examples=400, deadline=None)
def test_damage_never_escapes(
    valid: bytes, edits: list[tuple[str, float, bytes | int]], places: list[float]
) -> None:
    """Every status is one of ours, an error is the last thing said, and time ends whatever is left."""
    data = damaged(valid, edits)

    async def run() -> None:
        escaped: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
        client = Connection()
        await client.feed(pieces(data, places))
        assert set(client.statuses) <= STATUSES, client.statuses
        errors = [status for status in client.statuses if status >= 400]
        assert errors in ([], [client.statuses[-1]] if client.statuses else [])
        answers = [status for status in client.statuses if status != 100]
        assert len(client.requests) == len(answers) - len(errors)
        if errors:
            assert client.transport.eof
            before = len(client.requests)
            await client.feed([NEXT])
            assert len(client.requests) == before
        await client.later(90)
        assert client.ended
        assert client.room.held == 0
        assert escaped == []

    asyncio.run(run())


@given(VALID, EDITS, st.lists(PLACES, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_the_first_answer_does_not_depend_on_the_cuts(
    valid: bytes, edits: list[tuple[str, float, bytes | int]], places: list[float]
) -> None:
    """Whole, in some pieces and byte by byte the first request means the same."""
    data = damaged(valid, edits)

    async def run() -> None:
        firsts = []
        for cut in ([data], pieces(data, places), [data[at : at + 1] for at in range(len(data))]):
            client = Connection()
            await client.feed(cut)
            request = client.requests[0] if client.requests else None
            firsts.append((client.statuses[:1], request and (request.method, request.path, request.body)))
        assert firsts[0] == firsts[1] == firsts[2]

    asyncio.run(run())
