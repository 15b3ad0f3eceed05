"""What was asked in the last days, as far as it tells what will be asked next."""

import msgspec


class Hour(msgspec.Struct, frozen=True, gc=False):
    """How often a model was used in one hour; `hour` counts them since 1970, in UTC."""

    model: str
    hour: int
    requests: int


class Use(msgspec.Struct, frozen=True, gc=False):
    """One request: when it came (Unix seconds), from which key or address, and which model served it."""

    at: float
    session: str
    model: str


class History(msgspec.Struct, frozen=True):
    """`uses` are the latest single requests, oldest first; `hours` reach back further."""

    hours: tuple[Hour, ...] = ()
    uses: tuple[Use, ...] = ()
