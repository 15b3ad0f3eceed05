"""Who the engine takes a client for."""

import socket
import struct

from tests.fakes.engine_process import EngineProcess

SHUTDOWN = b"POST /api/v1/shutdown HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"


def test_a_client_that_resets_at_once_is_not_the_owner() -> None:
    """Its address cannot be asked for any more, its request is still read: it must not pass for the socket's."""
    with EngineProcess() as engine:
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", engine.port), timeout=5)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(SHUTDOWN)
            client.close()
        assert engine.get("/livez").status_code == 200
        assert engine.process is not None
        assert engine.process.poll() is None
        assert "stopping" not in engine.log.text
