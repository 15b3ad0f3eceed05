"""The native surface's flight recording: what the engine looked like in the last minutes, for a look back."""

from contextlib import aclosing
from datetime import UTC, datetime

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.questions import read_since


class RecordingFacade:
    """For operators: a recording tells what snapshots and events told, also of when one was not there to see."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def stream(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/recording?since=10m: JSON lines, compressed; it begins up to a minute before."""
        now = datetime.fromtimestamp(self._ports.clock.wall(), UTC)
        async with aclosing(self._ports.recording(read_since(request.arguments, now))) as pieces:
            # An error is answered as one only before the answer has begun.
            first = await anext(pieces, b"")
            name = f'attachment; filename="recording-{now:%Y%m%dT%H%M%S}.jsonl.gz"'
            headers = [("x-request-id", request_id), ("content-disposition", name)]
            exchange.start(200, headers, content_type="application/gzip")
            exchange.write(first)
            async for piece in pieces:
                await exchange.drain()
                exchange.write(piece)
        exchange.finish()
