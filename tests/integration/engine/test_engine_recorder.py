"""The flight recorder of a whole engine: what it keeps, for whom, and what a kill leaves of it."""

import gzip
import os
import stat
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from orchestra_core.background.recording_files import DIRECTORY, segments
from orchestra_core.recording.reading import Beside, NotARecording, Recording, read
from tests.fakes.engine_here import EngineHere
from tests.fakes.engine_process import EngineProcess
from tests.fakes.outside import wait_outside
from tests.integration.engine.keyed import OPERATE, USE

PATH = "/api/v1/recording"


def directory(here: EngineHere) -> Path:
    return here.engine.config.paths.state_dir / DIRECTORY


async def happen(here: EngineHere, what: str) -> None:
    """An event, and a look of the recorder at the state it led to."""
    here.engine.hub.publish("test.happened", "test", what)
    await here.engine.recorder.look(0.0)


def told(recording: Recording) -> list[str]:
    """The messages of the events that tests let happen."""
    return [
        event.message
        for moment in recording.moments()
        for event in moment.events
        if event.kind == "test.happened"
    ]


async def test_what_happened_is_recorded_and_streamed(tmp_path: Path) -> None:
    """Every event once, and the state of the moment, while the engine goes on recording."""
    async with EngineHere(tmp_path, []) as here:
        for number in range(3):
            await happen(here, f"no. {number}")
            answer = await here.get(PATH)
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/gzip"
            assert gzip.decompress(answer.body), "it has an end, for everybody's tools"
        recording = read(answer.body)
        assert told(recording) == ["no. 0", "no. 1", "no. 2"]
        assert recording.flaws == ()
        last = recording.moment(len(recording) - 1).snapshot
        assert (last.pid, last.sequence) == (os.getpid(), here.snapshot().sequence)


async def test_what_throughput_and_cost_ask_lies_beside(tmp_path: Path) -> None:
    """The same as the engine answers to the console's questions, for when nobody can ask it any more."""
    async with EngineHere(tmp_path, []) as here:
        await here.engine.beside.sum()
        held = msgspec.json.decode(await here.engine.beside(), type=Beside)
        for window in ("15m", "1h", "6h", "24h"):
            for by in ("model", "backend"):
                answer = await here.get(f"/api/v1/series?window={window}&by={by}")
                assert held.series[window][by].keys() == answer.json.keys()
        questions = [one.asked for one in held.usage]
        assert {"by": "day", "since": "31d", "until": "today"} in questions
        assert {"by": "key", "since": "today"} in questions
        for one in held.usage:
            answer = await here.get(f"/api/v1/usage?{urlencode(one.asked)}")
            assert {**one.told, "timestamp": ""} == {**answer.json, "timestamp": ""}


async def test_files_are_private_and_end_with_the_engine(tmp_path: Path) -> None:
    """Nobody else reads them; the last moment has the engine's farewell."""
    async with EngineHere(tmp_path, []) as here:
        await happen(here, "here")
        where = directory(here)
        assert stat.S_IMODE(where.stat().st_mode) == 0o700
        assert [stat.S_IMODE(file.stat().st_mode) for file in where.iterdir()] == [0o600]
    (file,) = where.iterdir()
    recording = read(file.read_bytes())
    assert recording.flaws == ()
    kinds = [event.kind for moment in recording.moments() for event in moment.events]
    assert kinds[-1] == "engine.stopping"


async def test_it_can_be_switched_off_and_on(tmp_path: Path) -> None:
    """By a reload; while it is off nothing is written, and whoever asks is told how to switch it on."""
    async with EngineHere(tmp_path, [], "[recorder]\nenabled = false\n") as here:
        await happen(here, "unseen")
        answer = await here.get(PATH)
        assert (answer.status, answer.error["code"]) == (404, "not_found")
        assert "[recorder] enabled" in answer.error["message"]
        await here.reload(
            here.file.read_text().replace("[recorder]\nenabled = false", "[recorder]\nenabled = true")
        )
        await happen(here, "seen")
        assert "seen" in told(read((await here.get(PATH)).body))


