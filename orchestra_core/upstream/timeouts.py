"""How long a backend may take over what."""

import msgspec


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. `connect` is for other machines: to this one a connection is made in at most 1 s.

    `first_token` counts from the last sign of life, since a small machine reads a long prompt slowly and servers
    send comments meanwhile; `between_tokens` from one complete event to the next, whatever bytes come between.
    `total` is for a whole streamed answer, `unstreamed` for one in a single piece, of which nothing is seen
    before it is done. A client that waits for a stream is told every `keep_alive` seconds that it is not forgotten.
    `own` are those of backends, by name.
    """

    connect: float = 5.0
    first_token: float = 120.0
    between_tokens: float = 60.0
    total: float = 3600.0
    unstreamed: float = 600.0
    keep_alive: float = 15.0
    own: dict[str, "Timeouts"] = {}

    def of(self, endpoint: str) -> "Timeouts":
        """Those of an endpoint's backend."""
        return self.own.get(endpoint.partition("/")[0], self) if self.own else self

    def whole(self, streams: bool) -> float:
        """For all of an answer."""
        return self.total if streams else self.unstreamed

    def passed(self, age: float, silent: float, begun: bool, streams: bool, own_limit: float | None) -> str:
        """Which limit an attempt has passed, in words; empty while there is time.

        It is `age` old and was last heard of `silent` ago; `begun` once a token has come, which is never told of an
        answer in one piece. `own_limit` is its own for its first token, or for all of such an answer.
        """
        if age > self.whole(streams):
            return f"the answer took longer than {self.whole(streams):g} s"
        if begun:
            return f"no token for {self.between_tokens:g} s" if silent > self.between_tokens else ""
        if own_limit is not None and age > own_limit:
            return f"no {'first token' if streams else 'answer'} within {own_limit:g} s"
        if streams and silent > self.first_token:
            return f"no first token within {self.first_token:g} s"
        return ""

    @property
    def resolution(self) -> float:
        """How often to look, so that no limit is missed by more than about a fifth of it."""
        shortest = min(self.first_token, self.between_tokens, self.total, self.unstreamed, self.keep_alive)
        return min((max(0.01, min(0.5, shortest / 5)), *(limits.resolution for limits in self.own.values())))
