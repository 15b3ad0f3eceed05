"""API keys: their form, and finding the key of a token without telling by time or words what was wrong with it.

Stored is the SHA-256 of the whole token. The secret has 192 bits of chance, so a slow hash would add nothing
but load (a password needs one, a random key does not). Never truncated: CVE-2026-35030 was a cut digest.
"""

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from orchestra_core.domain.principal import Principal, Scope, including

# What a key may be called: it is printed in lists and written to logs.
NAME = r"^[\w .@+-]{1,64}\Z"
ID_BYTES = 4
SECRET_BYTES = 24
# Longer than any token; bounds what is hashed for a stranger.
TOKEN_LIMIT = 512
_NOBODY = bytes(32)
# So long before its end a key is told of.
WARNED_SECONDS = 7 * 86_400.0
EXPIRY = "a date (its beginning, UTC) or a time with its offset, such as 2027-01-31 or 2027-01-31T12:00:00Z"


class ApiKey(msgspec.Struct, frozen=True):
    """One key as stored: never its token. `digest` is hexadecimal, times are Unix seconds.

    `scopes` are as granted, without those they include. A limit of None means the general one, 0 none at all.
    `declared` keys come from the configuration file. One that has expired opens nothing and says so.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[Scope, ...]
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    created: float | None = None
    last_used: float | None = None
    revoked: float | None = None
    expires: float | None = None
    declared: bool = False

    def expires_within(self, seconds: float, now: float) -> bool:
        """Whether it will have expired by then, or has; one that was revoked does not any more."""
        return self.revoked is None and self.expires is not None and self.expires <= now + seconds


class Known(msgspec.Struct, frozen=True):
    """A key that may be used, ready to be compared and handed on."""

    digest: bytes
    key: ApiKey
    principal: Principal
    expires: float | None = None


def mint(id_bytes: bytes, secret: bytes) -> tuple[str, str]:
    """(id, token) out of ID_BYTES and SECRET_BYTES of chance. The token is shown once and kept nowhere."""
    if len(id_bytes) != ID_BYTES or len(secret) != SECRET_BYTES:
        raise ValueError(f"a key is made of {ID_BYTES} and {SECRET_BYTES} random bytes")
    return id_bytes.hex(), f"ork-{id_bytes.hex()}-{secret.hex()}"


def digest_of(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def declared_id(digest: str) -> str:
    """The id of a key that is only known by its digest."""
    return digest[:8]


def expiry(text: str) -> float:
    """Unix seconds of what EXPIRY says; ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if len(text) == len("2027-01-31"):
        at = at.replace(tzinfo=UTC)
    elif at.tzinfo is None:
        raise ValueError(f"{text} needs its offset")
    try:
        return at.astimezone(UTC).timestamp()
    except OverflowError as error:
        raise ValueError(f"Invalid isoformat string: {text}") from error


def token_in(fields: dict[bytes, bytes]) -> bytes | None:
    """The token a request carries: `Authorization: Bearer` or `x-api-key`, never the query string.

    Empty, not None, where something else than a bearer token was sent.
    """
    given = fields.get(b"authorization")
    if given is None:
        return fields.get(b"x-api-key")
    kind, _, token = given.partition(b" ")
    return token.strip() if kind.lower() == b"bearer" else b""


class Keyring:
    """Every key there is, by digest."""

    def __init__(self, keys: Iterable[ApiKey] = ()) -> None:
        self._nobody = Known(_NOBODY, ApiKey("", "", "", ()), Principal("", "", frozenset()))
        self.replace(keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        self.keys = tuple(keys)
        usable = [key for key in self.keys if key.revoked is None]
        self._by_digest = {bytes.fromhex(key.digest): _known(key) for key in usable}
        self._by_id = {key.id: key for key in usable}

    @property
    def used(self) -> bool:
        """Whether keys were ever made: the last one revoked must not open the door to everybody."""
        return bool(self.keys)

    @property
    def usable(self) -> bool:
        return bool(self._by_id)

    def find(self, token: bytes) -> Known | None:
        """The key of a token. The same work for every token, known or not."""
        digest = sha256(token[:TOKEN_LIMIT]).digest()
        known = self._by_digest.get(digest, self._nobody)
        same = hmac.compare_digest(known.digest, digest)
        return known if same and len(token) <= TOKEN_LIMIT else None

    def get(self, key_id: str) -> ApiKey | None:
        """A usable key by its id."""
        return self._by_id.get(key_id)


def _known(key: ApiKey) -> Known:
    principal = Principal(key.id, key.name, including(*key.scopes))
    return Known(bytes.fromhex(key.digest), key, principal, key.expires)