async def test_the_oldest_goes(tmp_path: Path) -> None:
    """What an engine before left is kept as long as there is time and room for it, and no longer."""
    state = tmp_path / ".local/state/ai-orchestra" / DIRECTORY
    state.mkdir(parents=True)
    async with EngineHere(tmp_path, [], '[recorder]\nminutes = 5\nbytes = "1MiB"\n') as here:
        assert directory(here) == state
        now = here.engine.clock.wall()
        for name, ago, size in (
            ("a", 1000, 10),
            ("b", 200, 700_000),
            ("c", 100, 400_000),
            ("d", 50, 400_000),
        ):
            file = state / f"{int((now - ago) * 1000):013d}-{name}.jsonl.gz"
            file.write_bytes(b"x" * size)
            os.utime(file, (now - ago, now - ago))
        (state / "notes.txt").write_text("mine")
        await here.engine.recorder.close()
        left = {one.name.rpartition("-")[2][:1] for one in segments(state)}
        assert {"c", "d"} <= left
        assert not {"a", "b"} & left
        assert (state / "notes.txt").exists()


async def test_a_disk_that_refuses_is_told_once(tmp_path: Path) -> None:
    """The engine goes on; whoever looks for a recording finds out why there is none."""
    state = tmp_path / ".local/state/ai-orchestra"
    state.mkdir(parents=True)
    (state / DIRECTORY).write_text("in the way")
    async with EngineHere(tmp_path, []) as here:
        await happen(here, "lost")
        await happen(here, "lost too")
        (why,) = here.told("engine.recorder")
        assert "what happens now is not recorded" in why
        assert (await here.get("/api/v1/health")).status in (200, 503)


async def test_a_wrong_question_is_refused(tmp_path: Path) -> None:
    """With the name of what is wrong; what is asked for beyond the end is nothing."""
    async with EngineHere(tmp_path, []) as here:
        await happen(here, "here")
        for query, param in (("since=x", "since"), ("until=1h", "until")):
            answer = await here.get(f"{PATH}?{query}")
            assert (answer.status, answer.error["param"]) == (400, param)
        assert (await here.get(f"{PATH}?since=2999-01-01")).status == 404
        assert told(read((await here.get(f"{PATH}?since=10m")).body)) == ["here"]


def test_only_operators_see_it(keyed: EngineProcess) -> None:
    """It tells of all that happened, so a key that may only use the engine is refused."""
    for token, status in ((USE, 403), (OPERATE, 200)):
        with keyed.connect("tcp") as client:
            answer = client.get(PATH, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status


def test_a_killed_engine_leaves_its_recording() -> None:
    """SIGKILL: all but the last second is in the files, and the next engine tells of it too."""
    engine = EngineProcess()
    try:
        engine.start()
        state = engine.home / ".local/state/ai-orchestra" / DIRECTORY

        def recorded() -> Recording | None:
            try:
                return read(b"".join(file.read_bytes() for file in sorted(state.glob("*.gz"))))
            except NotARecording:
                return None

        # Another process writes it, once a second.
        wait_outside(lambda: (found := recorded()) is not None and len(found) >= 3, "recording")
        engine.kill()
        found = recorded()
        assert found is not None
        assert any("killed" in flaw for flaw in found.flaws)
        kinds = [event.kind for moment in found.moments() for event in moment.events]
        assert "engine.started" in kinds
        engine.start()
        # The next engine's first second.
        wait_outside(
            lambda: (again := recorded()) is not None and len(set(again.headers)) > 1, "second recording"
        )
        answer = engine.unix.get(PATH)
        both = read(answer.content)
        assert len({header.engine for header in both.headers}) == 2
        assert both.times[: len(found)] == found.times
        assert engine.stop() == 0
    finally:
        engine.close()
