"""What the metadata of known models say of the memory they take."""

import pytest

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.model_shape import shape_of

KIB = 1024


def facts(architecture: str, **values: object) -> dict[str, object]:
    """Metadata by full keys; a double underscore stands for a dot."""
    named = {f"{architecture}.{key.replace('__', '.')}": value for key, value in values.items()}
    return {"general.architecture": architecture, **named}


LLAMA_8B = facts(
    "llama",
    block_count=32,
    embedding_length=4096,
    vocab_size=128256,
    attention__head_count=32,
    attention__head_count_kv=8,
)
GEMMA3_4B = facts(
    "gemma3",
    block_count=34,
    embedding_length=2560,
    attention__head_count=8,
    attention__head_count_kv=4,
    attention__key_length=256,
    attention__value_length=256,
    attention__sliding_window=1024,
)
# The reference of each: its model card or config.json, and llama.cpp's "KV buffer size".
CASES = [
    (LLAMA_8B, 128 * KIB, 0, 0),
    (
        facts(
            "llama",
            block_count=80,
            embedding_length=8192,
            attention__head_count=64,
            attention__head_count_kv=8,
        ),
        320 * KIB,
        0,
        0,
    ),
    # Without head_count_kv every head has its own (Llama 2 7B).
    (facts("llama", block_count=32, embedding_length=4096, attention__head_count=32), 512 * KIB, 0, 0),
    # Every sixth layer is global: 5 of 34.
    (GEMMA3_4B, 5 * 4 * KIB, 29 * 4 * KIB, 1024),
    # gpt-oss 20b: every second, 8 heads of 64.
    (
        facts(
            "gpt-oss",
            block_count=24,
            embedding_length=2880,
            attention__head_count=64,
            attention__head_count_kv=8,
            attention__key_length=64,
            attention__value_length=64,
            attention__sliding_window=128,
        ),
        12 * 2 * KIB,
        12 * 2 * KIB,
        128,
    ),
    # A window llama.cpp does not use for this architecture does not make the cache smaller.
    ({**LLAMA_8B, "llama.attention.sliding_window": 4096}, 128 * KIB, 0, 0),
    # The file's own word on which layers slide counts, and a short one is repeated.
    (
        {
            **LLAMA_8B,
            "llama.attention.sliding_window": 512,
            "llama.attention.sliding_window_pattern": [True, False],
        },
        64 * KIB,
        64 * KIB,
        512,
    ),
    (
        {**LLAMA_8B, "llama.attention.sliding_window": 512, "llama.attention.sliding_window_pattern": 4},
        32 * KIB,
        96 * KIB,
        512,
    ),
    # A hybrid: layers without attention have no heads, or only every fourth has any.
    ({**LLAMA_8B, "llama.attention.head_count_kv": [8, 0] * 16}, 64 * KIB, 0, 0),
    ({**LLAMA_8B, "llama.full_attention_interval": 4}, 32 * KIB, 0, 0),
    ({**LLAMA_8B, "llama.attention.shared_kv_layers": 16}, 64 * KIB, 0, 0),
    # An encoder keeps no cache.
    ({**LLAMA_8B, "llama.attention.causal": False}, 0, 0, 0),
]


@pytest.mark.parametrize(("known", "whole", "windowed", "window"), CASES)
def test_cache_per_token(known: dict[str, object], whole: int, windowed: int, window: int) -> None:
    """Bytes per token in layers that see everything, and in those that see a window."""
    found = shape_of(known, 10**9)
    assert (found.cache_per_token, found.window_per_token, found.window) == (whole, windowed, window)
    assert found.weights == 10**9


def test_widths_are_taken_over() -> None:
    """Layers, embedding width and vocabulary decide the working buffers."""
    assert shape_of(LLAMA_8B, 1) == Shape(1, 128 * KIB, layers=32, embedding=4096, vocabulary=128256)
    assert shape_of({**LLAMA_8B, "tokenizer.ggml.tokens": range(5)}, 1).vocabulary == 5


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"general.architecture": "llama"},
        facts("llama", block_count=32, embedding_length=4096),
        {**LLAMA_8B, "llama.block_count": 10**9},
        {**LLAMA_8B, "llama.block_count": True},
        {**LLAMA_8B, "llama.attention.head_count": "many"},
        {**LLAMA_8B, "llama.attention.head_count": [32], "llama.attention.head_count_kv": None},
    ],
)
def test_what_metadata_do_not_say_is_not_made_up(known: dict[str, object]) -> None:
    """Metadata without heads or layers, or with nonsense for them, give no shape."""
    assert shape_of(known, 10**9) is None
    assert shape_of(LLAMA_8B, None) is None
