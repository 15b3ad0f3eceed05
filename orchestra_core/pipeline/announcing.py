"""Told to the journal before a request is sent for the first time: should the engine end before it, it is known."""

from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Protocol

from orchestra_core.accounting.days import Days
from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.decision import Candidate, Decision


class Begin(Protocol):
    """Told of every request that is about to be sent to a backend for the first time, before it is.

    Where `reserved` was set aside for it, which it may have cost at worst by the end of an attempt, it is told again
    before each further attempt.
    """

    def __call__(
        self, call: Call, decision: Decision, candidate: Candidate, reserved: float | None = None, /
    ) -> None: ...


def unannounced(call: Call, decision: Decision, candidate: Candidate, reserved: float | None = None) -> None:
    """The default: nobody is told."""


class Announcing:
    """`record` gets rows in the field order of Begin (storage/journal/records.py)."""

    def __init__(
        self, clock: Clock, record: Callable[[tuple[object, ...]], None], zone: tzinfo = UTC
    ) -> None:
        self._wall = clock.wall
        self._record = record
        self._day = Days(zone).of

    def __call__(
        self, call: Call, decision: Decision, candidate: Candidate, reserved: float | None = None
    ) -> None:
        """`reserved`: what it may cost at worst, in the currency of the prices."""
        at, quality = self._wall(), decision.requirements.quality
        self._record(
            (
                call.id,
                at,
                call.key,
                decision.task._value_,
                call.model or "auto",
                candidate.model,
                candidate.backend,
                call.surface,
                call.kind._value_,
                1 if decision.inferred else 0,
                1 if call.stream else 0,
                decision.input_tokens,
                decision.id,
                self._day(at),
                reserved,
                "" if quality is None else quality._value_,
            )
        )
