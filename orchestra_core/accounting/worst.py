"""The most that one attempt can cost: what is set aside for it before it is sent."""

import msgspec

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import EndpointSpec
from orchestra_core.domain.price import Price

# What templates add to a prompt that is in no byte of the request: marks around turns, dates, a default system prompt;
# with tools the instructions to use them.
_TEMPLATE_TOKENS = 256
_TOOL_TOKENS = 512
# More choices than this are refused everywhere.
_MOST_CHOICES = 128
_COPIES = ("n", "best_of")


class Bound(msgspec.Struct, frozen=True, gc=False):
    """Tokens at most: of the prompt, and of each of `choices` answers (None: what the context leaves).

    `prompt` None is no bound but the context.
    """

    prompt: int | None
    output: int | None
    choices: int = 1


def bound_of(call: Call) -> Bound:
    """No token is shorter than a byte, and all of a prompt is in the bytes of the body, unless it shows pictures.

    What is predicted of an answer is charged as written where the answer differs (OpenAI), beyond `max_tokens`.
    """
    fields = call.fields
    prompt = None
    if "vision" not in call.needs:
        sizes = sum(len(name) + _size(value) for name, value in fields.items())
        prompt = sizes + _TEMPLATE_TOKENS + (_TOOL_TOKENS if "tools" in fields else 0)
    output = 0 if call.kind is Kind.EMBEDDING else call.max_tokens
    if output is not None and "prediction" in fields:
        output += _size(fields["prediction"])
    choices = 1
    for name in _COPIES:
        if name in fields:
            choices = max(choices, _count(fields[name]))
    return Bound(prompt, output, choices)


def worst_cost(spec: EndpointSpec, bound: Bound, seconds: float) -> float | None:
    """In the currency of the prices, of an attempt that takes no longer than `seconds`; None: a price is unknown."""
    price = spec.price
    if price is None:
        return None
    context = spec.context
    prompt = context if bound.prompt is None else min(bound.prompt, context)
    output = context if bound.output is None else min(bound.output, context)
    reached = [price, *(other for more_than, other in price.above if prompt > more_than)]
    tokens = max(_tokens(one, prompt, output, bound.choices, context) for one in reached)
    return tokens + price.request + price.second * seconds


def _tokens(price: Price, prompt: int, output: int, choices: int, context: int) -> float:
    """Prompt and answer share the context: the dearer of them is given as much of it as it could take."""
    read, written = max(price.input, price.cached or 0.0), price.output * choices
    if written >= read:
        prompt = min(prompt, context - output)
    else:
        output = min(output, context - prompt)
    return (prompt * read + output * written) / 1e6


def _size(value: object) -> int:
    """Bytes as JSON."""
    return memoryview(value).nbytes if isinstance(value, msgspec.Raw) else len(msgspec.json.encode(value))


def _count(value: object) -> int:
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value)
    return min(value, _MOST_CHOICES) if isinstance(value, int) and value > 1 else 1
