"""Where requests go: the choice is sane, its explanation adds up, and a burst does not run to one place."""

import concurrent.futures
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest

from orchestra_core.domain.call import Task
from tests.fakes.engine_process import EngineProcess, FleetProcess

SMALL = {"sim-gemma2:2b", "sim-llama3.2:3b", "sim-phi-3.5-mini-instruct", "sim-llama3.1:8b", "sim-cloud-mini"}
LARGE = {"sim-llama-3.3-70b-instruct", "sim-cloud-large", "sim-deepseek-r1:32b"}


@pytest.fixture(scope="module")
def fresh() -> Iterator[EngineProcess]:
    """A demo that nobody has used: all it knows are priors."""
    with EngineProcess(demo=True) as engine:
        yield engine


def select(engine: EngineProcess, task: str, prompt: str = "", **wishes: object) -> dict[str, Any]:
    answer = engine.post("/api/v1/select-model", {"task": task, "prompt": prompt, "requirements": wishes})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("task", ["reasoning", "code_generation", "analysis", "creative", "conversation"])
def test_high_quality_gets_a_large_model(fresh: EngineProcess, task: str) -> None:
    """Nothing of the middle or small tier answers a call for high quality while a large model is ready."""
    chosen = select(fresh, task, quality="high")
    assert chosen["selected_model"] in LARGE
    assert chosen["degraded"] is False
    rejected = chosen["explanation"]["rejected"]
    assert {no["endpoint"] for no in rejected if no["reason"] == "quality"} >= {"sim-laptop/sim-gemma2:2b"}


@pytest.mark.parametrize("task", ["conversation", "text_generation", "creative"])
def test_low_quality_and_high_speed_get_a_small_model(fresh: EngineProcess, task: str) -> None:
    """A quick answer from something small and free beats the large models."""
    chosen = select(fresh, task, quality="low", speed="high")
    assert chosen["selected_model"] in SMALL
    assert chosen["alternatives"]


def test_a_pinned_model_is_never_exchanged(fresh: EngineProcess) -> None:
    """A name is a name, also where another model is much better."""
    answer = fresh.chat(model="sim-phi-3.5-mini-instruct", max_tokens=2)
    assert answer.headers["x-orchestra-model"] == "sim-phi-3.5-mini-instruct"
    assert answer.headers["x-orchestra-backend"] == "sim-edge"


def test_embedding_and_vision_go_to_who_can(fresh: EngineProcess) -> None:
    """Each of the special tasks is served by a model with that capability, or not at all."""
    assert select(fresh, "embedding")["selected_model"] == "sim-nomic-embed-text"
    assert select(fresh, "vision")["selected_model"] in {"sim-llava:7b", "sim-cloud-large"}


@pytest.mark.parametrize("task", [*Task, "completion", "code"])
def test_every_task_of_the_contract_can_be_served(fresh: EngineProcess, task: str) -> None:
    """The tasks and the two older names are all known, and the demo has a model for each."""
    aliases = {"completion": "text_generation", "code": "code_generation"}
    assert select(fresh, task)["task"] == aliases.get(task, task)


@pytest.mark.parametrize(
    "wishes",
    [{}, {"quality": "high"}, {"quality": "low", "speed": "high"}, {"speed": "low", "max_tokens": 50}],
)
@pytest.mark.parametrize("task", ["code_generation", "conversation", "embedding"])
def test_the_explanation_adds_up_exactly(fresh: EngineProcess, task: str, wishes: dict[str, object]) -> None:
    """Every candidate's points add up to its utility to the last bit, and the ranking is by utility."""
    answer = select(fresh, task, "Explain this.", **wishes)
    explanation = answer["explanation"]
    candidates = explanation["candidates"]
    for candidate in candidates:
        for term in candidate["terms"]:
            assert term["points"] == term["value"] * term["weight"], term
        assert reduce(add, (term["points"] for term in candidate["terms"]), 0.0) == candidate["utility"]
    calm = [candidate["utility"] for candidate in candidates if not candidate["overloaded"]]
    assert calm == sorted(calm, reverse=True)
    if len(candidates) > 1:
        assert explanation["margin"] == candidates[0]["utility"] - candidates[1]["utility"]
    assert candidates[0]["model"] == answer["selected_model"]
    assert answer["alternatives"] == list(
        dict.fromkeys(one["model"] for one in candidates[1:] if one["model"] != candidates[0]["model"])
    )
    seen = {one["endpoint"] for one in candidates} | {no["endpoint"] for no in explanation["rejected"]}
    assert len(seen) == 12 == len(candidates) + len(explanation["rejected"])


