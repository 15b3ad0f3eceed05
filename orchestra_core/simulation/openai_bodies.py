"""The request bodies of OpenAI's API, as far as the simulation looks at them."""

import msgspec

from orchestra_core.simulation.reading import BadBody
from orchestra_core.simulation.text import count_tokens

# Text, several texts, tokens, or several lists of tokens.
Text = str | list[str | int | list[int]]


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class Body(msgspec.Struct):
    model: str | None = None
    messages: list[dict[str, object]] | None = None
    prompt: Text | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None

    @property
    def cap(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class EmbedBody(msgspec.Struct):
    input: Text
    model: str | None = None
    encoding_format: str | None = None


def prompt_tokens_of(prompt: Text) -> int:
    """The length of a prompt given as text or as tokens; raises BadBody for several prompts."""
    if isinstance(prompt, str):
        return count_tokens(prompt)
    if all(isinstance(part, int) for part in prompt):
        return len(prompt)
    if len(prompt) > 1:
        raise BadBody("prompt: a simulated server answers one prompt a request")
    only = prompt[0]
    return len(only) if isinstance(only, list) else count_tokens(str(only))


def prompt_text(prompt: Text) -> str:
    """The one prompt as text; tokens as their decimal text, which is as good to draw words from."""
    return prompt if isinstance(prompt, str) else " ".join(map(str, prompt))


def embedding_inputs(given: Text) -> list[str]:
    """Each input as text; token lists as their decimal text, which is as good for a hash."""
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(part, int) for part in given):
        return [" ".join(map(str, given))]
    return [part if isinstance(part, str) else str(part) for part in given]
