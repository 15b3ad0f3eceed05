"""Host and Origin rules: what a web page may make a browser do."""

import pytest

from orchestra_core.domain.errors import Forbidden
from orchestra_core.trust.hosts import Hosts, is_loopback, split
from orchestra_core.trust.origins import Origins, is_origin, is_preflight

APP = "https://app.example.com"
HOSTS = Hosts("192.168.1.5", ["gateway.lan", "public.example.com:443", "[fd00::5]"], 8080)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LocalHost:8080", True),
        ("localhost.:8080", True),
        ("127.0.0.1:8080", True),
        ("127.9.9.9:8080", True),
        ("[::1]:8080", True),
        ("[::1]", True),
        ("192.168.1.5:8080", True),
        ("gateway.lan", True),
        ("gateway.lan:8080", True),
        ("[fd00::5]:8080", True),
        ("public.example.com:443", True),
        ("public.example.com:8080", False),
        ("public.example.com", False),
        ("localhost:8081", False),
        ("127.0.0.1:80", False),
        ("evil.com", False),
        ("evil.com:8080", False),
        ("localhost.evil.com:8080", False),
        ("evil.localhost", False),
        ("127.0.0.1.nip.io:8080", False),
        ("engine.local", False),
        ("engine.internal", False),
        ("192.168.1.6:8080", False),
        ("10.0.0.1:8080", False),
        ("0.0.0.0:8080", False),
        ("169.254.169.254", False),
        ("[::ffff:7f00:1]:8080", False),
        ("localhost:", True),
        ("localhost:99999", False),
        ("localhost:" + "1" * 5000, False),
        ("localhost:8080:8080", False),
        ("localhost:x", False),
        ("[::1", False),
        ("[::1]x", False),
        ("", False),
        ("2130706433:8080", False),
        ("localhost:8080, evil.com", False),
    ],
)
def test_which_hosts_a_request_may_name(host: str, allowed: bool) -> None:
    """Loopback, where we listen and what is configured, with our port or none; nothing that only looks like it."""
    assert HOSTS.allows(host.encode()) is allowed


def test_listening_everywhere_allows_nothing_more() -> None:
    """A wildcard is no name: browsers send 0.0.0.0 too (the 0.0.0.0-day attack)."""
    for wildcard in ("0.0.0.0", "::"):
        hosts = Hosts(wildcard, [], 8080)
        assert not hosts.allows(b"0.0.0.0:8080")
        assert not hosts.allows(b"[::]:8080")
        assert hosts.allows(b"localhost:8080")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_what_is_this_machine_alone(host: str, loopback: bool) -> None:
    """Addresses that nobody else can reach."""
    assert is_loopback(host) is loopback


def test_hosts_are_taken_apart() -> None:
    """Names in lower case, brackets and the root's dot gone."""
    assert split("A.Example.:80") == ("a.example", 80)
    assert split("[FD00::1]") == ("fd00::1", None)
    assert split("fd00::1") == ("fd00::1", None)


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({}, True),
        ({b"sec-fetch-site": b"none"}, True),
        ({b"sec-fetch-site": b"same-origin"}, True),
        ({b"sec-fetch-site": b"same-site"}, False),
        ({b"sec-fetch-site": b"cross-site"}, False),
        ({b"sec-fetch-site": b"new-value"}, False),
        ({b"origin": b"http://localhost:8080"}, True),
        ({b"origin": b"http://localhost:3000"}, False),
        ({b"origin": b"http://localhost"}, False),
        ({b"origin": b"http://evil.com", b"sec-fetch-site": b"same-origin"}, False),
        ({b"origin": APP.encode()}, True),
        ({b"origin": APP.encode(), b"sec-fetch-site": b"cross-site"}, True),
        ({b"origin": APP.upper().encode()}, False),
        ({b"origin": APP.encode() + b".evil.com"}, False),
        ({b"origin": b"http://app.example.com"}, False),
        ({b"origin": b"null"}, False),
        ({b"origin": b""}, False),
        ({b"origin": b"file://"}, False),
        ({b"origin": b"chrome-extension://abc"}, False),
    ],
)
def test_which_pages_may_ask(fields: dict[bytes, bytes], allowed: bool) -> None:
    """Programs, our own pages and exactly the configured origins."""
    origins = Origins([APP])
    fields = {b"host": b"localhost:8080", **fields}
    if allowed:
        lines = origins.lines(fields)
        assert ("access-control-allow-origin" in lines) is (fields.get(b"origin") == APP.encode())
        assert "credentials" not in lines
    else:
        with pytest.raises(Forbidden):
            origins.lines(fields)


def test_without_configured_origins_nothing_is_said_to_browsers() -> None:
    """No access-control header at all by default."""
    assert Origins().lines({b"host": b"localhost"}) == ""
    with pytest.raises(Forbidden):
        Origins().lines({b"origin": APP.encode()})


def test_preflight_is_answered_for_a_configured_origin_alone() -> None:
    """With the methods and those of the wanted headers that are known; else 403."""
    wanted = b"Authorization, content-type, X-Stainless-OS, x-evil, x-stainless-a\rb"
    fields = {
        b"origin": APP.encode(),
        b"access-control-request-method": b"POST",
        b"access-control-request-headers": wanted,
    }
    assert is_preflight("OPTIONS", fields)
    lines = Origins([APP]).preflight(fields)
    assert f"access-control-allow-origin: {APP}\r\n" in lines
    assert "access-control-allow-headers: authorization, content-type, x-stainless-os\r\n" in lines
    assert "vary: origin\r\n" in lines
    for origin in (b"null", b"https://evil.com"):
        with pytest.raises(Forbidden):
            Origins([APP]).preflight({**fields, b"origin": origin})


@pytest.mark.parametrize(
    ("origin", "valid"),
    [
        (APP, True),
        ("http://localhost:3000", True),
        ("http://[::1]:3000", True),
        ("*", False),
        ("null", False),
        ("https://*.example.com", False),
        ("https://app.example.com/", False),
        ("https://app.example.com/path", False),
        ("https://App.example.com", False),
        ("https://app.example.com:443", False),
        ("http://app.example.com:80", False),
        ("https://user@app.example.com", False),
        ("app.example.com", False),
        ("ftp://app.example.com", False),
        ("https://", False),
        ("https://a:x", False),
        ("", False),
    ],
)
def test_what_an_origin_is(origin: str, valid: bool) -> None:
    """Exactly as browsers spell it, so that comparing bytes is enough."""
    assert is_origin(origin) is valid
