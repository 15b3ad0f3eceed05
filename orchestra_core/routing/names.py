"""What a model's name tells: its size, quantisation, family and speciality.

Names are all that many servers report. The patterns are those of model hubs: `llama3.1:8b`,
`qwen2.5-coder-32b-instruct-q4_k_m`, `gemma-3-270m`, `mixtral-8x7b`, `qwen3-30b-a3b`. What a name does not
tell is None; guesses are made in `capability`, in one place.
"""

import re
from enum import StrEnum

import msgspec


class Speciality(StrEnum):
    """What a family was made for beside chatting."""

    CODE = "code"
    REASONING = "reasoning"
    EMBEDDING = "embedding"
    VISION = "vision"


class Name(msgspec.Struct, frozen=True):
    """Parameters are counts: `total` decides memory, `active` (less in mixtures of experts) speed.

    `hosted` is the expected quality, 0..1, of a model that only its maker serves; None for the others.
    `cloud` names are Ollama's for models that it relays to its own service.
    """

    total: float | None = None
    active: float | None = None
    quantization: str | None = None
    context: int | None = None
    specialities: frozenset[Speciality] = frozenset()
    generation: float = 0.0
    hosted: float | None = None
    cloud: bool = False


_EXPERTS = re.compile(r"(?<![a-z0-9.])(\d+)x(\d+(?:\.\d+)?)b(?![a-z0-9])")
_SIZE = re.compile(r"(?<![a-z0-9.])e?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")
_ACTIVE = re.compile(r"(?<![a-z0-9.])a(\d+(?:\.\d+)?)b(?![a-z0-9])")
_QUANTIZATION = re.compile(
    r"(?<![a-z0-9])(i?q[2-8](?:-[01ksmlx]{1,3})*|b?f(?:16|32)|fp(?:8|16|32)|int[48]|awq|gptq|mxfp4|nvfp4|[48]bit)"
    r"(?![a-z0-9])"
)
_CONTEXT = re.compile(r"(?<![a-z0-9.])(\d+)k(?![a-z0-9])")
# Of a mixture of experts, the attention layers are shared: Mixtral 8x7B has 46.7, not 56, billion parameters,
# of which two experts, 12.9 billion, work on a token (Mistral AI's model card).
_SHARED = 0.83
_EXPERTS_USED = 2 * 0.92

