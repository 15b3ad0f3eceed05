"""What is read from the header of a model file, and what is refused."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.gguf import GgufError, Header, read_header


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def number(key: str, value: int) -> bytes:
    return entry(key, 4, struct.pack("<I", value))


def tensor(name: str, shape: tuple[int, ...], offset: int) -> bytes:
    sizes = b"".join(struct.pack("<Q", size) for size in shape)
    return text(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", 0, offset)


def gguf(entries: list[bytes], tensors: list[bytes], *, version: int = 3, weights: int = 4096) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    return head + b"".join(entries) + b"".join(tensors) + bytes(weights)


LLAMA = [
    entry("general.architecture", 8, text("llama")),
    number("general.file_type", 15),
    entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("bc")),
    entry("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 2) + bytes(8)),
    number("llama.context_length", 8192),
]
TENSORS = [tensor("embedding", (640, 1000), 0), tensor("norm", (640,), 1024)]


def test_facts_of_a_model(tmp_path: Path) -> None:
    """Architecture, size, context and quantization are read; arrays before them are stepped over."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(LLAMA, TENSORS))
    size = path.stat().st_size
    assert read_header(path) == Header("llama", 640 * 1000 + 640, 8192, "Q4_K_M", False, False, size, None)


def test_chat_template_and_pooling_tell_what_a_model_is_for(tmp_path: Path) -> None:
    """A chat template makes a chat model, a pooling type an embedding model."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([*LLAMA, entry("tokenizer.chat_template", 8, text("{{x}}"))], TENSORS))
    assert read_header(path).chat_template
    path.write_bytes(gguf([*LLAMA, number("llama.pooling_type", 1)], TENSORS))
    assert read_header(path).embedding


def test_shape_is_read_with_arrays_of_numbers(tmp_path: Path) -> None:
    """Heads may differ by layer, and the vocabulary is as large as the list of its tokens."""
    heads = entry("llama.attention.head_count_kv", 9, struct.pack("<IQ", 5, 2) + struct.pack("<ii", 8, 0))
    facts = [number("llama.block_count", 2), number("llama.attention.head_count", 32), heads]
    facts += [number("llama.embedding_length", 4096)]
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([*LLAMA, *facts], TENSORS))
    assert read_header(path).shape == Shape(
        path.stat().st_size, cache_per_token=8 * 2 * 128 * 2, layers=2, embedding=4096, vocabulary=2
    )


def test_a_model_in_several_files_is_their_sum(tmp_path: Path) -> None:
    """The weights of a split model are those of all its files; one that is missing is named."""
    paths = [tmp_path / f"m-{one:05}-of-00002.gguf" for one in (1, 2)]
    paths[0].write_bytes(gguf(LLAMA, TENSORS))
    with pytest.raises(FileNotFoundError, match="m-00002-of-00002"):
        read_header(paths[0])
    paths[1].write_bytes(gguf([], [tensor("more", (100,), 0)]))
    found = read_header(paths[0])
    assert found.parameters == 640 * 1000 + 640 + 100
    assert found.size == sum(path.stat().st_size for path in paths)
    assert found.architecture == "llama"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 something else", "not a GGUF file"),
        (gguf(LLAMA, TENSORS, version=9), "version 9"),
        (gguf(LLAMA, TENSORS, weights=1000), "cut short"),
        (gguf(LLAMA, TENSORS)[:60], "header"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, complaint: str) -> None:
    """A file that cannot be loaded is refused with its reason."""
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(GgufError, match=complaint):
        read_header(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No content raises anything but a GgufError."""
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + content)
    try:
        found: Header | None = read_header(path)
    except GgufError:
        found = None
    assert found is None or found.parameters >= 0
