"""Sockets towards backends: the data plane by asyncio protocols, the control side by httpx."""
