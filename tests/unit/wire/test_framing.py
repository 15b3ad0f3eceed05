"""Splitting streams: the WHATWG rules for SSE and newline-delimited JSON, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.fault import WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.wire.framing import LIMIT, NdjsonSplitter, SseSplitter

SSE_CASES = [
    pytest.param(b"data: one\n\n", [b"one"], id="lf"),
    pytest.param(b"data: one\r\n\r\n", [b"one"], id="crlf"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"], id="crlf-multi-line"),
    pytest.param(b"data: one\r\rdata: two\r\r", [b"one", b"two"], id="cr"),
    pytest.param(b"data: one\r\n\ndata: two\n\r\n", [b"one", b"two"], id="mixed"),
    pytest.param(b"data:one\n\ndata:  two\n\n", [b"one", b" two"], id="one-space-removed"),
    pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="multi-line"),
    pytest.param(b": ping\n\n:\n\ndata: one\n: in between\n\n", [b"one"], id="comments"),
    pytest.param(b"\xef\xbb\xbfdata: one\n\n", [b"one"], id="bom"),
    pytest.param(b"\xef\xbb\xbf\n\ndata: one\n\n", [b"one"], id="bom-before-a-blank-line"),
    pytest.param(b"data: one\n\n\xef\xbb\xbfdata: two\n\n", [b"one"], id="bom-only-at-the-start"),
    pytest.param(b"event: error\nid: 4\nretry: 10\ndata: x\n\n", [b"x"], id="other-fields"),
    pytest.param(b"data\n\ndata\ndata\n\n", [b"", b"\n"], id="data-without-colon"),
    pytest.param(b"database: x\n\n", [], id="longer-field-name"),
    pytest.param(b"\n\n\n\ndata: one\n\n\n\n", [b"one"], id="many-blank-lines"),
    pytest.param(b"data: one\n\ndata: lost", [b"one"], id="cut-in-a-line"),
    pytest.param(b"data: one\n\ndata: lost\n", [b"one"], id="cut-before-the-blank-line"),
    pytest.param("data: žluť 🐎\n\n".encode(), ["žluť 🐎".encode()], id="utf-8"),
    pytest.param(b'data: {"a":"b: c"}\n\n', [b'{"a":"b: c"}'], id="colon-in-the-value"),
]

NDJSON_CASES = [
    pytest.param(b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], id="lf"),
    pytest.param(b'{"a":1}\r\n\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}'], id="crlf"),
    pytest.param(b'\n \n{"a":1}\n\n', [b'{"a":1}'], id="blank-lines"),
    pytest.param(b'{"a":1}\n{"b"', [b'{"a":1}'], id="half-line"),
]


def in_pieces(splitter: SseSplitter | NdjsonSplitter, data: bytes, cuts: set[int]) -> list[bytes]:
    borders = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    pieces = [data[start:end] for start, end in pairwise(borders)]
    return [payload for piece in pieces for payload in splitter.feed(piece)]


@pytest.mark.parametrize(("data", "expected"), SSE_CASES)
def test_sse_events_are_the_same_at_every_cut(data: bytes, expected: list[bytes]) -> None:
    """An SSE stream gives the same payloads whole, byte by byte and cut in two anywhere."""
    assert SseSplitter().feed(data) == expected
    assert in_pieces(SseSplitter(), data, set(range(len(data)))) == expected
    for cut in range(len(data)):
        assert in_pieces(SseSplitter(), data, {cut}) == expected


@pytest.mark.parametrize(("data", "expected"), NDJSON_CASES)
def test_ndjson_lines_are_the_same_at_every_cut(data: bytes, expected: list[bytes]) -> None:
    """A newline-delimited stream gives the same payloads whole, byte by byte and cut in two anywhere."""
    assert NdjsonSplitter().feed(data) == expected
    assert in_pieces(NdjsonSplitter(), data, set(range(len(data)))) == expected
    for cut in range(len(data)):
        assert in_pieces(NdjsonSplitter(), data, {cut}) == expected


@given(
    payloads=st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1, max_size=7),
    cuts=st.sets(st.integers(0, 200)),
)
def test_any_payloads_survive_any_line_ends_and_cuts(
    payloads: list[str], ends: list[bytes], cuts: set[int]
) -> None:
    """Rendered events come back as they were with any mix of line ends and any cuts."""
    raw = [payload.encode() for payload in payloads]
    style = [ends[index % len(ends)] for index in range(len(raw))]
    stream = b"".join(b"data: " + payload + end + end for payload, end in zip(raw, style, strict=True))

    assert in_pieces(SseSplitter(), stream, cuts) == raw


@pytest.mark.parametrize("splitter", [SseSplitter, NdjsonSplitter])
@pytest.mark.parametrize("piece", [LIMIT + 10, 65_536])
def test_a_line_without_an_end_is_refused(splitter: type[SseSplitter | NdjsonSplitter], piece: int) -> None:
    """More than the limit without a line end is a failure of the backend, not memory of ours."""
    data = b"d" * (2 * LIMIT)
    cuts = set(range(0, len(data), piece))

    with pytest.raises(WireError, match="longer than") as caught:
        in_pieces(splitter(), data, cuts)

    assert caught.value.fault.verdict is Verdict.FAILED


def test_an_event_of_many_lines_is_refused_at_the_limit() -> None:
    """Data lines without a blank line count together."""
    data = b"data: 12345678\n" * 20
    cuts = set(range(0, len(data), 15))

    with pytest.raises(WireError, match="an event longer than 100 bytes"):
        in_pieces(SseSplitter(limit=100), data, cuts)


def test_a_payload_at_the_limit_passes() -> None:
    """The limit itself is still allowed, in both framings."""
    assert SseSplitter(limit=100).feed(b"data: " + b"x" * 94 + b"\n\n") == [b"x" * 94]
    assert NdjsonSplitter(limit=100).feed(b"x" * 100 + b"\n") == [b"x" * 100]
