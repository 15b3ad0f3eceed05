"""The control side of backends: what they serve, how they are, load and unload. Never on the hot path."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from orchestra_core.domain.catalog import ModelInfo
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.deaths import OUT_OF_MEMORY

# Longer than the largest models take to load from a slow disk; shorter than anybody waits.
LOAD_SECONDS = 600.0
UNLOAD_SECONDS = 60.0


class Probe(msgspec.Struct, frozen=True):
    """A sign of life. `version` is empty where the server does not say, `latency` is in seconds."""

    version: str
    latency: float


class ControlError(OperationFailed):
    """A backend that could not be asked or refused; the message says which, and what to do.

    `answered` is the HTTP status it answered with, None where there was no answer. For want of memory the code is
    `out_of_memory`.
    """

    @property
    def out_of_memory(self) -> bool:
        """Whether there was not enough memory for it."""
        return self.code == OUT_OF_MEMORY

    def __init__(self, message: str, *, answered: int | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.answered = answered


class Control(Protocol):
    """One backend, as those who steer it see it. Every method but `address` raises ControlError."""

    async def models(self) -> Sequence[ModelInfo]: ...

    async def probe(self) -> Probe: ...

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        """Returns when the model is ready."""

    async def unload(self, model: str) -> None:
        """Returns when the model is gone."""

    def address(self, model: str) -> Address:
        """Where to send a call for this model."""

    async def close(self) -> None: ...
