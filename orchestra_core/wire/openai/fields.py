"""The fields of a request that are passed on, each with the range backends take it in.

The rule: what OpenAI's reference, llama.cpp's and vLLM's name as a field of the request passes when its value is in
range; everything else is refused by name. A field a backend would only ignore is no reason to guess: llama.cpp has
crashed on numbers of its own fields (CVE-2026-21869 `n_discard`, pull request 24786) and multiplied work without
bound (pull request 24017 `n_cmpl`). Not passed: what names files, templates, code or slots of a backend
(`chat_template`, `lora`, `id_slot`, `logits_processors`), and second names of a limit we count (`n_predict`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from orchestra_core.domain.call import Kind
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.wire.bodies import Fraction, Temperature, Tokens, decode

Object = dict[str, Any]
Word = Annotated[str, Meta(max_length=512)]
Long = Annotated[str, Meta(max_length=65536)]
Stop = Annotated[str, Meta(max_length=1024)]
Stops = Annotated[list[Stop], Meta(max_length=32)]
Words = Annotated[list[Word], Meta(max_length=256)]
Choices = Annotated[int, Meta(ge=1, le=128)]
Few = Annotated[int, Meta(ge=0, le=20)]
Integer = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Window = Annotated[int, Meta(ge=-1, le=1_000_000)]
Penalty = Annotated[float, Meta(ge=-2.0, le=2.0)]
Factor = Annotated[float, Meta(ge=0.0, le=100.0)]
Bias = Annotated[float, Meta(ge=-100.0, le=100.0)]
Ids = Annotated[list[Annotated[int, Meta(ge=0, le=2**31 - 1)]], Meta(max_length=4096)]
Biases = Annotated[dict[str, Bias], Meta(max_length=4096)]
Many = Annotated[list[Object], Meta(max_length=1024)]

# What a typed decoder of `requests` has checked already: most bodies have nothing else.
PLAIN = {
    Kind.CHAT: frozenset(
        {
            "model",
            "messages",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
        }
    ),
    Kind.COMPLETION: frozenset(
        {"model", "prompt", "stream", "stream_options", "max_tokens", "temperature", "top_p"}
    ),
    Kind.EMBEDDING: frozenset({"model", "input"}),
}
# Strings of these are what people write: a NUL in them is theirs.
TEXTS = ("messages", "prompt", "input", "suffix")


class _Any(msgspec.Struct, forbid_unknown_fields=True):
    """Every surface's."""

    model: msgspec.Raw
    user: Word | None = None
    metadata: Object | None = None
    safety_identifier: Word | None = None
    cache_salt: Word | None = None
    truncate_prompt_tokens: Window | None = None
    add_special_tokens: bool | None = None


class _Generating(_Any):
    stream: bool | None = None
    stream_options: Object | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    # OpenAI
    n: Choices | None = None
    stop: Stop | Stops | None = None
    seed: Seed | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: Biases | None = None
    # llama.cpp and vLLM: which tokens
    top_k: Window | None = None
    min_p: Fraction | None = None
    typical_p: Fraction | None = None
    top_n_sigma: Annotated[float, Meta(ge=-1.0, le=100.0)] | None = None
    xtc_probability: Fraction | None = None
    xtc_threshold: Fraction | None = None
    dynatemp_range: Factor | None = None
    dynatemp_exponent: Factor | None = None
    mirostat: Annotated[int, Meta(ge=0, le=2)] | None = None
    mirostat_tau: Factor | None = None
    mirostat_eta: Factor | None = None
    samplers: Words | None = None
    min_keep: Annotated[int, Meta(ge=0, le=1000)] | None = None
    allowed_token_ids: Ids | None = None
    bad_words: Words | None = None
    # repetition
    repeat_penalty: Factor | None = None
    repetition_penalty: Factor | None = None
    length_penalty: Penalty | None = None
    repeat_last_n: Window | None = None
    dry_multiplier: Factor | None = None
    dry_base: Factor | None = None
    dry_allowed_length: Window | None = None
    dry_penalty_last_n: Window | None = None
    dry_sequence_breakers: Stops | None = None
    # form of the answer
    response_format: Object | None = None
    grammar: Long | None = None
    json_schema: Object | None = None
    guided_json: Object | Long | None = None
    guided_regex: Long | None = None
    guided_choice: Words | None = None
    guided_grammar: Long | None = None
    structured_outputs: Object | None = None
    # where it ends
    min_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop_token_ids: Ids | None = None
    include_stop_str_in_output: bool | None = None
    ignore_eos: bool | None = None
    skip_special_tokens: bool | None = None
    spaces_between_special_tokens: bool | None = None
    t_max_predict_ms: Tokens | None = None
    # what is told beside it
    n_probs: Few | None = None
    prompt_logprobs: Few | None = None
    post_sampling_probs: bool | None = None
    return_tokens: bool | None = None
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    timings_per_token: bool | None = None
    return_progress: bool | None = None
    cache_prompt: bool | None = None
    prompt_cache_key: Word | None = None
    prompt_cache_retention: Word | None = None
    service_tier: Word | None = None
    store: bool | None = None


class _Chat(_Generating, kw_only=True):
    messages: msgspec.Raw = msgspec.Raw(b"[]")
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Few | None = None
    tools: Many | None = None
    tool_choice: Word | Object | None = None
    parallel_tool_calls: bool | None = None
    functions: Many | None = None
    function_call: Word | Object | None = None
    reasoning_effort: Word | None = None
    reasoning: Object | None = None
    reasoning_format: Word | None = None
    thinking: Object | None = None
    enable_thinking: bool | None = None
    verbosity: Word | None = None
    modalities: Words | None = None
    audio: Object | None = None
    prediction: Object | None = None
    web_search_options: Object | None = None
    chat_template_kwargs: Object | None = None
    parse_tool_calls: bool | None = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    documents: Many | None = None


class _Completion(_Generating, kw_only=True):
    prompt: msgspec.Raw = msgspec.Raw(b'""')
    suffix: str | None = None
    echo: bool | None = None
    best_of: Choices | None = None
    logprobs: Few | None = None
    use_beam_search: bool | None = None


class _Embedding(_Any, kw_only=True):
    input: msgspec.Raw = msgspec.Raw(b'""')
    dimensions: Annotated[int, Meta(ge=1, le=65536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    embd_normalize: Annotated[int, Meta(ge=-1, le=100)] | None = None
    normalize: bool | None = None
    input_type: Word | None = None
    truncate: bool | Word | None = None


_DECODERS: dict[Kind, msgspec.json.Decoder[Any]] = {
    Kind.CHAT: msgspec.json.Decoder(_Chat),
    Kind.COMPLETION: msgspec.json.Decoder(_Completion),
    Kind.EMBEDDING: msgspec.json.Decoder(_Embedding),
}
_INSTEAD = {
    "n_predict": "use `max_tokens`",
    "n_discard": "it can crash llama.cpp",
    "n_keep": "it can crash llama.cpp",
    "n_cmpl": "use `n`",
    "chat_template": "templates belong to the model",
    "id_slot": "the backend chooses its slot",
    "priority": "use /api/v1/route",
}


def check_fields(kind: Kind, body: bytes, names: Mapping[str, object]) -> None:
    """InvalidRequest for a field that is not passed on, or is out of range; `names` are the keys of `body`.

    For bodies that have others than `PLAIN` ones.
    """
    for name in _INSTEAD.keys() & names.keys():
        raise InvalidRequest(f"field `{name}` is not accepted: {_INSTEAD[name]}", param=name)
    decode(_DECODERS[kind], body)
