"""The engine itself under bad requests: the listed answers, nothing in its log, and it serves on."""

import contextlib
import re
import socket

import httpx
import pytest

from tests.fakes.bad_requests import ROWS, Row
from tests.fakes.engine_process import EngineProcess

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture(params=["tcp", "unix"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def connect(demo: EngineProcess, kind: str) -> socket.socket:
    if kind == "tcp":
        url = httpx.URL(demo.url)
        return socket.create_connection((url.host, url.port or 80), 10)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(demo.socket))
    return sock


def exchanged(demo: EngineProcess, kind: str, data: bytes) -> bytes:
    """What the engine says to a client that sends this and then no more."""
    with connect(demo, kind) as sock:
        answer = b""
        # Who goes on sending for too long is reset, after the answer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                answer += piece
        return answer


def refused(row: Row) -> bool:
    return row.handled == 0 and row.closes


def test_bad_requests_leave_no_trace_in_the_log(demo: EngineProcess, kind: str) -> None:
    """Every refusal is one answer with a request id; none of them is worth a line, let alone a traceback."""
    said = demo.log.text
    for row in filter(refused, ROWS):
        answer = exchanged(demo, kind, row.data)

        assert tuple(map(int, _STATUS.findall(answer))) == row.statuses, row.name
        assert re.search(rb"\r\nx-request-id: req-[\w-]+\r\n", answer), row.name
    assert demo.log.text == said
    with demo.connect() as client:
        assert client.get("/livez").status_code == 200


PATHS = [
    b"/..",
    b"/../../etc/passwd",
    b"/v1/../livez",
    b"/%2e%2e/livez",
    b"/v1%2fmodels",
    b"/livez%00",
    b"/livez%0d%0aX:y",
    b"/%252e%252e/livez",
    b"\\livez",
    b"/\\livez",
    b"/livez;a=b",
    b"/livez/",
    b"/./livez",
    b"/%",
    b"/%zz",
    b"/v1/models/../../livez",
    b"/v1/models/" + b"a" * 4000,
    b"/v1/models/%00",
    b"/v1/models/%1b%5b2J",
    b"/v1/models/%ff",
    b"/v1/models/..%2f..%2fetc%2fpasswd",
    b"*",
]


@pytest.mark.parametrize("target", PATHS, ids=lambda target: target[:30].decode())
def test_an_odd_path_is_none_of_ours(demo: EngineProcess, kind: str, target: bytes) -> None:
    """Paths are compared as they are: nothing is resolved, decoded twice or looked up in the file system."""
    answer = exchanged(
        demo, kind, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    (status,) = map(int, _STATUS.findall(answer))

    assert status in (400, 404)
    assert b"\x1b" not in answer
    assert b"root:" not in answer
