"""Who is at the other end: told by what the kernel says, never by what is missing."""

import asyncio
import os
import socket
import struct
from typing import Any

import pytest

from orchestra_core.server.peer import OWNER, peer_of


class Sock:
    def __init__(self, family: int, uid: int = 0) -> None:
        self.family = family
        self._uid = uid

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
        return struct.pack("3i", 4242, self._uid, 0)[:size]


class Transport(asyncio.BaseTransport):
    def __init__(self, **known: Any) -> None:
        super().__init__(known)


@pytest.mark.parametrize(
    ("known", "peer"),
    [
        ({"peername": ("10.0.0.1", 5000)}, "10.0.0.1"),
        ({"peername": ("::1", 5000, 0, 0)}, "::1"),
        ({"peername": "", "socket": Sock(socket.AF_UNIX, os.getuid())}, OWNER),
        ({"peername": "", "socket": Sock(socket.AF_UNIX, 0)}, OWNER),
        ({"peername": b"", "socket": Sock(socket.AF_UNIX, 12345)}, "unix:12345"),
        ({"peername": None, "socket": Sock(socket.AF_INET)}, "unknown"),
        ({"peername": None, "socket": Sock(socket.AF_INET6)}, "unknown"),
        ({"peername": None, "socket": None}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_who_is_there(known: dict[str, Any], peer: str) -> None:
    """Our own user and root own the engine; another user on the socket, or nobody that can be named, does not."""
    assert peer_of(Transport(**known)) == peer
