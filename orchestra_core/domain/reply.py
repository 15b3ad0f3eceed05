"""What comes back from a backend, in one shape whatever wire format it came over."""

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token counts of one answer; `estimated` when the backend did not report them."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    estimated: bool = False


class Delta(msgspec.Struct, frozen=True, gc=False):
    """One increment of an answer. `tool_calls` holds OpenAI-shaped call fragments as raw JSON."""

    text: str = ""
    reasoning: str = ""
    tool_calls: msgspec.Raw | None = None
    finish: str | None = None
    index: int = 0


class Embeddings(msgspec.Struct, frozen=True, gc=False):
    """Vectors in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage
