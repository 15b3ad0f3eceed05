"""What the engine finds alarming, as the snapshot, the API and the console show it. Times are RFC 3339 UTC."""

import re
from enum import IntEnum

import msgspec

_UNSPELLABLE = re.compile(r"[^\w.:/@+ -]")
_LONGEST = 200


class Severity(IntEnum):
    """How much somebody should care; NONE: not at all."""

    NONE = 0
    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


def identity(rule: str, subject: str) -> str:
    """`memory:host`: the same for the same thing in every life of the engine, and fit to be part of a path."""
    return _UNSPELLABLE.sub("_", f"{rule}:{subject}")[:_LONGEST]


class AlertView(msgspec.Struct, frozen=True):
    """One alert. `state` is pending, firing, resolving or resolved; `since` is when that began.

    `fired` is when it began to fire, `times` how often it has since the engine started. `value` and `limit` are in
    the rule's own unit. `silenced_until` is empty where it is not silenced, `acknowledged` who has taken note of it.
    """

    id: str
    rule: str
    subject: str
    severity: str
    state: str
    since: str
    message: str
    value: float | None = None
    limit: float | None = None
    fired: str | None = None
    times: int = 0
    acknowledged: str = ""
    acknowledged_at: str | None = None
    acknowledged_reason: str = ""
    silenced_until: str | None = None
    silenced_by: str = ""
    silenced_reason: str = ""

    @property
    def firing(self) -> bool:
        """Whether it fires, also when it is about to be over."""
        return self.state in ("firing", "resolving")

    @property
    def silenced(self) -> bool:
        return self.silenced_until is not None


class SilenceView(msgspec.Struct, frozen=True):
    """What is kept quiet: one alert by its id, or a whole rule by its name."""

    target: str
    until: str
    by: str
    reason: str
    at: str


class DeliveryView(msgspec.Struct, frozen=True):
    """One place that alerts are sent to. `dropped` did not fit into its queue, `failed` were given up.

    `state` is idle, sending, or retrying: then `error` says why, and `attempt` how often it was tried.
    """

    name: str
    kind: str
    state: str = "idle"
    queued: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    attempt: int = 0
    error: str = ""
    last_sent: str | None = None
