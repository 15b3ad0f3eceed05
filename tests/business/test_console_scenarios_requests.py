"""At a real terminal: two hundred requests, looked through, explained, followed, and one cancelled; scenario 7."""

import json
import threading
from collections.abc import Iterator

import pytest

from tests.fakes.consoles import console_at, filtered
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.terminal import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")

MODEL, FIRST, SECOND = "sim-small:1b", "sim-small", "sim-second"


@pytest.fixture
def engine(mended: FleetProcess) -> Iterator[EngineProcess]:
    """A real engine over two backends that serve one model, loaded on the first."""
    mended.load(FIRST, MODEL)
    with EngineProcess(mended.config()) as running:
        yield running


def ask(engine: EngineProcess, number: int) -> None:
    for _ in range(number):
        engine.chat(model=MODEL, max_tokens=2)


def test_two_hundred_requests_are_filtered_explained_and_followed(
    engine: EngineProcess, mended: FleetProcess
) -> None:
    """The filter outlives the detail and goes by escape; follow stays with the newest until a key moves."""
    ask(engine, 195)
    for name in (FIRST, SECOND):
        mended.fault(name, "error")
    ask(engine, 5)
    mended.repair()
    with console_at(engine.home, "--socket", str(engine.socket)) as terminal:
        terminal.sees("live")
        terminal.keys("5")
        terminal.sees("following")
        terminal.sees("success")
        filtered(terminal, "status:5")
        terminal.sees("filter: status:5")
        terminal.sees_not("success")
        terminal.sees("✕")
        terminal.keys("j", "Enter")
        terminal.sees("timeline")
        terminal.sees("attempt")
        terminal.keys("Escape")
        terminal.sees_not("timeline")
        assert "filter: status:5" in terminal.text
        terminal.keys("Escape")
        terminal.sees_not("filter:")
        terminal.keys("f")
        terminal.sees("following the newest")
        answer = engine.chat(model=MODEL, max_tokens=2)
        assert answer.status_code == 200, answer.text
        terminal.until(lambda: "success" in terminal.rows[4], "the newest request on top")
        terminal.keys("j")
        terminal.sees("holding")
        terminal.row("▌", "success")


def test_a_stream_is_cancelled_by_key_and_its_client_is_told(
    engine: EngineProcess, mended: FleetProcess
) -> None:
    """Enter alone does nothing; `y` ends it with an error event, and Events has the command for it."""
    for name in (FIRST, SECOND):
        mended.fault(name, "slow", factor=600)
    told: list[str] = []

    def listen() -> None:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "go on"}], "max_tokens": 4000}
        with (
            engine.connect() as client,
            client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as answer,
        ):
            told.extend(line for line in answer.iter_lines() if line.startswith("data: {"))

    with console_at(engine.home, "--socket", str(engine.socket)) as terminal:
        terminal.sees("live")
        terminal.keys("5")
        terminal.sees("no requests yet")
        client = threading.Thread(target=listen)
        client.start()
        terminal.sees("streaming")
        terminal.keys("j", "X")
        terminal.sees("Cancel req-")
        terminal.keys("Enter")
        terminal.sees_not("Cancel req-")
        assert client.is_alive()
        terminal.keys("X")
        terminal.sees("Cancel req-")
        terminal.keys("y")
        terminal.sees("is cancelled")
        client.join(timeout=30)
        error = json.loads(told[-1].removeprefix("data: "))["error"]
        assert (error["code"], error["message"]) == ("cancelled", "cancelled by an operator")
        terminal.keys("9")
        terminal.row("done", "ai-orchestra cancel")