# In the order looked for. Each is a piece of a name, lower case.
_SPECIALITIES = (
    ("embed", Speciality.EMBEDDING),
    ("minilm", Speciality.EMBEDDING),
    ("bge-", Speciality.EMBEDDING),
    ("gte-", Speciality.EMBEDDING),
    ("e5-", Speciality.EMBEDDING),
    ("coder", Speciality.CODE),
    ("code", Speciality.CODE),
    ("devstral", Speciality.CODE),
    ("vision", Speciality.VISION),
    ("llava", Speciality.VISION),
    ("moondream", Speciality.VISION),
    ("pixtral", Speciality.VISION),
    ("minicpm-v", Speciality.VISION),
    ("-vl", Speciality.VISION),
    ("vl-", Speciality.VISION),
    ("deepseek-r1", Speciality.REASONING),
    ("qwq", Speciality.REASONING),
    ("reason", Speciality.REASONING),
    ("think", Speciality.REASONING),
    ("magistral", Speciality.REASONING),
)
# Billions of parameters, total and active, where the usual name has no number.
_KNOWN_SIZES = (
    ("gpt-oss-120", 117.0, 5.1),
    ("gpt-oss", 21.0, 3.6),
    ("deepseek-v3", 671.0, 37.0),
    ("deepseek-r1", 7.0, 7.0),
    ("llama3.2-vision", 11.0, 11.0),
    ("llama3.2", 3.0, 3.0),
    ("llama3.3", 70.0, 70.0),
    ("llama3", 8.0, 8.0),
    ("llama2", 7.0, 7.0),
    ("codellama", 7.0, 7.0),
    ("tinyllama", 1.1, 1.1),
    ("ministral", 8.0, 8.0),
    ("devstral", 24.0, 24.0),
    ("mixtral", 46.7, 12.9),
    ("mistral-small", 24.0, 24.0),
    ("mistral-nemo", 12.0, 12.0),
    ("mistral", 7.0, 7.0),
    ("phi-3-mini", 3.8, 3.8),
    ("phi3", 3.8, 3.8),
    ("phi-4", 14.0, 14.0),
    ("phi4", 14.0, 14.0),
    ("gemma3", 4.0, 4.0),
    ("gemma2", 9.0, 9.0),
    ("qwen3", 8.0, 8.0),
    ("qwen2.5", 7.0, 7.0),
    ("qwq", 32.0, 32.0),
    ("smollm2", 1.7, 1.7),
    ("command-r", 35.0, 35.0),
    ("llava", 7.0, 7.0),
    ("moondream", 1.4, 1.4),
    ("nomic-embed", 0.137, 0.137),
    ("mxbai-embed", 0.335, 0.335),
    ("minilm", 0.023, 0.023),
)
# What a year of progress is worth beside size, in quality; judgement, from public leaderboards.
_GENERATIONS = (
    ("qwen3", 0.06),
    ("qwen2.5", 0.04),
    ("gemma-3", 0.05),
    ("gemma3", 0.05),
    ("llama3.3", 0.05),
    ("phi4", 0.05),
    ("phi-4", 0.05),
    ("gpt-oss", 0.06),
    ("llama2", -0.06),
    ("llama-2", -0.06),
    ("codellama", -0.05),
    ("vicuna", -0.08),
    ("tinyllama", -0.05),
)
# Models that only their makers serve.
_HOSTED = re.compile(r"^(?:[a-z-]+/)?(?:gpt-[3-9]|chatgpt|o[1-9](?:$|-)|claude|gemini|grok|deepseek-chat)")
_SMALL_HOSTED = (
    ("nano", 0.72),
    ("lite", 0.74),
    ("mini", 0.80),
    ("haiku", 0.80),
    ("flash", 0.80),
    ("3.5-turbo", 0.70),
)
_LARGE_HOSTED = 0.92
_TEXT_ONLY = ("3.5-turbo", "o1-mini", "o3-mini", "deepseek-chat")


def read(name: str) -> Name:
    """What `name` tells, in any case and with any of the usual separators."""
    text = name.lower().replace(":", "-").replace("_", "-")
    total, active = _sizes(text)
    quantization = _QUANTIZATION.search(text)
    context = _CONTEXT.search(text)
    hosted = _HOSTED.match(text) is not None
    return Name(
        total=total,
        active=active,
        quantization=quantization.group(1).upper().replace("-", "_") if quantization else None,
        context=int(context.group(1)) * 1024 if context else None,
        specialities=_specialities(text, hosted),
        generation=_first(_GENERATIONS, text, 0.0),
        hosted=_first(_SMALL_HOSTED, text, _LARGE_HOSTED) if hosted else None,
        cloud=text.endswith("-cloud"),
    )


def _sizes(text: str) -> tuple[float | None, float | None]:
    """Total and active parameters."""
    if experts := _EXPERTS.search(text):
        each = float(experts.group(2)) * 1e9
        return each * int(experts.group(1)) * _SHARED, each * _EXPERTS_USED
    if size := _SIZE.search(text):
        total = float(size.group(1)) * (1e9 if size.group(2) == "b" else 1e6)
        active = _ACTIVE.search(text)
        return total, float(active.group(1)) * 1e9 if active else _known_active(text, total)
    for piece, total, working in _KNOWN_SIZES:
        if piece in text:
            return total * 1e9, working * 1e9
    return None, None


def _known_active(text: str, total: float) -> float:
    """A mixture of experts whose usual name says its total only."""
    for piece, known, working in _KNOWN_SIZES:
        if working < known and piece in text and abs(known * 1e9 - total) < 0.1 * total:
            return working * 1e9
    return total


def _specialities(text: str, hosted: bool) -> frozenset[Speciality]:
    found = {speciality for piece, speciality in _SPECIALITIES if piece in text}
    if Speciality.EMBEDDING in found:
        return frozenset({Speciality.EMBEDDING})
    if hosted:
        found |= {Speciality.CODE, Speciality.REASONING}
        if not any(piece in text for piece in _TEXT_ONLY):
            found.add(Speciality.VISION)
    return frozenset(found)


def _first(table: tuple[tuple[str, float], ...], text: str, default: float) -> float:
    return next((value for piece, value in table if piece in text), default)
