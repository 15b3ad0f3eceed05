"""An engine with keys: how often each may ask, and OpenAI's own client with one."""

from typing import Any

import openai
import pytest

from tests.fakes.engine_process import PLAIN, EngineProcess
from tests.integration.engine.keyed import CHAT, DEAR, MODEL, ROUTE, SLOW, USE, ask, error


@pytest.fixture
def engine(keyed: EngineProcess) -> EngineProcess:
    return keyed


def test_requests_beyond_a_keys_limit_are_refused(engine: EngineProcess) -> None:
    """429 with OpenAI's headers and when to come again; other keys do not notice."""
    first = ask(engine, "GET", "/v1/models", SLOW)
    assert first.status_code == 200
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert ask(engine, "GET", "/v1/models", SLOW).status_code == 200
    refused = ask(engine, "POST", "/api/v1/route", SLOW, ROUTE)
    assert refused.status_code == 429
    assert error(refused)["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    client = openai.OpenAI(
        base_url=f"{engine.url}/v1",
        api_key=SLOW,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(**PLAIN),
    )
    with client, pytest.raises(openai.RateLimitError):
        client.models.list()
    plain = ask(engine, "GET", "/v1/models", USE)
    assert plain.status_code == 200
    assert "x-ratelimit-limit-requests" not in plain.headers


def test_tokens_are_debited_when_they_are_known(engine: EngineProcess) -> None:
    """The call that overdraws is answered, the next one is not; looking costs no tokens."""
    assert ask(engine, "POST", "/v1/chat/completions", DEAR, CHAT).status_code == 200
    refused = ask(engine, "POST", "/v1/chat/completions", DEAR, CHAT)
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-limit-tokens"] == "1"
    assert int(refused.headers["retry-after"]) > 60
    assert ask(engine, "GET", "/v1/models", DEAR).status_code == 200


def test_the_official_client_works_with_a_key(engine: EngineProcess) -> None:
    """Whole and streamed; with a wrong one it raises AuthenticationError, not after retries."""
    said: Any = [{"role": "user", "content": "Hi"}]
    with openai.OpenAI(
        base_url=f"{engine.url}/v1", api_key=USE, http_client=openai.DefaultHttpxClient(**PLAIN)
    ) as client:
        whole = client.chat.completions.create(model=MODEL, messages=said, max_tokens=4)
        assert whole.choices[0].message.content
        pieces = client.chat.completions.create(model=MODEL, messages=said, max_tokens=4, stream=True)
        assert sum(bool(piece.choices and piece.choices[0].delta.content) for piece in pieces) > 0
        with pytest.raises(openai.AuthenticationError) as caught:
            client.with_options(api_key="ork-wrong").models.list()
    assert caught.value.code == "invalid_api_key"
