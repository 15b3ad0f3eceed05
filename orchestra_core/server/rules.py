"""What is configured of who may ask: values, apart from the gate so that the gate can be compiled."""

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """What is configured. `require_key` None: as soon as there is a key; limits of 0 are none.

    `read_only`: nobody changes anything, whoever it is.
    """

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    require_key: bool | None = None
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    read_only: bool = False
