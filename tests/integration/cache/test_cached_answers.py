"""The same question twice: what is answered from the cache, in which form, and how it is told and accounted for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from orchestra_core.domain.principal import Scope
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, event, finish, head, page, token, tokens, well, whole
from tests.fakes.engine_here import EngineHere
from tests.integration.cache.asking import STREAM, cache, kept, usage

WEATHER = [{"index": 0, "id": "c", "type": "function", "function": {"name": "w", "arguments": '{"a": 1}'}}]


@pytest.mark.parametrize("second", [{}, STREAM, {"stream": True}])
@pytest.mark.parametrize("first", [{}, STREAM])
@pytest.mark.parametrize("kind", ["openai", "ollama", "llamacpp"])
async def test_an_answer_is_given_again_in_the_form_it_is_asked_for(
    tmp_path: Path, kind: str, first: dict[str, object], second: dict[str, object]
) -> None:
    """Whole or streamed, whatever the first was and the backend speaks, with the same words and counts."""
    async with ChaosBackend("a", kind) as backend:
        backend.well = well()
        async with EngineHere(tmp_path, [backend]) as engine:
            one = await engine.chat(temperature=0, **first)
            await kept(engine)
            two = await engine.chat(temperature=0.0, **second)
    assert (cache(one), cache(two)) == ("miss", "hit")
    assert two.content == one.content != ""
    assert (two.streamed, two.done) == (bool(second), bool(second))
    assert usage(two) == (None if second == {"stream": True} else usage(one))
    assert len(backend.calls) == 1
    assert (two.attempts, two.backend, two.headers["age"]) == (0, "a", "0")


async def test_the_official_client_reads_what_is_given_again(
    engine: EngineHere, backend: ChaosBackend
) -> None:
    """Text and tool calls, whole and streamed, with counts, from an answer that came as a stream."""
    call = {"tool_calls": [{**WEATHER[0], "function": {"name": "w", "arguments": '{"a"'}}]}
    rest = {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}
    deltas: list[Any] = [{"role": "assistant", "content": "Let me "}, {"content": "see. 日本"}, call, rest]
    events = [event({"id": "x", "choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    backend.script(head(), *events, finish("tool_calls"), end())
    async with openai.AsyncOpenAI(base_url=f"{engine.engine.address}/v1", api_key="none") as client:
        asked: Any = {"model": "m", "messages": [{"role": "user", "content": "?"}], "temperature": 0}
        found = []
        for _ in range(2):
            raw = await client.chat.completions.with_raw_response.create(**asked, **STREAM)
            parts = [part async for part in raw.parse()]
            assert parts[-1].usage is not None
            said = [choice for part in parts for choice in part.choices]
            called = [one for choice in said for one in choice.delta.tool_calls or []]
            assert {one.index for one in called} == {0}
            found.append(
                (
                    "".join(choice.delta.content or "" for choice in said),
                    "".join(one.function.name or "" for one in called if one.function),
                    "".join(one.function.arguments or "" for one in called if one.function),
                    said[-1].finish_reason,
                    parts[-1].usage.completion_tokens,
                )
            )
            await kept(engine)
        again = await client.chat.completions.with_raw_response.create(**asked)
    whole = again.parse()
    assert found[0] == found[1] == ("Let me see. 日本", "w", '{"a": 1}', "tool_calls", 0)
    assert (raw.headers["x-orchestra-cache"], again.headers["x-orchestra-cache"]) == ("hit", "hit")
    message = whole.choices[0].message
    assert (message.content, message.tool_calls[0].function.arguments) == ("Let me see. 日本", '{"a": 1}')
    assert whole.choices[0].finish_reason == "tool_calls"
    assert len(backend.calls) == 1


@pytest.mark.parametrize("streamed", [True, False])
async def test_completions_are_given_again_too(
    engine: EngineHere, backend: ChaosBackend, streamed: bool
) -> None:
    """The older endpoint, whole and streamed, out of either."""
    choice = {"index": 0, "text": "upon a time", "finish_reason": "stop"}
    content = json.dumps({"id": "x", "choices": [choice], "usage": {"completion_tokens": 3}})
    if streamed:
        backend.script(head(), token("upon "), token("a time"), finish(), end())
    else:
        backend.script(*page(200, content, "application/json"))
    asked = {"model": "m", "prompt": "Once", "temperature": 0}
    await engine.post("/v1/completions", {**asked, "stream": streamed})
    await kept(engine)
    whole = await engine.post("/v1/completions", asked)
    stream = await engine.post("/v1/completions", {**asked, "stream": True})
    parts = [json.loads(data)["choices"][0] for _, data in stream.events if data[0] == "{"]
    assert (cache(whole), cache(stream), len(backend.calls)) == ("hit", "hit", 1)
    assert whole.json["choices"][0]["text"] == "".join(part["text"] for part in parts) == "upon a time"
    assert (whole.json["choices"][0]["finish_reason"], parts[-1]["finish_reason"]) == ("stop", "stop")


async def test_surfaces_answer_each_others_questions(engine: EngineHere) -> None:
    """What was asked as a chat is answered to a prompt of the native surface, whose metrics say how."""
    one = await engine.chat(temperature=0)
    await kept(engine)
    plain = {"prompt": "Hi", "model": "m", "temperature": 0}
    two = (await engine.post("/api/v1/route", plain)).json
    assert (two["response"], two["model_used"], two["backend"]) == (one.content, "m", "a")
    assert (two["metrics"]["cache"], two["metrics"]["age_seconds"], two["metrics"]["cost"]) == ("hit", 0, 0.0)
    assert two["metrics"]["saved"] == pytest.approx(5e-6)
    assert two["reasoning"] == "Given again from the cache."
    three = await engine.post("/api/v1/route", {**plain, "stream": True})
    assert [name for name, _ in three.events] == ["start", "token", "done"]
    fresh = (await engine.post("/api/v1/route", {**plain, "prompt": "Ho"})).json
    assert (fresh["metrics"]["cache"], fresh["metrics"]["saved"]) == ("miss", None)


async def test_only_what_is_steady_is_kept_unless_asked(engine: EngineHere, backend: ChaosBackend) -> None:
    """Without a temperature of 0 nothing is kept or said of the cache, but on request."""
    for fields in ({}, {"temperature": 0.7}):
        answers = [await engine.chat(**fields) for _ in range(2)]
        assert [cache(answer) for answer in answers] == [None, None]
    assert len(backend.calls) == 4
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    path = "/v1/chat/completions"
    wishes = [{"x_orchestra_cache": "use"}, {"cache_control": "max-age=60"}, {"x_orchestra_cache": "off"}]
    found = []
    for wish in wishes:
        found.append(cache(await engine.post(path, body, **wish)))
        await kept(engine)
    assert found == ["miss", "hit", None]
    wrong = await engine.post(path, body, x_orchestra_cache="maybe")
    assert (wrong.status, wrong.error["param"]) == (400, "x-orchestra-cache")


async def test_cache_control_is_honoured(
    engine: EngineHere, backend: ChaosBackend, leap: Callable[[float], None]
) -> None:
    """no-cache asks anew and keeps, no-store keeps nothing, max-age and only-if-cached mean what they say."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}

    async def ask(control: str = "") -> tuple[int, str | None]:
        answer = await engine.post("/v1/chat/completions", body, cache_control=control)
        return answer.status, cache(answer)

    assert await ask("only-if-cached") == (504, None)
    assert await ask("no-store") == (200, "miss")
    assert await ask("only-if-cached") == (504, None)
    assert await ask() == (200, "miss")
    await kept(engine)
    assert await ask("only-if-cached") == (200, "hit")
    assert await ask("no-store") == (200, "hit")
    leap(5)
    assert await ask("max-age=4") == (200, "miss")
    await kept(engine, 2)
    leap(3)
    answer = await engine.post("/v1/chat/completions", body, cache_control="max-age=4")
    assert (cache(answer), answer.headers["age"]) == ("hit", "3")
    assert await ask("no-cache") == (200, "miss")
    await kept(engine, 3)
    assert len(backend.calls) == 4
    leap(3600)
    assert await ask("only-if-cached") == (504, None)


