"""What a client says about answers that are given again, and what the engine tells it of its own."""

import msgspec


class Wish(msgspec.Struct, frozen=True, gc=False):
    """The client's words (RFC 9111 section 5.2.1) about one request.

    `use`: a stored answer will do although another might differ. `fresh`: no stored answer is taken, the new one is
    kept. `keep` false: the new one is not kept. `max_age`: seconds a stored one may be old. `only`: a stored one or
    none. `off`: as if there were no cache.
    """

    use: bool = False
    fresh: bool = False
    keep: bool = True
    max_age: int | None = None
    only: bool = False
    off: bool = False


NO_WISH = Wish()


class Cleared(msgspec.Struct, frozen=True):
    """What was dropped at an operator's wish; None is not known."""

    entries: int | None
    bytes: int | None


class CacheView(msgspec.Struct, frozen=True):
    """What the cache of answers holds and has done since the start. Sizes in bytes; `limit` None: Redis has its own.

    `place` is memory, redis or off. `entries` and `bytes` are None where only Redis knows. `shared` were answered
    along with another that asked the same at the same time; `kept` of the answers to requests that may be answered
    from the cache (`misses`) were stored; `dropped` made room for others, `expired` were too old. `lost` are the looks
    and stores that Redis did not answer in time, `problem` what it says. `saved` is the known cost of what was not
    asked again, `unpriced` the answers of which that is not known.
    """

    place: str = "off"
    entries: int | None = 0
    bytes: int | None = 0
    limit: int | None = None
    hits: int = 0
    shared: int = 0
    misses: int = 0
    kept: int = 0
    dropped: int = 0
    expired: int = 0
    lost: int = 0
    saved: float = 0.0
    unpriced: int = 0
    problem: str = ""
