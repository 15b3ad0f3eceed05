"""Which prices changed, to be written down: requests keep what they cost, and this is what it was computed from."""

from collections.abc import Mapping

import msgspec

from orchestra_core.domain.price import Price

# Endpoint, Unix seconds, and the price from then on; None: unknown from then on.
Change = tuple[str, float, Price | None]
# A database may be away for long, and some prices change with the hour. The oldest go.
_MOST_WAITING = 10_000


class PriceChanges:
    """`known` has to be told what was written down before; until then nothing is `waiting`, since it may be there."""

    def __init__(self) -> None:
        self._now: dict[str, Price | None] = {}
        self._noted: list[Change] = []
        self._looked = 0  # of those noted, how many `waiting` last told of or found written already
        self._written: dict[str, Price | None] | None = None

    @property
    def informed(self) -> bool:
        return self._written is not None

    def note(self, endpoint: str, price: Price | None, now: float) -> None:
        """The price of an endpoint at `now` (Unix seconds); most often what it was."""
        if endpoint in self._now and self._now[endpoint] == price:
            return
        self._now[endpoint] = price
        self._noted.append((endpoint, now, price))
        if len(self._noted) > _MOST_WAITING:
            del self._noted[0]
            self._looked = max(0, self._looked - 1)

    def known(self, written: Mapping[str, Price | None]) -> None:
        """The last price written down of each endpoint; an endpoint that is not there never had a known one."""
        self._written = dict(written)

    def waiting(self) -> list[Change]:
        """What is not written down yet, in order; ask once at a time, and tell `wrote` of what has been done."""
        if self._written is None:
            return []
        last, changes = dict(self._written), []
        for endpoint, at, price in self._noted:
            if not _same(last.get(endpoint), price):
                last[endpoint] = price
                changes.append((endpoint, at, price))
        self._looked = len(self._noted)
        if not changes:
            self._forget()
        return changes

    def wrote(self, changes: list[Change]) -> None:
        """These are written down."""
        if self._written is None or not changes:
            return
        self._written |= {endpoint: price for endpoint, _, price in changes}
        self._forget()

    def _forget(self) -> None:
        del self._noted[: self._looked]
        self._looked = 0


def _same(a: Price | None, b: Price | None) -> bool:
    """Another edition of a list that says the same is no other price."""
    if a is None or b is None:
        return a is b
    return _bare(a) == _bare(b)


def _bare(price: Price) -> Price:
    above = tuple((start, _bare(other)) for start, other in price.above)
    return msgspec.structs.replace(price, since=None, origin="", above=above)
