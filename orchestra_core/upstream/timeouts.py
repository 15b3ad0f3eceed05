"""How long a backend may take over what."""

import msgspec


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. `connect` is for other machines: to this one a connection is made in at most 1 s.

    `first_token` counts from the last sign of life, since a small machine reads a long prompt slowly and servers
    send comments meanwhile; `between_tokens` from one complete event to the next, whatever bytes come between.
    `total` is for a whole streamed answer, `unstreamed` for one in a single piece, of which nothing is seen
    before it is done. A client that waits for a stream is told every `keep_alive` seconds that it is not forgotten.
    """

    connect: float = 5.0
    first_token: float = 120.0
    between_tokens: float = 60.0
    total: float = 3600.0
    unstreamed: float = 600.0
    keep_alive: float = 15.0

    @property
    def resolution(self) -> float:
        """How often to look, so that no limit is missed by more than about a fifth of it."""
        shortest = min(self.first_token, self.between_tokens, self.total, self.unstreamed, self.keep_alive)
        return max(0.01, min(0.5, shortest / 5))
