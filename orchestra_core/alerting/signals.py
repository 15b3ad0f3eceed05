"""What a rule says of one thing at one moment, before time is taken into account."""

from collections.abc import Iterable

import msgspec

from orchestra_core.domain.alerts import Severity

# A severity, and the value from which on it applies.
Limits = Iterable[tuple[Severity, float]]


class Signal(msgspec.Struct, frozen=True, gc=False):
    """`raised` is how severe it is now; `kept` how severe it still counts as where it was so before.

    `kept` is never below `raised`: the margin between them keeps a value that hovers at its limit from coming and
    going (hysteresis).
    """

    rule: str
    subject: str
    raised: Severity
    kept: Severity
    message: str
    value: float | None = None
    limit: float | None = None


def grade(value: float, limits: Limits, ease: float) -> tuple[Severity, Severity, float | None]:
    """(raised, kept, the limit reached) of a value that is the worse the higher it is.

    A severity is kept until the value is below its limit by the share `ease` of it.
    """
    raised = kept = Severity.NONE
    reached: float | None = None
    for severity, limit in limits:
        if value >= limit * (1.0 - ease) and severity > kept:
            kept = severity
            reached = limit if reached is None else reached
        if value >= limit and severity > raised:
            raised, reached = severity, limit
    return raised, kept, reached
