"""Looking through the ledger's requests page by page: what may be asked for, and where the next page begins.

A place is a request's own, not a count of those before it: pages neither repeat nor skip a request while others are
recorded.
"""

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

_PLACE = struct.Struct(">dq")


class Place(msgspec.Struct, frozen=True):
    """After the request that began `at` (Unix seconds) and was the `number`-th to be stored."""

    at: float
    number: int


class Wanted(msgspec.Struct, frozen=True):
    """Requests from `since` to before `until` (Unix seconds), newest first, at most `limit`, those after `after`.

    None: whatever it is. `cache`: whether it was answered from the cache. `failed`: whether it failed; one whose client
    left did not.
    """

    model: str | None = None
    backend: str | None = None
    key: str | None = None
    task: str | None = None
    verdict: str | None = None
    failed: bool | None = None
    degraded: bool | None = None
    cache: bool | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 50
    after: Place | None = None


class Page(msgspec.Struct, frozen=True):
    """`rows` in the names of the ledger's columns. `after` is where the next page begins, None at the end.

    A page may have less than its limit, or nothing, and still not be the last: it ends where enough was searched.
    """

    rows: tuple[dict[str, object], ...]
    after: Place | None


def spell(place: Place) -> str:
    """A place as a word that is safe in a query string."""
    return urlsafe_b64encode(_PLACE.pack(place.at, place.number)).rstrip(b"=").decode()


def read(word: str) -> Place:
    """The place again; ValueError for anything that `spell` did not make."""
    try:
        packed = urlsafe_b64decode(word.encode("ascii") + b"==")
        place = Place(*_PLACE.unpack(packed))
    except (UnicodeEncodeError, binascii.Error, struct.error) as error:
        raise ValueError(word) from error
    if spell(place) != word or place.at != place.at or place.number < 0:
        raise ValueError(word)
    return place
