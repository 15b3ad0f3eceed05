"""What the tests of the cache ask of an answer and of an engine."""

import json
from typing import Any

from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer
from tests.fakes.turns import until

STREAM: dict[str, object] = {"stream": True, "stream_options": {"include_usage": True}}


def cache(answer: Answer) -> str | None:
    """What it says of the cache."""
    return answer.headers.get("x-orchestra-cache")


def usage(answer: Answer) -> tuple[int, int] | None:
    """The counts it tells, None where it tells none."""
    bodies = (
        [json.loads(data) for _, data in answer.events if data.startswith("{")]
        if answer.streamed
        else [answer.json]
    )
    found: list[dict[str, Any]] = [body["usage"] for body in bodies if body.get("usage")]
    return (found[-1]["prompt_tokens"], found[-1]["completion_tokens"]) if found else None


async def kept(engine: EngineHere, number: int = 1) -> None:
    """Returns when so many answers are kept, which is after their clients had them."""
    await until(lambda: engine.engine.answers.view().kept >= number)
    assert engine.engine.answers.view().kept == number


async def aboard(engine: EngineHere, number: int) -> None:
    """Returns when so many wait for what another asked first."""
    flights = engine.engine.answers.answer._flights._flights
    await until(lambda: sum(flight.waiting for flight in flights.values()) == number)
