"""The request bodies of Ollama's API, as far as they are looked at, and the parts of its answers."""

from collections.abc import Callable

import msgspec

from orchestra_core.simulation.driver import Denied
from orchestra_core.simulation.spec import ModelSpec
from orchestra_core.simulation.trace import Denial, Why


class Options(msgspec.Struct):
    num_predict: int | None = None
    num_ctx: int | None = None


class Body(msgspec.Struct):
    """The fields the simulation looks at, of every request that runs or loads a model; others are ignored."""

    model: str = ""
    messages: list[dict[str, object]] | None = None
    prompt: str = ""
    system: str = ""
    images: list[str] | None = None
    tools: list[object] | None = None
    stream: bool | None = None
    keep_alive: str | float | None = None
    options: Options | None = None


class EmbedBody(msgspec.Struct):
    model: str = ""
    input: str | list[str] = ""
    prompt: str = ""
    keep_alive: str | float | None = None
    options: Options | None = None


class ShowBody(msgspec.Struct):
    model: str = ""
    name: str = ""


Part = Callable[[str], dict[str, object]]


def chat_part(text: str) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": text}}


def generate_part(text: str) -> dict[str, object]:
    return {"response": text}


def require(model: ModelSpec, verb: str, body: Body) -> None:
    """Raises Denied if the model cannot do what the body asks for."""
    if "completion" not in model.capabilities:
        raise Denied(Denial(Why.UNSUPPORTED, f'"{model.name}" does not support {verb}'))
    if body.tools and "tools" not in model.capabilities:
        raise Denied(Denial(Why.UNSUPPORTED, f"{model.name} does not support tools"))
