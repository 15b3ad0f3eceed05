"""Nothing secret leaves with an incident: what we know to be secret, and what looks as if it were, is cut."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from orchestra_core.config import Config
from orchestra_core.recording import lines
from orchestra_core.recording.blocks import Writing, split
from orchestra_core.trust.redaction import redact, redact_command

# Shorter ones would be found in every other word.
_SHORTEST = 5


def secrets(config: Config, also: Collection[str | None] = ()) -> tuple[str, ...]:
    """Every secret of a configuration, the longest first, so that none is cut to the rest of another."""
    found = {*filter(None, also)}
    for backend in config.backends:
        found |= {backend.api_key.reveal()} if backend.api_key else set()
        found |= set(_of_command(backend.command))
    for webhook in config.webhooks:
        found |= {webhook.secret.reveal()} if webhook.secret else set()
        parts = urlsplit(webhook.url)
        # Who knows the path may post there.
        found |= {parts.path.strip("/"), parts.query}
    found |= set(_of_command(config.alerts.command))
    for url in (config.storage.url, config.storage.redis or ""):
        password = urlsplit(url).password
        found |= {password, unquote(password)} if password else set()
    return tuple(sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True))


def _of_command(arguments: Sequence[str]) -> Iterator[str]:
    for argument, shown in zip(arguments, redact_command(arguments), strict=True):
        if shown == "***":
            yield argument
        elif shown.endswith("=***"):
            yield argument.partition("=")[2]


def scrub(value: Any, known: Collection[str]) -> Any:
    """A JSON value with every text in it scrubbed."""
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, dict):
        return {name: scrub(item, known) for name, item in value.items()}
    return [scrub(item, known) for item in value] if isinstance(value, list) else value


def scrub_recording(data: bytes, known: Collection[str]) -> bytes:
    """A recording with every text in it scrubbed; blocks without a secret stay as they are."""
    spelt = (*known, *(msgspec.json.encode(one)[1:-1].decode() for one in known))
    return b"".join(_scrubbed(block.data, text, known, spelt) for block, text in split(data))


def _scrubbed(block: bytes, text: list[bytes], known: Collection[str], spelt: Collection[str]) -> bytes:
    whole = b"\n".join(text).decode("utf-8", "replace")
    if redact(whole, spelt) == whole:
        return block
    writing, packed = Writing(), b""
    for line in text:
        told = lines.read(line)
        if told is None:
            break  # damaged: what follows cannot be read anyway
        packed += writing.add(lines.spell(scrub(told, known)))
    return packed + writing.end()
