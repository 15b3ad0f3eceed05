"""What an operator does not want to hear of for a while: one alert, or all of a rule. Times are Unix seconds."""

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec

from orchestra_core.alerting.policy import RULES
from orchestra_core.domain.errors import InvalidRequest, NotFound

_MOST = 1000


class Silence(msgspec.Struct, frozen=True):
    """`target` is the id of an alert, or the name of a rule."""

    target: str
    until: float
    by: str
    reason: str
    at: float


class Silences:
    """At most one for each target; a new one takes the place of the old."""

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}

    def restore(self, silences: Iterable[Silence]) -> None:
        self._all = {silence.target: silence for silence in silences}

    @property
    def all(self) -> tuple[Silence, ...]:
        return tuple(self._all.values())

    def add(self, silence: Silence) -> None:
        """Raises NotFound for what no rule can say, InvalidRequest for too many."""
        rule = silence.target.partition(":")[0]
        if rule not in RULES:
            near = get_close_matches(rule, RULES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the rules are {', '.join(RULES)}"
            raise NotFound(f"there is no alert or rule {silence.target[:128]!r}; {hint}", param="id")
        if len(self._all) >= _MOST and silence.target not in self._all:
            raise InvalidRequest(
                f"there are {_MOST} silences already; `ai-orchestra alerts unsilence` ends one"
            )
        self._all[silence.target] = silence

    def remove(self, target: str) -> Silence:
        """Raises NotFound where that is not silenced."""
        if target not in self._all:
            rule = target.partition(":")[0]
            hint = f"; its rule is: unsilence {rule}" if rule in self._all else ""
            raise NotFound(f"{target[:128]!r} is not silenced{hint}", param="id")
        return self._all.pop(target)

    def expire(self, now: float) -> bool:
        """Whether any has come to its end."""
        ended = [target for target, silence in self._all.items() if silence.until <= now]
        for target in ended:
            del self._all[target]
        return bool(ended)

    def of(self, identity: str, rule: str) -> Silence | None:
        """What keeps this alert quiet: the longer one of its own and its rule's."""
        if not self._all:
            return None
        own, whole = self._all.get(identity), self._all.get(rule)
        if own is None or whole is None:
            return own or whole
        return own if own.until >= whole.until else whole
