"""What streaming clients are told while a model is being loaded."""

import asyncio

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.progress import progress_words
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import World
from tests.fakes.turns import settle


class Loading:
    """A model on one endpoint that is loaded when `world.loaded` is set, and clients that wait for it."""

    def __init__(self, slots: int = 1) -> None:
        self.world = World(ScriptedExecution(), ("a",), slots)
        self.world.loaded = asyncio.Event()
        self.endpoint = self.world.endpoint("a")
        self.endpoint.residency = Residency.ABSENT
        self.change(loadable=True)
        self.asking: list[asyncio.Task[object]] = []

    def change(self, **facts: object) -> None:
        self.endpoint = self.world.change("a", **facts)

    def begin(self, said: str = "") -> None:
        self.endpoint.residency = Residency.LOADING
        self.endpoint.changing_since = self.world.clock.monotonic()
        self.endpoint.progress = said

    async def ask(self, **wish: float) -> TakingSink:
        sink = TakingSink(streaming=True)
        self.asking.append(asyncio.ensure_future(self.world.ask(sink, stream=True, **wish)))
        await settle()
        return sink

    def later(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.world.pipeline.tick()

    async def end(self) -> None:
        assert self.world.loaded is not None
        self.world.loaded.set()
        await asyncio.gather(*self.asking)


async def test_who_waits_for_a_load_is_told_how_long_it_has_taken_and_the_place_in_line() -> None:
    """Those that hold a slot come first, then those in the queue; when one leaves the others move up."""
    loading = Loading(slots=2)
    loading.begin()
    sinks = [await loading.ask() for _ in range(3)]
    loading.later(16.2)
    told = [f"loading llama3:8b, 16 s, position {place}" for place in (1, 2, 3)]
    assert [sink.notes for sink in sinks] == [[each] for each in told]
    loading.asking[0].cancel()
    await settle()
    loading.later(16)
    assert sinks[1].notes[1:] == ["loading llama3:8b, 32 s, position 1"]
    assert sinks[2].notes[1:] == ["loading llama3:8b, 32 s, position 2"]
    del loading.asking[0]
    await loading.end()
    loading.later(60)
    assert [len(sink.notes) for sink in sinks] == [1, 2, 2]


@pytest.mark.parametrize(
    ("said", "note"),
    [
        ("loading 62.5%, 5.6 of 9.0G", "loading llama3:8b 62.5%, 16 s, position 1"),
        ("40 %", "loading llama3:8b 40 %, 16 s, position 1"),
        ("loading 15.7 s", "loading llama3:8b, 16 s, position 1"),
        ("Ollama is loading it", "loading llama3:8b, 16 s, position 1"),
    ],
)
async def test_percent_are_told_where_the_backend_reports_them(said: str, note: str) -> None:
    """And nothing else that it may say: that is for operators. The end is never guessed."""
    loading = Loading()
    loading.begin(said)
    sink = await loading.ask()
    loading.later(16)
    assert sink.notes == [note]
    await loading.end()


async def test_who_watches_is_told_more_often() -> None:
    """Each as its client wishes."""
    loading = Loading(slots=2)
    loading.begin()
    watching, other = await loading.ask(told_seconds=1.0), await loading.ask()
    for _ in range(15):
        loading.later(1.0)
    assert (len(watching.notes), len(other.notes)) == (15, 1)
    assert watching.notes[11] == "loading llama3:8b, 12 s, position 1"
    await loading.end()


async def test_a_load_that_waits_for_memory_is_not_called_a_load() -> None:
    """Also where only the backend knows since when it has been loading it."""
    loading = Loading()
    sink = await loading.ask()
    loading.later(16)
    loading.endpoint.residency = Residency.LOADING
    loading.later(16)
    assert sink.notes == [
        "waiting for llama3:8b to be loaded, position 1",
        "loading llama3:8b, position 1",
    ]
    await loading.end()


@pytest.mark.parametrize(
    ("verb", "said", "seconds", "words"),
    [
        ("loading", "", None, "loading"),
        ("loading", "", 0.4, "loading"),
        ("loading", "", 12.4, "loading, 12 s"),
        ("loading", "loading 12.3 s", 12.4, "loading, 12 s"),
        ("loading", "loading 40 %", 12.4, "loading 40 %, 12 s"),
        ("loading", "warming up", 12.4, "loading, warming up, 12 s"),
        ("draining", "draining 3", None, "draining 3"),
    ],
)
def test_progress_in_words(verb: str, said: str, seconds: float | None, words: str) -> None:
    """What the backend says stays, what it repeats goes, elapsed seconds come last."""
    assert progress_words(verb, said, seconds) == words
