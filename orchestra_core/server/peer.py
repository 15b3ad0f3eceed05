"""Who is at the other end of a connection, as the kernel says it."""

import asyncio
import os
import socket
import struct

OWNER = "unix"
_UNKNOWN = "unknown"


def peer_of(transport: asyncio.BaseTransport) -> str:
    """An IP address; `unix` for our own user (or root) on the Unix socket, `unix:<uid>` for any other user.

    Never decided by what is missing: a client that resets at once has no address left to be asked for under
    uvloop, while what it sent is still delivered (measured). It is `unknown`, not the owner.
    """
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple):
        return str(peer[0])
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return _UNKNOWN
    if not hasattr(socket, "SO_PEERCRED"):
        # Not Linux: the socket's mode and its directory's keep other users out.
        return OWNER
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return OWNER if uid in (os.getuid(), 0) else f"unix:{uid}"
