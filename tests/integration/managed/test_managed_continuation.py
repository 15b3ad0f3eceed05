"""A real llama.cpp goes on with an answer from the text so far, and sends only what is new."""

from pathlib import Path

import pytest

from orchestra_core.domain.call import Call, Kind, Level
from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec
from orchestra_core.domain.outcome import Outcome, Partial
from orchestra_core.domain.sink import Serving
from orchestra_core.resilience.continuation import continued
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed
from tests.fakes.memory_client import MemoryClient

pytestmark = pytest.mark.model
NAME = "gemma"
ENDPOINT = Endpoint(
    EndpointSpec(
        "local", NAME, BackendKind.MANAGED, frozenset(), frozenset(), 1024, 0.5, Level.LOW, prefill=True
    )
)


def question(text: str) -> Call:
    messages = [{"role": "user", "content": text}]
    fields: dict[str, object] = {"messages": messages, "temperature": 0, "max_tokens": 12}
    return Call(
        id="r", kind=Kind.CHAT, fields=fields, received=0.0, stream=True, wants_usage=True, max_tokens=12
    )


async def test_an_answer_goes_on_from_any_of_its_tokens(make, gemma_path: Path) -> None:
    """With the next token of the uncut answer; its prompt is the question and the beginning, counted exactly."""
    managed: Managed = make({NAME: ManagedModel(path=gemma_path, context=1024, plain_chat=True)})
    await managed.load(NAME, lambda _: None)
    address = managed.address(NAME)
    execution = Execution(lambda _: address, lambda _: managed.defaults(NAME))

    async def run(call: Call, begun: bool) -> tuple[list[str], Outcome]:
        client, serving = MemoryClient(call), Serving(NAME, "local", "d", 1, False)
        if begun:
            client.sink.open(serving)
        outcome = await execution(call, ENDPOINT, client.sink, serving)
        assert outcome.ok, outcome.message
        client.end(outcome)
        found = [choice["delta"].get("content") for chunk in client.chunks for choice in chunk["choices"]]
        return [token for token in found if token], outcome

    call = question("What is a volcano? Explain in three sentences.")
    tokens, whole = await run(call, begun=False)
    assert len(tokens) > 5
    for died in (1, 5):
        went_on = continued(call, Partial("".join(tokens[:died]), died))
        assert went_on is not None
        rest, outcome = await run(went_on, begun=True)
        assert rest[0] == tokens[died]
        assert outcome.usage.prompt == whole.usage.prompt + died
        assert outcome.usage.completion <= 12 - died
    execution.close()
