"""How long a request may take in all: values, apart from the service so that it can be compiled."""

import msgspec


class Whole(msgspec.Struct, frozen=True):
    """Seconds a request may take in all, where it has no deadline of its own (reliability.md section 3)."""

    plain: float = 600.0
    streamed: float = 3600.0
