"""The form of keys, and finding the key of a token."""

from hashlib import sha256

import pytest

from orchestra_core.domain.principal import Scope, including
from orchestra_core.trust.keys import TOKEN_LIMIT, ApiKey, Keyring, digest_of, expiry, mint, token_in

ID, TOKEN = mint(b"\x01\x02\x03\x04", bytes(range(24)))
KEY = ApiKey(ID, "laptop", digest_of(TOKEN), (Scope.OPERATE,))


def test_a_token_names_its_id_and_only_its_digest_is_kept() -> None:
    """`ork-<id>-<secret>`; what is stored is the SHA-256 of all of it, never a part."""
    assert TOKEN == "ork-01020304-000102030405060708090a0b0c0d0e0f1011121314151617"
    assert KEY.digest == sha256(TOKEN.encode()).hexdigest()
    assert TOKEN[13:] not in repr(KEY)


def test_keys_need_enough_chance() -> None:
    """A caller that brings too few random bytes is told, instead of making a weak key."""
    with pytest.raises(ValueError, match="random bytes"):
        mint(b"1234", b"short")


def test_a_known_token_is_found_with_what_its_scopes_include() -> None:
    """operate includes use and not admin."""
    found = Keyring([KEY]).find(TOKEN.encode())
    assert found is not None
    assert (found.principal.id, found.principal.name) == (ID, "laptop")
    assert found.principal.scopes == {Scope.USE, Scope.OPERATE}
    assert including(Scope.ADMIN) == set(Scope)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        TOKEN[:-1].encode(),
        TOKEN.encode() + b"0",
        TOKEN.upper().encode(),
        b"ork-01020304-" + b"0" * 48,
        KEY.digest.encode(),
        bytes.fromhex(KEY.digest),
        b"\x00" * 32,
        b"a" * 100_000,
        b"' OR 1=1 --",
        b"\xff\xfe",
    ],
)
def test_no_other_token_is_found(token: bytes) -> None:
    """Neither parts, nor variations, nor the digest itself, nor anything long or odd."""
    assert Keyring([KEY]).find(token) is None
    assert Keyring().find(token) is None


def test_a_token_is_not_found_by_its_beginning() -> None:
    """What is beyond the limit is not hashed, so a longer token must not pass for its beginning."""
    long = "x" * TOKEN_LIMIT
    ring = Keyring([ApiKey("1", "long", digest_of(long), (Scope.USE,))])
    assert ring.find(long.encode()) is not None
    assert ring.find(long.encode() + b"y") is None


def test_a_revoked_key_opens_nothing_and_still_counts_as_made() -> None:
    """Revoking the last key must not make keys unnecessary."""
    ring = Keyring([ApiKey(ID, "laptop", KEY.digest, (Scope.USE,), revoked=1.0)])
    assert ring.find(TOKEN.encode()) is None
    assert ring.get(ID) is None
    assert (ring.used, ring.usable) == (True, False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-03", 2 * 86_400.0),
        ("1970-01-01T01:00:00Z", 3600.0),
        ("1970-01-01T01:00:00.500+01:00", 0.5),
        ("1970-01-01T01:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("90d", None),
        ("", None),
    ],
)
def test_when_a_key_expires(text: str, seconds: float | None) -> None:
    """The beginning of a date, or a time that says where; what could not be shown again is refused."""
    if seconds is None:
        with pytest.raises(ValueError, match=r"isoformat|its offset|out of range"):
            expiry(text)
    else:
        assert expiry(text) == seconds


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        ({}, None),
        ({b"authorization": b"Bearer abc"}, b"abc"),
        ({b"authorization": b"bearer   abc "}, b"abc"),
        ({b"x-api-key": b"abc"}, b"abc"),
        ({b"authorization": b"Basic abc"}, b""),
        ({b"authorization": b"abc"}, b""),
        ({b"authorization": b"Basic abc", b"x-api-key": b"def"}, b""),
    ],
)
def test_where_a_token_is_looked_for(fields: dict[bytes, bytes], token: bytes | None) -> None:
    """As a bearer token, else in x-api-key; anything else in Authorization is a wrong key, not none."""
    assert token_in(fields) == token
