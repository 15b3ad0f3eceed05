"""What the hard filters leave: values, apart from the filters so that they can be compiled."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Rejection


class Sifted(msgspec.Struct, frozen=True):
    """`feasible` endpoints in the order given; `relaxed` names what had to give way for them."""

    feasible: Sequence[Endpoint]
    rejected: Sequence[Rejection]
    relaxed: str | None
