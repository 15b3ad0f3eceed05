"""The name an answer is kept under: a hash of everything that could change it, and of whom it was for.

Exact: two requests share a name only if they say the same. What differs by its spelling alone does share it: white
space, the order of fields, `0` and `0.0`, a prompt of `/api/v1/route` and the one message it stands for. The order of
keys counts within tools and schemas, whose text a model reads; messages have keys of fixed meaning, so there it does
not. Whether it is to be streamed does not count: one is made of the other.
"""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from orchestra_core.domain.call import NO_REQUIREMENTS, Call, Requirements

# What a backend is told for its books: no model reads it.
_BOOKKEEPING = frozenset(
    {
        "user",
        "metadata",
        "safety_identifier",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "cache_prompt",
        "timings_per_token",
        "return_progress",
    }
)
# Answers with more in them than text and tool calls: they are given again only as the bytes they came in.
_RICH = frozenset(
    {
        "logprobs",
        "top_logprobs",
        "n",
        "best_of",
        "n_probs",
        "prompt_logprobs",
        "post_sampling_probs",
        "return_tokens",
        "return_token_ids",
        "return_tokens_as_token_ids",
        "modalities",
        "audio",
    }
)
# As good as not given, and what some clients give always.
_NOTHING = frozenset({b"1", b"0", b"null", b"false"})
# Answers that depend on more than what is asked.
_OUTSIDE = frozenset({"web_search_options"})
# Hashing takes a millisecond for each MB, in which nothing else happens.
_LONGEST = 4 * 1024 * 1024
# Longer ones are taken as they are spelt: values of Python's are many times as large as their text.
_SPELT = 256 * 1024
_encode = msgspec.json.Encoder(order=None).encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def name_of(call: Call, tenant: str, scope: bytes) -> bytes | None:
    """32 bytes, None for a request that is not worth it or odd: too long, or of text that is none.

    `scope` is what besides the request decides about answers: the configuration of the models.
    """
    if call.characters > _LONGEST:
        return None
    try:
        return _name_of(call, tenant, scope)
    except (ValueError, RecursionError):
        return None


def _name_of(call: Call, tenant: str, scope: bytes) -> bytes:
    head = (
        tenant,
        call.kind.value,
        call.model,
        None if call.task is None else call.task.value,
        _wishes(call.requirements),
    )
    digest = blake2b(scope + b"\0" + _encode(head), digest_size=32)
    for name in sorted(call.fields.keys() - _BOOKKEEPING):
        value = _canonical(name, call.fields[name])
        # With their lengths, so that no field can be told to be the end of another.
        digest.update(b"%d %b %d " % (len(name), name.encode(), len(value)))
        digest.update(value)
    return digest.digest()


def is_rich(call: Call) -> bool:
    """Whether its answer holds what only its own form can tell, as probabilities do."""
    if _RICH.isdisjoint(call.fields):
        return False
    return any(_encode(call.fields[name]) not in _NOTHING for name in _RICH & call.fields.keys())


def may_be_kept(call: Call) -> bool:
    """Whether an answer to it is worth looking for: the client asked for that, or it is steady by itself.

    A stream with more in it than text and tool calls is never given again: only whole ones are kept as they came.
    """
    if call.stream and is_rich(call):
        return False
    asked = call.cache is not None and call.cache.use
    return asked or (call.repeatable and _OUTSIDE.isdisjoint(call.fields))


def scope_of(parts: Mapping[str, object]) -> bytes:
    """A hash of configuration, the same in every process that has the same."""
    text = _encode_sorted({name: repr(value) for name, value in parts.items()})
    return blake2b(text, digest_size=16).digest()


def _wishes(requirements: Requirements) -> dict[str, object]:
    """Those that are made: what is new and asked for by nobody changes no name."""
    names = Requirements.__struct_fields__
    made = {name: getattr(requirements, name) for name in names}
    return {name: wish for name, wish in made.items() if wish != getattr(NO_REQUIREMENTS, name)}


def _canonical(name: str, value: object) -> bytes:
    if isinstance(value, msgspec.Raw):
        if len(value) > _SPELT:
            return bytes(value)
        value = msgspec.json.decode(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _encode_sorted(value) if name == "messages" else _encode(value)
