"""`Expect: 100-continue` over real sockets: the body is asked for only of who will be answered."""

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from tests.fakes.engine_process import EngineProcess
from tests.fakes.outside import wait_outside
from tests.fakes.wire import Wire
from tests.integration.engine.keyed import ADMIN, APP, CHAT, OPERATE, SLOW, USE

BODY = json.dumps(CHAT)
JSON = "content-type: application/json"
LOAD = "/api/v1/models/nothing/load"


@pytest.fixture
def wire(keyed: EngineProcess) -> Iterator[Wire]:
    with contextlib.closing(Wire(socket.create_connection(("127.0.0.1", keyed.port), 10))) as made:
        yield made


def head(*lines: str, path: str = "/v1/chat/completions", host: str = "localhost", token: str = USE) -> str:
    """Of a request whose body waits to be asked for."""
    named = [f"host: {host}", f"authorization: Bearer {token}", JSON, *lines]
    return "\r\n".join(
        [f"POST {path} HTTP/1.1", *named, "expect: 100-continue", f"content-length: {len(BODY)}", "", ""]
    )


REFUSED = {
    "a wrong key": (head(token="ork-wrong"), 401, "invalid_api_key"),
    "another host": (head(host="evil.com"), 403, "host_not_allowed"),
    "another's page": (head("origin: https://evil.com"), 403, "origin_not_allowed"),
    "a key without the scope": (head(path=LOAD), 403, "insufficient_scope"),
    "no such path": (head(path="/nothing/there"), 404, None),
    "another method": (head(path="/livez"), 405, None),
}
REFUSALS = pytest.mark.parametrize(("asked", "status", "code"), REFUSED.values(), ids=REFUSED.keys())


@REFUSALS
@pytest.mark.parametrize("sent", [False, True], ids=["waits", "does not wait"])
def test_who_will_be_refused_is_not_asked_for_a_body(
    wire: Wire, asked: str, status: int, code: str | None, sent: bool
) -> None:
    """The refusal at once, without 100 before it; the connection ends, whether the body came all the same or not."""
    wire.send(asked + (BODY if sent else ""))
    found, headers, body = wire.answer()
    assert found == status
    assert code in (None, json.loads(body)["error"]["code"])
    assert headers["connection"] == "close"
    assert wire.at_end()


def test_who_has_no_requests_left_is_not_asked_for_a_body(keyed: EngineProcess) -> None:
    """429 at once; to be asked for a body costs nothing, so the last one left was not taken by that."""
    for status in (200, 200, 429):
        with contextlib.closing(Wire(socket.create_connection(("127.0.0.1", keyed.port), 10))) as wire:
            wire.send(head(token=SLOW))
            if status == 200:
                assert wire.head()[0] == 100
                wire.send(BODY)
            found, headers, _ = wire.answer()
            assert found == status
    assert int(headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "asked",
    [head(), head(f"origin: {APP}"), head(path=LOAD, token=OPERATE), head(path=LOAD, token=ADMIN)],
    ids=["a key", "a page that may", "an operator", "an administrator"],
)
def test_who_will_be_answered_is_asked_for_the_body(wire: Wire, asked: str) -> None:
    """100, then the body, then the answer; and once more on the same connection."""
    for _ in range(2):
        wire.send(asked)
        assert wire.head()[0] == 100
        wire.send(BODY)
        assert wire.answer()[0] in (200, 400)  # what the body says is not the point here


def test_a_body_is_asked_for_in_its_turn(wire: Wire) -> None:
    """Sent behind another request: first that one's answer, then 100, or the refusal that ends the connection."""
    one = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
    wire.send(one + head())
    assert wire.answer()[0] == 200
    assert wire.head()[0] == 100
    wire.send(BODY)
    assert wire.answer()[0] == 200
    wire.send(one + head(token="ork-wrong"))
    assert [wire.answer()[0], wire.answer()[0]] == [200, 401]
    assert wire.at_end()


def test_the_owner_of_the_socket_is_asked_for_the_body(keyed: EngineProcess) -> None:
    """Without any key, as for every other request there."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(keyed.socket))
    with contextlib.closing(Wire(connection)) as wire:
        wire.send(head(path=LOAD, token="none"))
        assert wire.head()[0] == 100
        wire.send(BODY)
        assert wire.answer()[0] == 400  # of the body


def test_what_was_refused_is_written_down(wire: Wire, keyed: EngineProcess) -> None:
    """Who tries to operate without the scope is in the audit, body or not."""
    wire.send(head("x-request-id: tried-it", path=LOAD))
    _, headers, _ = wire.answer()
    file = keyed.home / ".local/state/ai-orchestra/audit.log"

    def lines() -> list[dict[str, object]]:
        written = map(json.loads, file.read_text().splitlines())
        return [line for line in written if line.get("request_id") == headers["x-request-id"]]

    # The other process writes it when its answer is out.
    wait_outside(lines, "line of the refused request")
    (line,) = lines()
    assert (line["who"], line["status"]) == ("user", 403)
