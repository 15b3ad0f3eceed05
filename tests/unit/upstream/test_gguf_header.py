"""What is read from the header of a model file, and what is refused."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    assert read_header(path) == Header("llama", 640 * 1000 + 640, 8192, "Q4_K_M", False, False)


def test_chat_template_and_pooling_tell_what_a_model_is_for(tmp_path: Path) -> None:
    """A chat template makes a chat model, a pooling type an embedding model."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([*LLAMA, entry("tokenizer.chat_template", 8, text("{{x}}"))], TENSORS))
    assert read_header(path).chat_template
    path.write_bytes(gguf([*LLAMA, number("llama.pooling_type", 1)], TENSORS))
    assert read_header(path).embedding


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
