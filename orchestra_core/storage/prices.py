"""The table of prices: what each endpoint charged, from when on. Written by the ledger's writer only."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.price import Price
from orchestra_core.storage.store import Connection

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Price).decode
_LATEST = (
    "SELECT endpoint, price FROM prices AS one"
    " WHERE at = (SELECT max(at) FROM prices WHERE endpoint = one.endpoint)"
)


def latest(connection: Connection) -> dict[str, Price | None]:
    """The last price of each endpoint that ever had one; None: it is not known any more."""
    return {str(endpoint): _price(text) for endpoint, text in connection.execute(_LATEST)}


def insert(connection: Connection, changes: Sequence[tuple[str, float, Price | None]]) -> None:
    """Endpoint, Unix seconds and the price from then on; the last word wins where two are of the same moment."""
    rows = [
        (endpoint, at, None if price is None else _encode(price).decode()) for endpoint, at, price in changes
    ]
    connection.executemany(
        "INSERT INTO prices (endpoint, at, price) VALUES (?, ?, ?)"
        " ON CONFLICT (endpoint, at) DO UPDATE SET price = excluded.price",
        rows,
    )


def history(connection: Connection, endpoint: str) -> list[tuple[float, Price | None]]:
    """Every price an endpoint had, with the Unix seconds it held from, oldest first."""
    rows = connection.execute("SELECT at, price FROM prices WHERE endpoint = ? ORDER BY at", (endpoint,))
    return [(float(str(at)), _price(text)) for at, text in rows]


def _price(text: object) -> Price | None:
    return None if text is None else _decode(str(text))
