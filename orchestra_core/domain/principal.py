"""Who asks, and what they may do: decided once per request at the gate."""

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """What a request needs; each one includes those before it."""

    USE = "use"
    OPERATE = "operate"
    ADMIN = "admin"


_INCLUDED = {
    Scope.USE: frozenset({Scope.USE}),
    Scope.OPERATE: frozenset({Scope.USE, Scope.OPERATE}),
    Scope.ADMIN: frozenset(Scope),
}


def including(*granted: Scope) -> frozenset[Scope]:
    """The granted scopes with all that they include."""
    return frozenset[Scope]().union(*(_INCLUDED[scope] for scope in granted))


class Principal(msgspec.Struct, frozen=True):
    """`id` is the id of a key and empty where none was needed; `name` is for people."""

    id: str
    name: str
    scopes: frozenset[Scope]


ANONYMOUS = Principal("", "anonymous", frozenset())
# Whoever asks from this machine while no key is configured.
LOCAL = Principal("", "local", including(Scope.OPERATE))
# The user who runs the engine, on the private Unix socket.
OWNER = Principal("", "owner", including(Scope.ADMIN))
