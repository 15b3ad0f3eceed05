"""Which addresses are connected to: what was checked is what is used, on the control side and the data side."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from orchestra_core.upstream.dialing import Dialer
from orchestra_core.upstream.guarded import Guarded


class Inner(httpx.AsyncBaseTransport):
    """Notes what it is asked to send; `dead` addresses refuse."""

    def __init__(self, *dead: str) -> None:
        self.dead = dead
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.host in self.dead:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={})


def dialer(*found: str) -> Dialer:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    return Dialer(asyncio.get_running_loop(), resolve=resolve)


async def ask(guarded: Guarded, url: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=guarded) as client:
        return await client.get(url)


async def test_the_checked_address_is_connected_to_under_the_backends_name() -> None:
    """The URL has the address, Host and TLS keep the name: nothing is looked up a second time."""
    inner = Inner()
    await ask(Guarded(dialer("10.0.0.7"), inner), "https://models.example:8443/v1/models")
    (request,) = inner.asked
    assert str(request.url) == "https://10.0.0.7:8443/v1/models"
    assert request.headers["host"] == "models.example:8443"
    assert request.extensions["sni_hostname"] == "models.example"


@pytest.mark.parametrize(
    "ip", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254"]
)
async def test_a_name_that_leads_to_a_refused_address_is_not_connected_to(ip: str) -> None:
    """However harmless the name: the answer is an error that says why, and nothing is sent."""
    inner = Inner()
    with pytest.raises(httpx.ConnectError, match="not allowed"):
        await ask(Guarded(dialer(ip), inner), "http://models.example/v1/models")
    assert inner.asked == []


async def test_of_several_addresses_the_refused_ones_are_left_out() -> None:
    """And the next is tried where one does not answer."""
    inner = Inner("10.0.0.7")
    await ask(Guarded(dialer("169.254.169.254", "10.0.0.7", "10.0.0.8"), inner), "http://models.example/x")
    assert [request.url.host for request in inner.asked] == ["10.0.0.7", "10.0.0.8"]


@pytest.mark.parametrize("host", ["2852039166", "169.254.43518", "0xa9fea9fe", "169.254.169.254"])
async def test_other_spellings_of_an_address_are_looked_up(host: str) -> None:
    """Systems take them for 169.254.169.254 (measured with getaddrinfo): data side and control side refuse them."""
    system = Dialer(asyncio.get_running_loop())
    with pytest.raises(OSError, match="not allowed"):
        await system.addresses(host, 80)
