"""The control side's way out: httpx, connecting only to addresses that were checked.

httpx looks names up by itself, so a name would be checked and then asked for again. Here the URL it gets holds
the checked address; the Host header and the name in the TLS handshake stay those of the backend.
"""

import httpx

from orchestra_core.upstream.dialing import Dialer


class Guarded(httpx.AsyncBaseTransport):
    """`inner` makes the connections; by default they may go to this machine and others over TCP."""

    def __init__(self, dialer: Dialer, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._dialer = dialer
        self._inner = inner or httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.ConnectError for a host that is unknown or no place for a backend."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            found = await self._dialer.addresses(host, port)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        for ip in found[:-1]:
            try:
                return await self._inner.handle_async_request(_towards(request, host, ip))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent yet
        return await self._inner.handle_async_request(_towards(request, host, found[-1]))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _towards(request: httpx.Request, host: str, ip: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=ip),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