def test_the_explanation_of_an_answer_is_that_of_the_choice(fresh: EngineProcess) -> None:
    """What `route` did is what `select-model` said, with the reason in words."""
    wishes = {"quality": "high", "max_tokens": 3}
    chosen = select(fresh, "creative", "A poem.", **wishes)
    body = {"prompt": "A poem.", "task": "creative", "requirements": wishes}
    answer = fresh.post("/api/v1/route", body).json()
    assert answer["model_used"] == chosen["selected_model"]
    assert answer["reasoning"].startswith(f"{answer['model_used']} on {answer['backend']}")
    assert answer["metrics"]["tokens_generated"] <= 3


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("Write a Python function that reverses a list.\n```python\ndef f(x):\n```", "code_generation"),
        ("Hello, how are you?", "conversation"),
        ("Write a short story about a lighthouse.", "creative"),
    ],
)
def test_the_task_is_inferred_where_nobody_says_it(fresh: EngineProcess, prompt: str, task: str) -> None:
    """A prompt that plainly is of a kind is taken as that."""
    answer = fresh.post("/api/v1/route", {"prompt": prompt, "max_tokens": 2}).json()
    assert answer["task"] == task


def test_a_choice_is_the_same_twice(fresh: EngineProcess) -> None:
    """Nothing happened in between, so nothing changes."""
    first, second = (select(fresh, "analysis", quality="medium") for _ in range(2))
    assert first["selected_model"] == second["selected_model"]
    assert first["alternatives"] == second["alternatives"]


def test_a_wish_nothing_can_fulfil_is_served_and_said_to_be_degraded(mended: FleetProcess) -> None:
    """High quality with small models only: an answer, the header, and what had to give way."""
    with EngineProcess(mended.config(only=["sim-second"])) as engine:
        body = {"prompt": "Hi", "requirements": {"quality": "high"}, "max_tokens": 2}
        answer = engine.post("/api/v1/route", body)
        assert answer.json()["degraded"] is True
        assert answer.headers["x-orchestra-degraded"] == "true"
        chosen = select(engine, "conversation", quality="high")
        assert (chosen["degraded"], chosen["explanation"]["relaxed"]) == (True, "quality")
        assert "quality had to give way" in chosen["reasoning"]


def test_a_burst_spreads_over_what_there_is(mended: FleetProcess) -> None:
    """Fifty at once: nobody is overrun while the other is idle, and all are answered."""
    config = mended.config(slots=8)
    for name in mended.backends:  # slower than a busy machine sends fifty requests
        mended.fault(name, "slow", factor=10)
    with EngineProcess(config) as engine, engine.connect(seconds=60) as client:
        body = {"model": "sim-small:1b", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 40}

        def ask(_: int) -> str:
            answer = client.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
            return answer.headers["x-orchestra-backend"]

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            served = Counter(pool.map(ask, range(50)))
    assert set(served) == {"sim-small", "sim-second"}
    assert min(served.values()) >= 8, served


def test_a_burst_of_free_choice_spreads_over_the_demo(fresh: EngineProcess) -> None:
    """Fifty in a hurry, without a name and without money: several endpoints take part, none takes nearly all."""
    body = {"prompt": "Hello there.", "max_tokens": 8, "max_cost": 0, "requirements": {"speed": "high"}}

    def ask(_: int) -> str:
        answer = fresh.post("/api/v1/route", body)
        assert answer.status_code == 200, answer.text
        return f"{answer.headers['x-orchestra-backend']}/{answer.headers['x-orchestra-model']}"

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        served = Counter(pool.map(ask, range(50)))
    assert len(served) >= 2, served
    assert max(served.values()) <= 42, served


def test_speed_is_learned_from_what_is_observed(mended: FleetProcess) -> None:
    """A backend that is much slower than it looks loses its clients to the other, and does not get them back."""
    body = {"prompt": "Hi", "model": "sim-small:1b", "max_tokens": 60, "requirements": {"speed": "high"}}
    mended.fault("sim-second", "slow", factor=40)
    with EngineProcess(mended.config()) as engine:

        def once() -> str:
            return engine.post("/api/v1/route", {**body, "stream": True}).headers["x-orchestra-backend"]

        served = [once() for _ in range(10)]
        assert served[-4:] == ["sim-small"] * 4
        # A snapshot may be a moment old.
        seen = engine.until(lambda state: sum(one["calls"] for one in state["models"]) >= len(served))
        measured = {one["backend"]: one for one in seen["models"] if one["calls"]}
        assert measured["sim-small"]["tokens_per_second"] > 500
        if "sim-second" in measured:
            assert measured["sim-second"]["tokens_per_second"] < 200
