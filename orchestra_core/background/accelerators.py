"""How much memory NVIDIA's GPUs have, through NVML, where the `gpu` extra is installed and there is such a GPU.

A GPU that shares the machine's memory reports none (Jetson, GB10): its models are accounted for on the host.
"""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import Protocol

from orchestra_core.domain.memory import Reading

INTERVAL_SECONDS = 1.0
# Samples that may fail before what was read last is no longer believed: a driver may be busy for a moment.
_BELIEVED = 5
Say = Callable[[str, str, str, str], None]


class Sizes(Protocol):
    total: int
    used: int


class Nvml(Protocol):
    """The functions of the module `pynvml` that are used, by their own names; each raises its `NVMLError`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802  pynvml's name
    def nvmlShutdown(self) -> None: ...  # noqa: N802  pynvml's name
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802  pynvml's name
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802  pynvml's name
    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Sizes: ...  # noqa: N802  pynvml's name


def installed() -> Nvml | None:
    """NVML's Python side, or None where the `gpu` extra is not installed."""
    try:
        module: Nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    return module


class Accelerators:
    """`nvml` None: no GPU is ever seen. `say` is told once what keeps GPUs from being read, and once it is over."""

    def __init__(self, nvml: Nvml | None, say: Say) -> None:
        self._nvml = nvml
        self._say = say
        self._readings: dict[str, Reading] = {}
        self._begun = False
        self._complaint = ""
        self._failed = 0

    def readings(self) -> Mapping[str, Reading]:
        """Total and used bytes of each GPU, by its name, as of the last sample; of one that was read before and cannot
        be any more nobody knows how much is used.
        """
        return self._readings

    def sample(self) -> None:
        """Reads all GPUs: some milliseconds, much more when a driver wakes up; call it in a thread."""
        nvml = self._nvml
        if nvml is None:
            return
        try:
            if not self._begun:
                nvml.nvmlInit()
                self._begun = True
            found = [self._read(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
        except nvml.NVMLError as error:
            self._begun = False
            self._failed += 1
            if self._failed >= _BELIEVED:
                self._readings = _unread(self._readings)
            self._tell(f"GPU memory cannot be read: {error}")
            return
        self._failed = 0
        seen = {f"gpu:{index}": reading for index, reading in enumerate(found) if reading is not None}
        self._readings = {**_unread(self._readings), **seen}
        self._tell("")

    @staticmethod
    def _read(nvml: Nvml, index: int) -> Reading | None:
        """One GPU; None for one that has no memory of its own."""
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        try:
            sizes = nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError as error:
            if "not supported" in str(error).lower():
                return None
            raise
        return Reading(int(sizes.total), int(sizes.used))

    def _tell(self, complaint: str) -> None:
        if complaint != self._complaint:
            words = complaint or "GPU memory can be read again"
            self._say("gpu.changed", "gpu", words, "warning" if complaint else "info")
            self._complaint = complaint

    async def run(self) -> None:
        """Samples once a second; returns at once where there is nothing to sample."""
        while self._nvml is not None:
            await asyncio.to_thread(self.sample)
            await asyncio.sleep(INTERVAL_SECONDS)

    def close(self) -> None:
        if self._nvml is not None and self._begun:
            self._begun = False
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError as error:
                self._say("gpu.changed", "gpu", f"NVML did not end well: {error}", "warning")


def _unread(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """They are still there, as far as anybody knows: what is on them stays accounted for where it was."""
    return {name: Reading(reading.total) for name, reading in readings.items()}
