"""Going on with an answer whose stream died: the same question, and the text so far as the assistant's last words.

Only plain text can be continued this way: what has a structure (tool calls, JSON, several choices, probabilities
of tokens) would begin anew in the middle.
"""

import msgspec

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.outcome import Partial

# The values with which a structuring field asks for nothing special.
_HARMLESS: dict[str, tuple[object, ...]] = {
    "tools": (None, []),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "n": (None, 1),
    "best_of": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "echo": (None, False),
    "suffix": (None, ""),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "grammar": (None, ""),
    "json_schema": (None,),
    "structured_outputs": (None,),
    "guided_json": (None,),
    "guided_regex": (None,),
    "guided_choice": (None,),
    "guided_grammar": (None,),
}
_STRUCTURING = frozenset(_HARMLESS)
_LIMITS = ("max_tokens", "max_completion_tokens")


def continuable(call: Call) -> bool:
    """Whether the text so far is all that another endpoint needs to go on. Cheap: asked of every stream."""
    fields = call.fields
    if not call.stream or call.kind is Kind.EMBEDDING or "tools" in call.needs:
        return False
    return _STRUCTURING.isdisjoint(fields) or all(
        _plain(fields[name]) in _HARMLESS[name] for name in _STRUCTURING & fields.keys()
    )


def continued(call: Call, partial: Partial) -> Call | None:
    """The call that goes on after `partial`, with what is left of its token limit; None when there is none.

    `call` may be the client's own or one that was continued before: `partial` is all the client has.
    """
    if not partial.text or not continuable(call):
        return None
    before = call.so_far
    fields = dict(call.fields)
    limit = call.max_tokens
    if limit is not None:
        limit += (before.tokens if before is not None else 0) - partial.tokens
        if limit < 1:
            return None
        for name in _LIMITS:
            if name in fields:
                fields[name] = limit
    begun = (
        _begin_chat(fields, before, partial) if call.kind is Kind.CHAT else _begin(fields, before, partial)
    )
    return msgspec.structs.replace(call, fields=fields, max_tokens=limit, so_far=partial) if begun else None


def _begin_chat(fields: dict[str, object], before: Partial | None, partial: Partial) -> bool:
    """Two messages of the assistant in a row are refused by servers: what the client began itself is kept in one."""
    messages = _plain(fields.get("messages"))
    if not isinstance(messages, list):
        return False
    last = messages[-1] if messages else None
    if isinstance(last, dict) and last.get("role") == "assistant":
        own = last.get("content")
        if not isinstance(own, str):
            return False
        message = {**last, "content": _gone_on(own, before, partial)}
        fields["messages"] = [*messages[:-1], message]
    else:
        fields["messages"] = [*messages, {"role": "assistant", "content": partial.text}]
    return True


def _begin(fields: dict[str, object], before: Partial | None, partial: Partial) -> bool:
    prompt = _plain(fields.get("prompt"))
    if not isinstance(prompt, str):
        return False
    fields["prompt"] = _gone_on(prompt, before, partial)
    return True


def _gone_on(text: str, before: Partial | None, partial: Partial) -> str:
    return (text.removesuffix(before.text) if before is not None else text) + partial.text


def _plain(value: object) -> object:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
