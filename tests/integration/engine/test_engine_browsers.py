"""An engine with keys as web pages meet it: names that were rebound, and pages of others."""

import pytest

from tests.fakes.engine_process import EngineProcess
from tests.integration.engine.keyed import ADMIN, APP, CHAT, USE, ask, error


@pytest.fixture
def engine(keyed: EngineProcess) -> EngineProcess:
    return keyed


@pytest.mark.parametrize(
    "path", ["/livez", "/health", "/v1/models", "/nope", "/api/v1/models/x/load", "/metrics"]
)
@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:{port}", "localhost:1", "127.0.0.1.evil.com:{port}", "0.0.0.0:{port}"]
)
def test_a_name_that_is_rebound_to_us_is_refused(engine: EngineProcess, path: str, host: str) -> None:
    """403 on every path, there or not, open or not, with a key or without."""
    for token in (None, ADMIN):
        answer = ask(engine, "GET", path, token, host=host.format(port=engine.port))
        assert (answer.status_code, error(answer)["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "localhost", "127.0.0.1:{port}", "[::1]:{port}", "gateway.lan"]
)
def test_our_own_names_are_answered(engine: EngineProcess, host: str) -> None:
    """This machine's and the configured ones."""
    assert ask(engine, "GET", "/livez", host=host.format(port=engine.port)).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.com", "null", "http://localhost:3000", f"{APP}.evil.com"])
@pytest.mark.parametrize("path", ["/livez", "/v1/chat/completions", "/nope"])
def test_pages_of_others_get_nothing(engine: EngineProcess, origin: str, path: str) -> None:
    """403 without a word to the browser, also to the preflight, also with a good key."""
    asked = ask(engine, "POST", path, USE, CHAT, origin=origin)
    wanted = {"access_control_request_method": "POST"}
    preflight = ask(engine, "OPTIONS", path, origin=origin, **wanted)
    for answer in (asked, preflight):
        assert (answer.status_code, error(answer)["code"]) == (403, "origin_not_allowed")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    cross = ask(engine, "GET", "/livez", sec_fetch_site="cross-site")
    assert cross.status_code == 403


def test_pages_of_a_configured_origin_may_ask(engine: EngineProcess) -> None:
    """Preflight without a key, the request with one, errors readable; without an Origin no word of all that."""
    preflight = ask(
        engine,
        "OPTIONS",
        "/v1/chat/completions",
        origin=APP,
        access_control_request_method="POST",
        access_control_request_headers="authorization,content-type,x-stainless-lang",
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == APP
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    whole = ask(engine, "POST", "/v1/chat/completions", USE, CHAT, origin=APP, sec_fetch_site="cross-site")
    streamed = ask(engine, "POST", "/v1/chat/completions", USE, {**CHAT, "stream": True}, origin=APP)
    wrong = ask(engine, "POST", "/v1/chat/completions", "wrong", CHAT, origin=APP)
    for answer, status in ((whole, 200), (streamed, 200), (wrong, 401)):
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, APP)
        assert answer.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in ask(engine, "GET", "/v1/models", USE).headers