async def test_a_hit_costs_nothing_and_says_what_it_saved(engine: EngineHere) -> None:
    """Its row has no attempt and no backend; totals, snapshot and metrics count it."""
    await engine.chat(temperature=0, stream=True)
    await kept(engine)
    await engine.chat(temperature=0)
    hit, miss = await engine.rows()
    assert (hit.cache, hit.cost, hit.attempts, hit.backend, hit.model_served) == ("hit", 0.0, 0, "", "m")
    assert hit.saved == miss.cost == pytest.approx(9e-6)
    assert (hit.tokens_in, hit.tokens_out, hit.decision_id) == (3, 3, miss.decision_id)
    assert (miss.cache, miss.saved, miss.attempts, hit.tier_served) == ("", None, 1, miss.tier_served)
    view = engine.engine.answers.view()
    assert (view.place, view.hits, view.misses, view.kept, view.entries) == ("memory", 1, 1, 1, 1)
    assert view.saved == hit.saved
    assert engine.totals().requests == 2
    assert engine.snapshot().cache.hits == 1
    text = (await engine.get("/metrics")).text
    assert 'orchestra_cache_total{result="hit"} 1' in text


async def test_answers_are_nobody_elses(tmp_path: Path, backend: ChaosBackend) -> None:
    """Two keys that ask the same are answered each for itself."""
    async with EngineHere(tmp_path, [backend], "[server]\nrequire_key = true\n") as engine:
        keys = [await engine.engine.keys.create(name, (Scope.USE,), None, None) for name in ("one", "two")]
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
        found = []
        for number, key in enumerate([*keys, *keys], 1):
            bearer = f"Bearer {key['token']}"
            found.append(cache(await engine.post("/v1/chat/completions", body, authorization=bearer)))
            await kept(engine, min(number, 2))
    assert found == ["miss", "miss", "hit", "hit"]


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ([head(), *tokens(3), finish("length"), end()], {}),
        ([head(), *tokens(3), finish("length"), end()], {"max_tokens": 4}),
        ([head(), *tokens(3), finish("content_filter"), end()], {}),
        ([head(), finish("stop"), end()], {}),
        ([head(), *tokens(1), event({"error": {"message": "broken"}})], {}),
        (page(500, "{}", "application/json"), {}),
    ],
    ids=["cut", "cut by the context", "filtered", "empty", "broken", "failed"],
)
async def test_what_is_not_whole_is_never_kept(
    engine: EngineHere, backend: ChaosBackend, steps: list[Any], fields: dict[str, object]
) -> None:
    """The next who asks is answered by the backend."""
    backend.script(*steps, times=3)
    await engine.chat(temperature=0, stream=True, **fields)
    made = len(backend.calls)
    again = await engine.chat(temperature=0, stream=True, **fields)
    assert cache(again) != "hit"
    assert len(backend.calls) > made


