"""A GPU whose memory cannot be read any more, as operators see it and as loads find it."""

from pathlib import Path

from orchestra_core.background.memory import HostMemory
from orchestra_core.config import BackendSettings
from orchestra_core.domain.catalog import BackendKind, ModelInfo
from orchestra_core.domain.memory import Reading
from orchestra_core.engine.memory import Memory, policy
from orchestra_core.residency.estimate import Corrections
from orchestra_core.residency.scheduler import Load, Scheduler
from tests.fakes.residency_world import GIB, endpoint
from tests.unit.config.reading import read

BOX = BackendSettings(name="box", kind=BackendKind.OLLAMA, url="http://127.0.0.1:11434")


def told(memory: Memory, now: float) -> tuple[int | None, str]:
    """What is used of the GPU, and who says so."""
    (pool,) = [pool for pool in memory.view(now) if pool.name == "gpu:0"]
    return pool.used, pool.source


def test_loads_go_by_what_is_reserved_while_a_gpu_cannot_be_read(tmp_path: Path) -> None:
    """Its models are not taken to be on the host; what others used is not known, and a notice says what is done."""
    config = read(tmp_path)
    scheduler = Scheduler(policy(config))
    seen = {"gpu:0": Reading(24 * GIB, 20 * GIB)}
    memory = Memory(config, scheduler, Corrections(), HostMemory().view, lambda: seen)
    found = endpoint("m", kind=BackendKind.OLLAMA)
    info = ModelInfo(name="m", size_bytes=6 * GIB)

    def look(now: float) -> None:
        memory.sample(now)
        memory.listed(BOX, [(found, info)], now)

    look(1.0)
    assert scheduler.want(found, 1.0).code == "no_room"
    assert memory.notices(config.backends) == []
    seen["gpu:0"] = Reading(24 * GIB)
    look(2.0)
    assert told(memory, 2.0) == (None, "configured")
    assert ["gpu:0 cannot be read any more" in notice for notice in memory.notices(config.backends)] == [True]
    assert scheduler.want(found, 2.0).pool == "gpu:0"
    assert [type(action) for action in scheduler.actions(2.0)] == [Load]
    seen["gpu:0"] = Reading(24 * GIB, 22 * GIB)
    look(3.0)
    assert told(memory, 3.0) == (22 * GIB, "gpu")
    assert memory.notices(config.backends) == []
