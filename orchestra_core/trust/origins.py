"""Which web pages may ask: none but ours, and those of exactly configured origins (Fetch standard, section 3.2).

Never `*`, never `null` (any sandboxed frame has it), never credentials: keys travel in a header of their own.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from orchestra_core.domain.errors import Forbidden

_METHODS = "GET, POST, DELETE, OPTIONS"
_HEADERS = frozenset(
    {
        "accept",
        "authorization",
        "cache-control",
        "content-type",
        "idempotency-key",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "user-agent",
        "x-api-key",
        "x-orchestra-cache",
        "x-request-id",
    }
)
_EXPOSED = (
    "x-request-id, x-client-request-id, x-orchestra-model, x-orchestra-backend, x-orchestra-attempts, "
    "x-orchestra-decision-id, x-orchestra-degraded, x-orchestra-cache, age, x-should-retry, retry-after, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
    "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)
_AGE_SECONDS = 600


def is_origin(value: str) -> bool:
    """Whether this is one web origin as browsers spell it: `https://host` or `http://host:port`."""
    try:
        parts = urlsplit(value)
        spelt = f"{parts.scheme}://{parts.netloc}" == value and value == value.lower()
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        named = bool(parts.hostname) and "@" not in value and "*" not in value
        return spelt and named and usual is not None and parts.port != usual and value.isascii()
    except ValueError:
        return False


class Origins:
    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = {origin.encode(): _lines(origin) for origin in allowed}

    def lines(self, fields: Mapping[bytes, bytes]) -> str:
        """Header lines for the answer to a page that may ask; raises Forbidden for one that may not.

        The Host header was checked before: a page of that host and port is our own.
        """
        origin = fields.get(b"origin")
        if origin is None:
            site = fields.get(b"sec-fetch-site", b"none")
            if site in (b"none", b"same-origin"):
                return ""
            raise _refused("a page of another site")
        found = self._allowed.get(origin)
        if found is not None:
            return found
        host = fields.get(b"host", b"")
        if host and origin in (b"http://" + host, b"https://" + host):
            return ""
        raise _refused(origin.decode("latin-1")[:128])

    def preflight(self, fields: Mapping[bytes, bytes]) -> str:
        """Header lines that answer a preflight; raises Forbidden unless its origin is a configured one."""
        found = self._allowed.get(fields.get(b"origin", b""))
        if found is None:
            raise _refused(fields.get(b"origin", b"").decode("latin-1")[:128])
        asked = fields.get(b"access-control-request-headers", b"").decode("latin-1").lower().split(",")
        names = sorted({name.strip() for name in asked if _may_send(name.strip())})
        allowed = f"access-control-allow-headers: {', '.join(names)}\r\n" if names else ""
        return (
            f"{found}access-control-allow-methods: {_METHODS}\r\n{allowed}"
            f"access-control-max-age: {_AGE_SECONDS}\r\n"
        )


def is_preflight(method: str, fields: Mapping[bytes, bytes]) -> bool:
    return method == "OPTIONS" and b"origin" in fields and b"access-control-request-method" in fields


def _may_send(name: str) -> bool:
    # OpenAI's library for browsers describes itself in a dozen headers of this prefix.
    rest = name.removeprefix("x-stainless-")
    return name in _HEADERS or (rest != name and rest.replace("-", "").isalnum() and rest.isascii())


def _lines(origin: str) -> str:
    return f"access-control-allow-origin: {origin}\r\nvary: origin\r\naccess-control-expose-headers: {_EXPOSED}\r\n"


def _refused(who: str) -> Forbidden:
    shown = who if who.isprintable() and who.isascii() else "that origin"
    return Forbidden(
        f"web pages of {shown} may not ask: add the origin to server.cors_origins if they should",
        code="origin_not_allowed",
    )