async def test_an_answer_that_the_client_itself_cut_is_whole(
    engine: EngineHere, backend: ChaosBackend
) -> None:
    """It would be cut at the same place again."""
    backend.script(head(), *tokens(3), finish("length"), end())
    one = await engine.chat(temperature=0, stream=True, max_tokens=3)
    await kept(engine)
    two = await engine.chat(temperature=0, max_tokens=3)
    assert (cache(two), two.content) == ("hit", one.content)
    assert two.json["choices"][0]["finish_reason"] == "length"


async def test_a_whole_answer_with_more_than_text_stays_as_it_came(
    engine: EngineHere, backend: ChaosBackend
) -> None:
    """Probabilities are given again byte for byte, and never to a stream."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Yes"},
        "finish_reason": "stop",
        "logprobs": {"content": [{"token": "Yes", "logprob": -0.1}]},
    }
    content = {"id": "x", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}

    backend.script(*page(200, json.dumps(content), "application/json"), times=1)
    asked: dict[str, object] = {"temperature": 0, "logprobs": True}
    one = await engine.chat(**asked)
    await kept(engine)
    two = await engine.chat(**asked)
    assert (cache(two), two.body) == ("hit", one.body)
    three = await engine.chat(**asked, stream=True)
    assert (cache(three), len(backend.calls)) == (None, 2)


async def test_an_answer_that_is_too_large_is_not_kept(tmp_path: Path, backend: ChaosBackend) -> None:
    """Whole or streamed, it goes to its client as ever."""
    async with EngineHere(tmp_path, [backend], '[cache]\nentry_bytes = "1KB"\n') as engine:
        for number, stream in enumerate([True, True, False, False], 1):
            long = [token(f"{n * n % 99991:x}") for n in range(3000)] if stream else [token("x" * 2000)]
            backend.script(*([head(), *long, finish(), end()] if stream else [whole("x" * 2000)]))
            answer = await engine.chat(temperature=0, stream=stream, text=f"long {stream}")
            assert (cache(answer), len(backend.calls)) == ("miss", number)
            assert len(answer.content) >= 2000
        assert engine.engine.answers.view().kept == 0


async def test_the_cache_can_be_cleared_and_switched_off(engine: EngineHere, backend: ChaosBackend) -> None:
    """An operator's word is enough, and a reload of the configuration takes effect at once."""
    await engine.chat(temperature=0)
    await kept(engine)
    cleared = (await engine.post("/api/v1/cache/clear", {})).json
    assert (cleared["entries"], cleared["bytes"] > 600) == (1, True)
    assert cache(await engine.chat(temperature=0)) == "miss"
    await kept(engine, 2)
    await engine.reload(engine.file.read_text() + "[cache]\nenabled = false\n")
    assert cache(await engine.chat(temperature=0)) is None
    assert engine.engine.answers.view().place == "off"
    assert len(backend.calls) == 3


async def test_other_models_under_old_names_are_asked_anew(engine: EngineHere, backend: ChaosBackend) -> None:
    """When the configuration of the models changes, what was kept under it is not given again."""
    await engine.chat(temperature=0)
    await kept(engine)
    changed = engine.file.read_text().replace("cost_per_million_input = 1.0", 'quality = "high"')
    await engine.reload(changed)
    assert cache(await engine.chat(temperature=0)) == "miss"
    assert len(backend.calls) == 2


async def test_embeddings_are_given_again(tmp_path: Path, backend: ChaosBackend) -> None:
    """They have no temperature and are the same every time."""
    able = '[models.m]\ncapabilities = ["embedding"]\n'
    vector = '{"data": [{"index": 0, "embedding": [0.5, 0.25]}], "usage": {"prompt_tokens": 1}}'
    async with EngineHere(tmp_path, [backend], able) as engine:
        backend.control = page(200, vector, "application/json")
        asked = {"model": "m", "input": "a text"}
        one = await engine.post("/v1/embeddings", asked)
        await kept(engine)
        two = await engine.post("/v1/embeddings", asked)
        other = await engine.post("/v1/embeddings", {**asked, "input": "another"})
    assert (cache(one), cache(two), cache(other)) == ("miss", "hit", "miss")
    assert two.json == one.json
