"""What the header of a GGUF file says of the model in it, without loading the weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little endian).
"""

import math
import mmap
import re
import struct
from pathlib import Path

import msgspec

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.model_shape import shape_of

_SCALARS = dict(enumerate(("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?"))) | {10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")
_DIMENSIONS = 4
# Of arrays only those with a number for each layer are of interest; vocabularies are longer by far.
_PER_LAYER = 4096
_SPLIT = re.compile(r"(?P<stem>.*)-00001-of-(?P<count>\d{5})\.gguf")
_MOST_SPLITS = 1000
# llama.h, enum llama_ftype.
_QUANTIZATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
    36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


class GgufError(ValueError):
    """Not a GGUF file, or one that is damaged; the message says which and completes "<path> is …"."""


class Header(msgspec.Struct, frozen=True):
    """`context` is the length the model was trained for in tokens, `parameters` counts all its weights.

    `size` are the bytes of the file, or of all files where the model is split over several.
    """

    architecture: str
    parameters: int
    context: int | None
    quantization: str | None
    chat_template: bool
    embedding: bool
    size: int = 0
    shape: Shape | None = None


def files_of(path: Path) -> list[Path]:
    """The files of the model that begins in this one: llama.cpp finds the others of a split one by their names."""
    split = _SPLIT.fullmatch(path.name)
    count = int(split["count"]) if split else 1
    if split is None or not 1 < count <= _MOST_SPLITS:
        return [path]
    return [
        path.with_name(f"{split['stem']}-{one:05}-of-{split['count']}.gguf") for one in range(1, count + 1)
    ]


def read_header(path: Path) -> Header:
    """Reads at most the header, some megabytes for a large vocabulary. Raises GgufError or OSError."""
    files = files_of(path)
    read = [_read(file) for file in files]
    facts = read[0][0]
    parameters = sum(count for _, count in read)
    return _describe(facts, parameters, sum(file.stat().st_size for file in files))


def _read(path: Path) -> tuple[dict[str, object], int]:
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise GgufError("empty") from None
        with data:
            return _Cursor(data).read()


class _Cursor:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def read(self) -> tuple[dict[str, object], int]:
        """The facts by their keys, and the number of weights."""
        try:
            return self._read()
        except (struct.error, UnicodeDecodeError, KeyError, OverflowError) as error:
            raise GgufError("a damaged GGUF file: its header cannot be read to the end") from error

    def _read(self) -> tuple[dict[str, object], int]:
        if self._data[:4] != b"GGUF":
            raise GgufError("not a GGUF file")
        self._at = 4
        version = self._number()
        if version not in (2, 3):
            raise GgufError(f"a GGUF file of version {version}, and only 2 and 3 are known")
        tensors, entries = self._length(), self._length()
        facts: dict[str, object] = {}
        for _ in range(entries):
            self._entry(facts)
        return facts, self._parameters(tensors)

    def _entry(self, facts: dict[str, object]) -> None:
        key = self._string()
        value = self._value(self._number())
        if value is not None:
            facts[key] = value

    def _value(self, kind: int) -> object:
        if kind == _ARRAY:
            return self._array()
        return self._string() if kind == _STRING else self._scalar(_SCALARS[kind])

    def _scalar(self, layout: str) -> object:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return value

    def _array(self) -> object:
        """The numbers of a short array, of texts their places only, and None for what is skipped."""
        kind, count = self._number(), self._length()
        if kind == _STRING:
            for _ in range(count):
                self._skip_string()
            return range(count)
        # Arrays of arrays are allowed and unused; refused, because a file could nest them without end.
        layout = _SCALARS[kind]
        if count <= _PER_LAYER:
            return [self._scalar(layout) for _ in range(count)]
        self._at += count * struct.calcsize(layout)
        return None

    def _skip_string(self) -> None:
        (length,) = _LENGTH.unpack_from(self._data, self._at)
        self._at += 8 + length

    def _parameters(self, tensors: int) -> int:
        """Sums the elements of all tensors; a file that ends before its last tensor starts was cut short."""
        total = last = 0
        for _ in range(tensors):
            self._skip_string()
            dimensions = self._number()
            if dimensions > _DIMENSIONS:
                raise GgufError("a damaged GGUF file: a tensor has too many dimensions")
            total += math.prod(self._length() for _ in range(dimensions))
            self._number()
            last = max(last, self._length())
        if self._at + last >= len(self._data):
            raise GgufError("a GGUF file that was cut short: it ends before its last tensor")
        return total

    def _string(self) -> str:
        length = self._length()
        value = self._data[self._at : self._at + length]
        if len(value) != length:
            raise GgufError("a GGUF file that was cut short: it ends within its header")
        self._at += length
        return value.decode()

    def _length(self) -> int:
        (value,) = _LENGTH.unpack_from(self._data, self._at)
        self._at += 8
        return int(value)

    def _number(self) -> int:
        (value,) = _NUMBER.unpack_from(self._data, self._at)
        self._at += 4
        return int(value)


def _describe(facts: dict[str, object], parameters: int, size: int) -> Header:
    architecture = str(facts.get("general.architecture", "unknown"))
    context = facts.get(f"{architecture}.context_length")
    kind = facts.get("general.file_type")
    return Header(
        architecture=architecture,
        parameters=parameters,
        context=context if isinstance(context, int) else None,
        quantization=_QUANTIZATIONS.get(kind) if isinstance(kind, int) else None,
        chat_template="tokenizer.chat_template" in facts,
        embedding=f"{architecture}.pooling_type" in facts,
        size=size,
        shape=shape_of(facts, size),
    )
