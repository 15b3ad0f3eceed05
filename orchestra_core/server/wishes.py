"""What the headers of a request say of the cache and of waiting, put to its call."""

from msgspec.structs import replace

from orchestra_core.caching.control import read_wish
from orchestra_core.domain.call import Call
from orchestra_core.server.exchange import Request

CONTROL = b"cache-control"
OWN = b"x-orchestra-cache"
PROGRESS = b"x-orchestra-progress"
_PROGRESS_SECONDS = 1.0


def wished(call: Call, request: Request) -> Call:
    """Raises InvalidRequest for a word of our own header that means nothing."""
    wish = read_wish(request.header(CONTROL), request.header(OWN))
    if wish.off:
        return replace(call, repeatable=False)
    return replace(call, cache=wish)


def watched(call: Call) -> Call:
    """Of a client that shows its user how far a load is."""
    return replace(call, told_seconds=_PROGRESS_SECONDS)
