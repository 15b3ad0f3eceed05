"""GPUs as NVML tells of them, and what is made of its refusals."""

from types import SimpleNamespace

import pytest

from orchestra_core.background.accelerators import Accelerators, installed
from orchestra_core.domain.memory import Reading

GIB = 1024**3


class Error(Exception):
    """As pynvml.NVMLError."""


class Fake:
    """A pynvml whose GPUs are a list; a GPU that is an exception raises it when its memory is asked for."""

    NVMLError = Error

    def __init__(self, *gpus: tuple[int, int] | Exception, missing: str = "") -> None:
        self.gpus = list(gpus)
        self.missing = missing
        self.begun = 0

    def nvmlInit(self) -> None:  # noqa: N802  pynvml's name
        if self.missing:
            raise Error(self.missing)
        self.begun += 1

    def nvmlShutdown(self) -> None:  # noqa: N802  pynvml's name
        self.begun -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  pynvml's name
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802  pynvml's name
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802  pynvml's name
        gpu = self.gpus[handle]
        if isinstance(gpu, Exception):
            raise gpu
        return SimpleNamespace(total=gpu[0], used=gpu[1])


class Said:
    """What people were told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, kind: str, subject: str, words: str, severity: str) -> None:
        self.words.append(words)


def test_each_gpu_is_a_pool_with_its_own_numbers() -> None:
    """Total and used are what NVML says at each sample; NVML is begun once and ended once."""
    nvml = Fake((24 * GIB, 2 * GIB), (12 * GIB, 0))
    gpus = Accelerators(nvml, Said())
    assert gpus.readings() == {}
    gpus.sample()
    assert gpus.readings() == {"gpu:0": Reading(24 * GIB, 2 * GIB), "gpu:1": Reading(12 * GIB, 0)}
    nvml.gpus[1] = (12 * GIB, 5 * GIB)
    gpus.sample()
    assert gpus.readings()["gpu:1"].used == 5 * GIB
    assert nvml.begun == 1
    gpus.close()
    gpus.close()
    assert nvml.begun == 0


def test_a_gpu_without_memory_of_its_own_is_no_pool() -> None:
    """Where CPU and GPU share their memory NVML reports none: the host is the pool, and nothing is complained of."""
    said = Said()
    gpus = Accelerators(Fake(Error("Not Supported"), (12 * GIB, 0)), said)
    gpus.sample()
    assert list(gpus.readings()) == ["gpu:1"]
    assert said.words == []


def test_a_machine_without_a_driver_is_told_once() -> None:
    """No GPU is seen, which is said once and not every second."""
    said = Said()
    gpus = Accelerators(Fake(missing="Driver Not Loaded"), said)
    gpus.sample()
    gpus.sample()
    assert gpus.readings() == {}
    assert said.words == ["GPU memory cannot be read: Driver Not Loaded"]


def test_what_cannot_be_read_any_more_is_not_known() -> None:
    """It is believed for some seconds; then nobody knows what is used, and its models stay accounted for there."""
    said = Said()
    nvml = Fake((24 * GIB, 3 * GIB))
    gpus = Accelerators(nvml, said)
    gpus.sample()
    nvml.gpus[0] = Error("GPU is lost")
    for _ in range(4):
        gpus.sample()
    assert gpus.readings() == {"gpu:0": Reading(24 * GIB, 3 * GIB)}
    gpus.sample()
    assert gpus.readings() == {"gpu:0": Reading(24 * GIB)}
    nvml.gpus[0] = (24 * GIB, GIB)
    gpus.sample()
    assert gpus.readings() == {"gpu:0": Reading(24 * GIB, GIB)}
    assert said.words == ["GPU memory cannot be read: GPU is lost", "GPU memory can be read again"]


def test_a_short_failure_changes_nothing() -> None:
    """Failures are counted in a row."""
    nvml = Fake((24 * GIB, 3 * GIB))
    gpus = Accelerators(nvml, Said())
    for _ in range(3):
        nvml.gpus[0] = (24 * GIB, 3 * GIB)
        gpus.sample()
        nvml.gpus[0] = Error("busy")
        for _ in range(4):
            gpus.sample()
    assert gpus.readings()["gpu:0"].used == 3 * GIB


def test_a_gpu_that_is_not_listed_any_more_is_not_known() -> None:
    """The others are read as before."""
    nvml = Fake((24 * GIB, 0), (12 * GIB, 0))
    gpus = Accelerators(nvml, Said())
    gpus.sample()
    nvml.gpus.pop()
    gpus.sample()
    assert gpus.readings() == {"gpu:0": Reading(24 * GIB, 0), "gpu:1": Reading(12 * GIB)}


async def test_without_the_extra_there_is_nothing_to_do() -> None:
    """Sampling ends at once where NVML's Python side is not installed."""
    gpus = Accelerators(None, Said())
    gpus.sample()
    await gpus.run()
    gpus.close()
    assert gpus.readings() == {}


def test_the_installed_module_has_what_is_used() -> None:
    """With the `gpu` extra the names used here are those of NVIDIA's module."""
    module = installed()
    if module is None:
        pytest.skip("needs the gpu extra")
    used = [name for name in vars(Fake) if name.startswith("nvml")]
    assert all(callable(getattr(module, name)) for name in used)
    assert issubclass(module.NVMLError, Exception)
