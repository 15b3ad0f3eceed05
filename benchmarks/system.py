"""What the system says of processes and cores: CPU time, resident memory, load by others."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

_TICKS = os.sysconf("SC_CLK_TCK")


class Cores(msgspec.Struct, frozen=True):
    """Which cores the target and its two counterparts run on; `shared` when the latter two share one."""

    target: int
    stub: int
    load: int

    @property
    def shared(self) -> bool:
        return self.stub == self.load


def divide() -> Cores:
    """The target alone on a core where there are two; the stub and the load apart where there are three."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) > 2:
        return Cores(usable[0], usable[1], usable[2])
    return Cores(usable[0], usable[-1], usable[-1])


def place(pid: int, core: int) -> None:
    """Pins all threads of a process tree, those it starts later included."""
    for process in tree(pid):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


@contextlib.contextmanager
def born_on(core: int) -> Iterator[None]:
    """Processes started meanwhile, and all they start, run on that core from their first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


def _threads(pid: int) -> dict[tuple[int, int], int]:
    """Nanoseconds on a core per thread of a tree."""
    return {
        (process, int(thread.name)): int((thread / "schedstat").read_text().split()[0])
        for process in tree(pid)
        for thread in Path(f"/proc/{process}/task").iterdir()
    }


class CpuMeter:
    """CPU seconds (user and system) a process tree used since the meter was made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = _threads(pid)
        self._start_ticks = _ticks(pid)

    def read(self) -> float:
        """From the scheduler in nanoseconds; from 10 ms ticks if a thread ended meanwhile."""
        now = _threads(self._pid)
        if self._start.keys() - now.keys():
            return (_ticks(self._pid) - self._start_ticks) / _TICKS
        return sum(spent - self._start.get(thread, 0) for thread, spent in now.items()) / 1e9


def _ticks(pid: int) -> int:
    total = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total


def resident(pid: int) -> int:
    """Resident bytes of a process tree."""
    return sum(psutil.Process(process).memory_info().rss for process in tree(pid))


def busy_seconds() -> float:
    """CPU seconds all processes of the machine used since it started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


class Machine(msgspec.Struct, frozen=True):
    """All that is said of the machine in published results."""

    cores: int
    memory_gib: int


def machine() -> Machine:
    return Machine(os.cpu_count() or 1, round(psutil.virtual_memory().total / 2**30))
