"""Servers that are absent, silent, wrong or hostile: always a ControlError that says what to do."""

import asyncio
import socket
from contextlib import suppress

import httpx
import pytest

from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.llamacpp import LlamaCpp
from orchestra_core.upstream.control.ollama import Ollama
from orchestra_core.upstream.control.openai import OpenAI
from orchestra_core.upstream.control.remote import BODY_LIMIT, Ignored, Remote, until
from tests.fakes.scripted_http import Reply, ScriptedHttp

KINDS = [Ollama, LlamaCpp, OpenAI]
LISTS = ("/api/tags", "/api/ps", "/api/version", "/v1/models", "/health", "/props")

HOSTILE = {
    "html": Reply(b"<!doctype html><title>Welcome to nginx!</title>", headers={"content-type": "text/html"}),
    "empty": Reply(b""),
    "null": Reply(None),
    "a list": Reply([1, 2]),
    "wrong types": Reply({"models": "none", "data": 7, "version": [], "status": {}}),
    "wrong entries": Reply({"models": [{"name": 5}], "data": [{"id": None}], "version": {}}),
    "a truncated body": Reply(b'{"models": [{"name": "a"', headers={"content-length": "24"}),
    "a body cut off": Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"),
    "no HTTP": Reply(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
    "nothing": Reply(raw=b""),
    "bytes that are no text": Reply(b'{"models": "\xff\xfe", "data": "\xff", "version": "\xff"}'),
    "deep nesting": Reply(b'{"models":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "compressed bytes": Reply(b"\x1f\x8b\x08\x00" + b"\x00" * 40, headers={"content-encoding": "gzip"}),
    "a redirect": Reply(status=301, headers={"location": "http://169.254.169.254/"}),
    "an error page": Reply(b"<h1>Bad gateway</h1>", status=502),
    "an error": Reply({"error": {"message": "boom \x1b[2J\r\n" + "x" * 5000}}, 500),
    "a refusal": Reply({"error": "who are you"}, 403),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_answer_is_an_error_with_one_short_line(
    client: httpx.AsyncClient, kind: type[Ollama | LlamaCpp | OpenAI], reply: Reply
) -> None:
    """Whatever comes back, listing fails cleanly, and the message is safe to print."""
    async with ScriptedHttp() as server:
        for path in LISTS:
            server.at("GET", path, reply)

        with pytest.raises(ControlError) as caught:
            await kind(server.url, client, {}).models()

    message = caught.value.message
    assert server.url in message
    assert len(message) < 600
    assert message.isprintable()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_not_running_asks_whether_it_is(
    client: httpx.AsyncClient, kind: type[Ollama | LlamaCpp | OpenAI]
) -> None:
    """The message names the server and its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ControlError, match=rf"connection refused: is .* running at {url}") as caught:
            await kind(url, client, {}).probe()

    assert caught.value.answered is None
    assert caught.value.status == 409


async def test_a_server_that_stays_silent_is_given_up(client: httpx.AsyncClient) -> None:
    """A look is bounded in time."""
    gate = asyncio.Event()
    async with ScriptedHttp() as server:
        server.at("GET", "/x", Reply({}, gate=gate))

        with pytest.raises(ControlError, match=r"did not answer within 0\.05 s"):
            await Remote("Ollama", server.url, client, {}).get("/x", Ignored, seconds=0.05)

        gate.set()


async def test_a_server_that_drips_is_given_up(client: httpx.AsyncClient) -> None:
    """The time counts for the whole answer, not from byte to byte."""
    stop = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while not stop.is_set() and not writer.is_closing():
            writer.write(b" ")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await stop.wait()
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    remote = Remote("Ollama", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", client, {})
    with pytest.raises(ControlError, match="did not answer within"):
        await remote.get("/x", Ignored, seconds=0.1)

    stop.set()
    server.close()
    await server.wait_closed()


async def test_a_body_without_end_is_not_read_to_the_end(client: httpx.AsyncClient) -> None:
    """More than the limit is refused; memory is not theirs to fill."""
    async with ScriptedHttp() as server:
        server.at("GET", "/v1/models", Reply(b" " * (BODY_LIMIT + 1)))

        with pytest.raises(ControlError, match="more than 16 MiB"):
            await OpenAI(server.url, client, {}).models()


async def test_redirects_are_not_followed(client: httpx.AsyncClient) -> None:
    """A backend cannot send us, with its key, to somebody else."""
    async with ScriptedHttp() as elsewhere, ScriptedHttp() as server:
        server.at("GET", "/api/version", Reply(status=307, headers={"location": f"{elsewhere.url}/x"}))

        with pytest.raises(ControlError, match="redirects elsewhere"):
            await Ollama(server.url, client, {}).probe()

        assert elsewhere.asked == []


async def test_an_unknown_host_says_so(client: httpx.AsyncClient) -> None:
    """A name that does not resolve is told from a server that is down."""
    with pytest.raises(ControlError, match="check the name"):
        await Ollama("http://no-such-host.invalid:1", client, {}).probe()


async def test_waiting_ends_in_time() -> None:
    """What never comes true is given up, what does is noticed."""
    answers = iter([False, False, True])

    async def never() -> bool:
        return False

    async def third() -> bool:
        return next(answers)

    assert not await until(never, seconds=0.02, every=0.001)
    assert await until(third, seconds=5, every=0.001)
