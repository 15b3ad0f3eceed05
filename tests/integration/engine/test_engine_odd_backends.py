"""Backends that answer oddly: each sort of answer leads to what it should, for the client and for the breaker."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.fakes.engine_process import PLAIN, EngineProcess
from tests.fakes.scripted_http import Asked, Reply, ScriptedHttp

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = ("POST", "/v1/chat/completions")
MODEL = "m"
KEY = "sk-very-secret-4711"


def answer(text: str) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return Reply(
        {"id": "x", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage}
    )


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: str) -> Reply:
    return Reply({"error": {"message": message, "type": "t", "code": None, **more}}, status, headers or {})


class Pair:
    """An engine over two scripted OpenAI-compatible servers, the first much preferred.

    Each test has a model of its own, and so endpoints and breakers of its own.
    """

    def __init__(self, engine: EngineProcess, first: ScriptedHttp, second: ScriptedHttp) -> None:
        self.engine, self.first, self.second = engine, first, second
        self.client = httpx.AsyncClient(base_url=engine.url, timeout=20, **PLAIN)
        self._number = 0
        self.model = ""

    def begin(self) -> None:
        """The next model, and servers that remember nothing."""
        self._number += 1
        self.model = f"m{self._number}"
        self.first.asked.clear()
        self.second.asked.clear()
        self.second.at(*CHAT, answer("from the second"))

    async def chat(self, **fields: object) -> httpx.Response:
        body = {"model": self.model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.client.post("/v1/chat/completions", json=body)

    async def snapshot(self) -> dict[str, Any]:
        return dict((await self.client.get("/api/v1/snapshot")).json())

    async def circuit(self) -> str:
        """The state of the first server's breaker for this test's model, once a snapshot has it."""
        async with asyncio.timeout(20):
            while True:
                for one in (await self.snapshot())["breakers"]:
                    if one["endpoint"] == f"first/{self.model}":
                        return str(one["state"])

    def asked(self, server: ScriptedHttp) -> list[Asked]:
        """What clients asked for this test's model, health probes left out."""
        return [one for one in self.all_asked(server) if "max_tokens" not in one.json]

    def all_asked(self, server: ScriptedHttp) -> list[Asked]:
        """The same with health probes, which ask for one token."""
        calls = [one for one in server.asked if (one.method, one.path) == CHAT]
        return [one for one in calls if one.json["model"] == self.model]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both() -> AsyncIterator[Pair]:
    async with contextlib.AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(ScriptedHttp()) for _ in range(2)]
        listed = {
            "object": "list",
            "data": [{"id": f"m{number}", "object": "model"} for number in range(1, 100)],
        }
        for server in (first, second):
            server.at("GET", "/v1/models", Reply(listed))
        config = "[discovery]\nenabled = false\n" + "".join(
            f'[[backends]]\nname = "{name}"\nkind = "openai"\nurl = "{server.url}"\nweight = {weight}\n'
            f'api_key_env = "{name.upper()}_KEY"\n'
            for name, server, weight in (("first", first, 1000), ("second", second, 1))
        )
        engine = EngineProcess(config, more={"FIRST_KEY": KEY, "SECOND_KEY": KEY})
        stack.callback(engine.close)
        await asyncio.to_thread(engine.start)
        made = Pair(engine, first, second)
        yield made
        await made.client.aclose()
        assert await asyncio.to_thread(engine.stop) == 0
        assert "Traceback" not in engine.log.text
        assert KEY not in engine.log.text


@pytest.fixture
def pair(both: Pair) -> Pair:
    both.begin()
    return both


