"""A small version of the memory benchmark: its counts add up, and the engine keeps to the rule of memory."""

import msgspec
import pytest

from benchmarks.memory.baselines import LEAST_BUSY, STICKY
from benchmarks.memory.runs import DECLARED, ENGINE, Run, simulate, summarise
from benchmarks.memory.sockets import over_sockets
from benchmarks.memory.workload import Workload, arrivals, fleet, foreign, read
from orchestra_core.simulation.trace import Doing

SEED = 2


@pytest.fixture(scope="module")
def workload() -> Workload:
    """Five simulated minutes, after half a minute of warm-up, with other programs at it all the time."""
    whole = read()
    load = msgspec.structs.replace(whole.load, seconds=330.0, warm_up=30.0)
    return msgspec.structs.replace(
        whole, load=load, grabs=msgspec.structs.replace(whole.grabs, every_seconds=200.0)
    )


@pytest.fixture(scope="module")
def runs(workload: Workload) -> dict[str, Run]:
    return {name: simulate(workload, name, 3.0, SEED) for name in (LEAST_BUSY, STICKY, ENGINE)}


def test_the_engine_never_runs_out_of_memory_by_itself(runs: dict[str, Run]) -> None:
    """With sizes up to 30 % wrong, late releases and others' use, no load of the engine's own is too much."""
    engine, least_busy = runs[ENGINE], runs[LEAST_BUSY]
    assert engine.loads > 20
    assert (engine.own, engine.occupied) == (0, 0)
    assert least_busy.own + least_busy.occupied > 0


def test_fewer_requests_wait_for_a_load_than_with_least_busy(runs: dict[str, Run]) -> None:
    """The engine keeps what is used where it is; spreading requests evenly loads everything everywhere."""
    engine, least_busy = runs[ENGINE], runs[LEAST_BUSY]
    assert engine.cold < 0.6 * least_busy.cold
    assert sum(engine.failed.values()) < sum(least_busy.failed.values())
    assert engine.mean < least_busy.mean


def test_every_request_is_counted_once(workload: Workload, runs: dict[str, Run]) -> None:
    """All strategies are offered the same, and what was answered was cold, warm at once or warm later."""
    offered = [one for one in arrivals(workload, SEED, 3.0) if one.at >= workload.load.warm_up]
    for run in runs.values():
        answered = run.offered - sum(run.failed.values())
        assert run.offered == len(offered)
        assert run.warm_beside + run.warm_clear + run.cold <= answered
        assert 0 < run.p50 <= run.p95 <= run.p99 <= workload.load.patience


def test_a_seed_decides_everything(workload: Workload, runs: dict[str, Run]) -> None:
    """The same run gives the same figures, to the last one."""
    assert simulate(workload, STICKY, 3.0, SEED) == runs[STICKY]


def test_what_is_declared_is_what_is_simulated(workload: Workload) -> None:
    """Everybody is told sizes within the stated error of the truth; others use no more than their share."""
    told = {model.name: model for box in fleet(workload, SEED, alone=True) for model in box.models}
    for model in workload.models.list:
        assert told[model.name].occupied == pytest.approx(model.size * 1e9, rel=1e-5)
        assert told[model.name].memory == pytest.approx(model.size * 1e9, rel=0.3001)
    memory = {box.name: box.memory * 1e9 for box in workload.boxes}
    shares = [use.bytes / memory[use.box] for use in foreign(workload, SEED)]
    assert 0.1 < max(shares) <= 0.4


def test_intervals_are_over_seeds() -> None:
    """Seeds that agree leave no doubt, and the worst of those that do not is named."""
    same = [Run("x", 1.0, seed, offered=100, cold=5, loads=10) for seed in range(3)]
    [summary] = summarise(same)
    assert (summary.cold.low, summary.cold.value, summary.cold.high) == pytest.approx((0.05, 0.05, 0.05))
    assert (summary.own, summary.own_at_most) == (0.0, 1000.0)
    [summary] = summarise([*same, Run("x", 1.0, 9, offered=100, cold=45, loads=10, own=1)])
    assert summary.cold.low < summary.cold.value < summary.cold.high
    assert (summary.worst_seed, summary.worst_cold) == (9, 0.45)
    assert summary.own == pytest.approx(1e4 / 40)
    assert set(Doing) == {"own", "occupied", "taken"}


async def test_what_is_simulated_happens_over_sockets(workload: Workload) -> None:
    """Some seconds of small models through a real engine: the same requests, about the same loads, and no deaths."""
    small = tuple(model for model in workload.models.list if model.size <= 4)
    short = msgspec.structs.replace(
        workload,
        load=msgspec.structs.replace(workload.load, seconds=5.0, warm_up=0.0),
        models=msgspec.structs.replace(workload.models, list=small),
    )
    real, simulated = await over_sockets(short, DECLARED, 8.0, SEED), simulate(short, DECLARED, 8.0, SEED)
    assert real.offered == simulated.offered > 5
    assert not real.failed
    assert (real.own, real.occupied, real.taken) == (0, 0, 0)
    assert 0 < real.cold <= real.offered
    assert 0 < real.loads <= simulated.loads + 3
