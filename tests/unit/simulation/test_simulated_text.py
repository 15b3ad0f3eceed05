"""The words, vectors and fleets of the simulation, and how it reads requests."""

from math import inf, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.simulation import ollama_catalog, openai_dialects
from orchestra_core.simulation.dialogue import ask_chat, ask_text, message_tokens
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.reading import BadBody, keep_alive_seconds
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.spec import BackendSpec
from orchestra_core.simulation.text import span, vector, words


@given(st.text(max_size=20), st.integers(0, 60), st.integers(0, 60))
def test_an_answer_in_portions_is_the_answer_whole(id: str, first: int, second: int) -> None:
    """However the tokens are portioned, the text is the same, and it begins by saying what it is."""
    whole = span(id, 0, first + second)
    assert span(id, 0, first) + span(id, first, second) == whole
    assert not whole or whole.startswith("[simulated]")


def test_an_answer_says_that_it_is_simulated() -> None:
    """The first words are a plain sentence, then nonsense that differs by request."""
    assert span("x", 0, 14) == (
        "[simulated] This answer is simulated: no model was run, and the words mean nothing."
    )
    assert span("x", 14, 40) != span("y", 14, 40)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=3), st.integers(0, 60), st.integers(0, 40))
def test_an_answer_goes_on_from_any_point_of_it(asks: list[str], cut: int, rest: int) -> None:
    """With the text so far as the assistant's, the next tokens are those an uncut answer has there."""
    messages: list[dict[str, object]] = [{"role": "user", "content": text} for text in asks]
    whole = ask_chat("sim-m", messages)
    so_far = span(whole.content, 0, cut)
    begun = ask_chat("sim-m", [*messages, {"role": "assistant", "content": so_far}])
    assert (begun.content, begun.position) == (whole.content, cut)
    assert words(so_far) == cut
    assert so_far + span(begun.content, begun.position, rest) == span(whole.content, 0, cut + rest)
    assert begun.tokens == whole.tokens + cut


def test_a_text_completion_goes_on_from_the_mark() -> None:
    """The answer so far stands behind the prompt, and its first word says where it begins."""
    whole = ask_text("sim-m", "Once upon a time", 4)
    begun = ask_text("sim-m", "Once upon a time" + span(whole.content, 0, 20), 99)
    assert (begun.content, begun.position, begun.tokens) == (whole.content, 20, 24)


def test_what_was_asked_and_of_whom_decides_the_words() -> None:
    """Another question, role or model has another answer; parts of text count as the text they are."""
    ask = [{"role": "user", "content": "tea"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "tea"}]}]
    contents = {
        ask_chat("sim-m", ask).content,
        ask_chat("sim-n", ask).content,
        ask_chat("sim-m", [{"role": "system", "content": "tea"}]).content,
        ask_chat("sim-m", [{"role": "user", "content": "coffee"}]).content,
    }
    assert len(contents) == 4
    assert ask_chat("sim-m", parts) == ask_chat("sim-m", ask)


def test_vectors_are_of_unit_length_and_depend_on_the_text() -> None:
    """The same text has the same vector, another text another."""
    one = vector("tea", 64)
    assert len(one) == 64
    assert isclose(sum(value * value for value in one), 1.0)
    assert one == vector("tea", 64)
    assert one != vector("coffee", 64)


@pytest.mark.parametrize(
    ("given_value", "seconds"),
    [
        (None, None),
        ("10m", 600),
        ("1h30m", 5400),
        ("300ms", 0.3),
        (0, 0),
        ("0", 0),
        (-1, inf),
        ("-1m", inf),
        (7, 7),
    ],
)
def test_keep_alive_is_read_as_ollama_reads_it(given_value: str | int | None, seconds: float | None) -> None:
    """Numbers are seconds, text a Go duration, negative means for ever."""
    assert keep_alive_seconds(given_value) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "ten minutes", "1h30"])
def test_durations_go_would_not_read_are_refused(text: str) -> None:
    """The message names what was given."""
    with pytest.raises(BadBody, match="invalid duration"):
        keep_alive_seconds(text)


def test_prompts_are_measured_in_both_formats() -> None:
    """Text at four characters a token, parts and images included, and a few tokens a message."""
    assert message_tokens([{"role": "user", "content": "12345678"}]) == 6
    parts = [{"type": "text", "text": "1234"}, {"type": "image_url", "image_url": {"url": "x"}}]
    assert message_tokens([{"content": parts}]) == 4 + 1 + 256
    assert message_tokens([{"content": "1234", "images": ["x"]}]) == 4 + 1 + 256


ALL = [spec for fleet in FLEETS.values() for spec in fleet]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_everything_declared_says_that_it_is_simulated(spec: BackendSpec) -> None:
    """Names begin with `sim-`; the lists the backend shows say "simulated"; what is resident fits."""
    assert spec.name.startswith("sim-")
    for model in spec.models:
        assert model.name.startswith("sim-")
        assert "simulated" in ollama_catalog.show(model)["license"]
        assert ollama_catalog.tag(model)["details"]["parent_model"] == "simulated"
    for entry in openai_dialects.models(spec)["data"]:
        assert entry["owned_by"] == "simulated"
    assert ServiceModel(spec).memory_used <= (spec.memory or inf)


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS.keys())
def test_names_are_unique_in_a_fleet(fleet: tuple[BackendSpec, ...]) -> None:
    """Backends of a fleet, and models of a backend, have names of their own."""
    assert len({spec.name for spec in fleet}) == len(fleet)
    for spec in fleet:
        assert len({model.name for model in spec.models}) == len(spec.models)


def test_show_adds_up_to_the_declared_cache() -> None:
    """What `/api/show` tells of a model gives the KV bytes per token it was declared with."""
    model = FLEETS["demo"][0].models[0]
    info = ollama_catalog.show(model)["model_info"]
    assert isinstance(info, dict)
    heads, blocks = info["llama.attention.head_count_kv"], info["llama.block_count"]
    lengths = info["llama.attention.key_length"] + info["llama.attention.value_length"]
    assert heads * blocks * lengths * 2 == model.kv_bytes_per_token