MOVING: list[tuple[str, Reply]] = [
    ("500", error(500, "boom")),
    ("502", Reply(b"<html>Bad Gateway</html>", 502, {"content-type": "text/html"})),
    ("503 busy", error(503, "overloaded")),
    ("503 loading", error(503, "Loading model")),
    ("429", error(429, "slow down", {"retry-after": "7"})),
    ("401", error(401, "bad key")),
    ("403", error(403, "no access")),
    ("404", error(404, "no such model")),
    ("408", error(408, "too slow")),
    ("redirect", Reply(b"", 302, {"location": "http://127.0.0.1:9/"})),
    ("not json", Reply(b"hello")),
    ("html", Reply(b"<html>login</html>", 200, {"content-type": "text/html"})),
    ("other json", Reply({"hello": "world"})),
    ("empty list", Reply({"choices": []})),
    ("empty", Reply(b"")),
    ("not http", Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n")),
    ("cut head", Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-")),
    (
        "cut body",
        Reply(raw=b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"ch'),
    ),
    ("nothing", Reply(raw=b"")),
]


@pytest.mark.parametrize("reply", [reply for _, reply in MOVING], ids=[name for name, _ in MOVING])
async def test_what_another_backend_may_do_better_is_tried_there(pair: Pair, reply: Reply) -> None:
    """One attempt each, and the client has a whole answer."""
    pair.first.at(*CHAT, reply)
    got = await pair.chat()
    assert got.status_code == 200, got.text
    assert got.headers["x-orchestra-backend"] == "second"
    assert got.headers["x-orchestra-attempts"] == "2"
    assert got.json()["choices"][0]["message"]["content"] == "from the second"
    assert len(pair.asked(pair.first)) == len(pair.asked(pair.second)) == 1


STOPPING: list[tuple[Reply, int, str]] = [
    (error(400, "temperature and top_p exclude each other"), 400, "rejected_by_backend"),
    (error(422, "no such tool"), 400, "rejected_by_backend"),
    (error(400, "no", code="content_filter"), 400, "content_filter"),
]


@pytest.mark.parametrize(("reply", "status", "code"), STOPPING)
async def test_what_no_backend_would_do_better_stops(
    pair: Pair, reply: Reply, status: int, code: str
) -> None:
    """The client's own mistake is told in the backend's words, and nobody else is bothered with it."""
    pair.first.at(*CHAT, reply)
    got = await pair.chat()
    assert (got.status_code, got.json()["error"]["code"]) == (status, code)
    assert (
        json.loads(reply.render().partition(b"\r\n\r\n")[2])["error"]["message"]
        in got.json()["error"]["message"]
    )
    assert got.headers["x-orchestra-attempts"] == "1"
    assert not pair.asked(pair.second)


async def test_both_failing_is_502_with_the_last_words(pair: Pair) -> None:
    """Three attempts, not more, and each backend is asked before one is asked again; the error names the endpoint."""
    pair.first.at(*CHAT, error(500, "first is ill"))
    pair.second.at(*CHAT, error(500, "second is ill"))
    got = await pair.chat()
    assert (got.status_code, got.headers["x-orchestra-attempts"]) == (502, "3")
    assert got.headers["x-should-retry"] == "false"
    assert f"first/{pair.model}: first is ill" in got.json()["error"]["message"]
    assert (len(pair.asked(pair.first)), len(pair.asked(pair.second))) == (2, 1)


async def test_both_limited_is_429_with_their_time(pair: Pair) -> None:
    """The Retry-After of the backend reaches the client."""
    pair.first.at(*CHAT, error(429, "slow down", {"retry-after": "70"}))
    pair.second.at(*CHAT, error(429, "slow down", {"retry-after": "70"}))
    got = await pair.chat()
    assert (got.status_code, got.headers["retry-after"]) == (429, "70")
    got = await pair.chat()
    assert (got.status_code, got.headers["x-orchestra-attempts"]) == (429, "0")
    assert 60 <= int(got.headers["retry-after"]) <= 70


async def test_a_key_that_a_backend_echoes_is_shown_to_nobody(pair: Pair) -> None:
    """Neither to the client nor in the events."""
    for server in (pair.first, pair.second):
        server.at(*CHAT, error(401, f"Incorrect API key provided: {KEY}"))
    got = await pair.chat()
    assert KEY not in got.text
    assert KEY not in json.dumps(await pair.snapshot())


async def test_a_wrong_key_is_the_operators_to_mend(pair: Pair) -> None:
    """The client is told that it is not its fault, and no breaker opens."""
    for server in (pair.first, pair.second):
        server.at(*CHAT, error(401, "Incorrect API key provided"))
    got = await pair.chat()
    assert (got.status_code, got.json()["error"]["code"]) == (502, "backend_refused")
    assert "operator" in got.json()["error"]["message"]
    assert await pair.circuit() == "closed"


@pytest.mark.parametrize(
    ("reply", "opens", "asked"),
    [
        (error(500, "boom"), True, 5),
        (Reply(raw=b""), True, 5),
        (error(429, "slow down"), False, 1),
        (error(401, "bad key"), False, 7),
        (error(404, "no such model"), False, 7),
        (error(400, "bad request"), False, 7),
    ],
    ids=["500", "nothing", "429", "401", "404", "400"],
)
async def test_only_failures_of_the_backend_open_its_breaker(
    pair: Pair, reply: Reply, opens: bool, asked: int
) -> None:
    """Five failures in a row and it is not asked any more, nor for five seconds after a 429; the rest may go on."""
    pair.first.at(*CHAT, reply)
    for _ in range(7):
        await pair.chat()
    if opens:  # on a slow machine some of the five may have been probes
        assert len(pair.asked(pair.first)) <= asked <= len(pair.all_asked(pair.first))
        async with asyncio.timeout(20):
            while await pair.circuit() != "open":
                continue
    else:
        assert len(pair.asked(pair.first)) == asked
        assert await pair.circuit() == "closed"


async def test_our_key_goes_out_and_the_clients_does_not(pair: Pair) -> None:
    """Each backend gets its own key; what a client sends as its key stays here, and so do its other headers."""
    pair.first.at(*CHAT, answer("fine"))
    headers = {"authorization": "Bearer client-key", "cookie": "a=b", "x-forwarded-for": "1.2.3.4"}
    got = await pair.client.post(
        "/v1/chat/completions",
        json={"model": pair.model, "messages": [{"role": "user", "content": "Hi"}], "user": "u"},
        headers=headers,
    )
    assert got.status_code == 200
    (asked,) = pair.asked(pair.first)
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert not {"cookie", "x-forwarded-for"} & asked.headers.keys()
    assert asked.json["model"] == pair.model
    assert asked.json["user"] == "u"
    assert "stream" not in asked.json


async def test_what_the_client_sent_arrives_unchanged(pair: Pair) -> None:
    """Text of every alphabet, numbers as they were written, fields we do not read ourselves: all as sent."""
    pair.first.at(*CHAT, answer("fine"))
    text = 'quotes " \\ and \u00e9\u4e2d\U0001f600\u200d tabs\t'
    fields = {"temperature": 0.7000000000000001, "seed": 9223372036854775807, "logit_bias": {"50256": -100}}
    got = await pair.chat(messages=[{"role": "user", "content": text, "name": "n"}], **fields)
    assert got.status_code == 200, got.text
    (asked,) = pair.asked(pair.first)
    assert asked.json["messages"] == [{"role": "user", "content": text, "name": "n"}]
    assert {name: asked.json[name] for name in fields} == fields


def streamed(*pieces: bytes, head: bytes = b"text/event-stream") -> Reply:
    return Reply(
        raw=b"HTTP/1.1 200 OK\r\ncontent-type: " + head + b"\r\nconnection: close\r\n\r\n" + b"".join(pieces)
    )


def piece(text: str | None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    body = {
        "id": "x",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
EARLY: list[tuple[str, Reply]] = [
    ("nothing", streamed()),
    ("only a role", streamed(piece(""))),
    ("an error event", streamed(b'data: {"error": {"message": "out of memory", "code": 500}}\n\n')),
    (
        "tokens and an error at once",
        streamed(piece("lost"), b'data: {"error": {"message": "no", "code": 500}}\n\n'),
    ),
    ("no json", streamed(b"data: {nonsense\n\n")),
    ("not a stream", answer("not streamed")),
    ("comments", streamed(b": ping\n\n: ping\n\n")),
]


@pytest.mark.parametrize("reply", [reply for _, reply in EARLY], ids=[name for name, _ in EARLY])
async def test_a_stream_that_fails_before_its_first_token_moves_on(pair: Pair, reply: Reply) -> None:
    """Not a byte of it has reached the client, who is served whole by the second backend."""
    pair.first.at(*CHAT, reply)
    pair.second.at(*CHAT, streamed(piece("from the second"), piece(None, "stop"), DONE))
    got = await pair.chat(stream=True)
    assert (got.status_code, got.headers["x-orchestra-attempts"]) == (200, "2")
    assert got.text.count("from the second") == 1
    assert got.text.endswith("data: [DONE]\n\n")
    assert "error" not in got.text


LATE: list[tuple[str, bytes]] = [
    ("cut", b""),
    ("cut in an event", b'data: {"choices": [{"ind'),
]


@pytest.mark.parametrize("rest", [rest for _, rest in LATE], ids=[name for name, _ in LATE])
async def test_a_stream_that_fails_after_its_first_token_says_so(pair: Pair, rest: bytes) -> None:
    """One error event at the end, no `[DONE]`, and the second backend is not asked."""
    pair.first.at(*CHAT, streamed(piece("one "), piece("two "), rest))
    got = await pair.chat(stream=True)
    assert got.status_code == 200
    events = [line[6:] for line in got.text.splitlines() if line.startswith("data: ")]
    assert "[DONE]" not in events
    assert json.loads(events[-1])["error"]["code"] == "interrupted"
    assert [json.loads(event)["choices"][0]["delta"]["content"] for event in events[:2]] == ["one ", "two "]
    assert len(events) == 3
    assert not pair.asked(pair.second)


@pytest.mark.parametrize(
    "shape",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"data: ", b"data:"),
        lambda data: b": hello\n\nevent: message\nid: 1\n" + data,
        lambda data: b"\xef\xbb\xbf" + data,
    ],
    ids=["crlf", "no space", "other fields", "byte order mark"],
)
async def test_every_way_to_write_an_event_stream_is_understood(
    pair: Pair, shape: Callable[[bytes], bytes]
) -> None:
    """Line ends, spaces, comments and other fields are the server's choice; clients read one answer."""
    pair.first.at(*CHAT, streamed(shape(piece("one ") + piece("two") + piece(None, "stop") + DONE)))
    got = await pair.chat(stream=True)
    assert (got.status_code, got.headers["x-orchestra-backend"]) == (200, "first")
    native = await pair.client.post(
        "/api/v1/route", json={"prompt": "Hi", "model": pair.model, "stream": True}
    )
    assert '"response":"one two"' in native.text, native.text
