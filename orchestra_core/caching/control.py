"""The two request headers about the cache: `Cache-Control` (RFC 9111) and `x-orchestra-cache`, which is our own.

`Cache-Control: max-age=N` with N above 0 and `only-if-cached` ask for a stored answer, so they take the place of
`x-orchestra-cache: use`. `no-store` keeps nothing and, as the RFC has it, does not forbid an answer that is stored
already. `max-stale`, `min-fresh`, `no-transform` and whatever else there may be change nothing: an answer that is too
old is never given, so there is nothing stale to ask for.
"""

from orchestra_core.domain.caching import Wish
from orchestra_core.domain.errors import InvalidRequest

OWN = "x-orchestra-cache"
# A year: more seconds than any answer is kept, and a number that every platform holds.
_LONGEST = 31_536_000


def read_wish(control: str | None, own: str | None) -> Wish:
    """Raises InvalidRequest for a value of our own header that is none of ours; `Cache-Control` is never refused."""
    use = _own(own)
    if use == "off":
        return Wish(keep=False, off=True)
    given = _directives(control or "")
    age = _seconds(given.get("max-age"))
    only = "only-if-cached" in given
    return Wish(
        use=use == "use" or only or bool(age),
        fresh="no-cache" in given or age == 0,
        keep="no-store" not in given,
        max_age=age,
        only=only,
    )


def _own(value: str | None) -> str:
    word = (value or "").strip().lower()
    if word not in {"", "use", "off"}:
        raise InvalidRequest(f"header `{OWN}` must be use or off", param=OWN)
    return word


def _directives(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, argument = part.partition("=")
        found[name.strip().lower()] = argument.strip().strip('"')
    return found


def _seconds(value: str | None) -> int | None:
    """What is no number of seconds is as if it were 0: in doubt an answer is too old (RFC 9111 section 4.2.1)."""
    if value is None:
        return None
    return min(int(value[:12]), _LONGEST) if value.isascii() and value.isdigit() else 0
