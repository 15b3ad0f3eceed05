"""What the same tokens would have cost elsewhere: always on the best model, and always on the first one.

The best is the model of the highest quality at the task (as configured, else the prior by its name and size) of all
that can do it; of equal ones the cheapest, so that what routing saves is never made larger by the choice of what it is
compared with. The first is the first endpoint that can do it in the order of the configuration, which is what a client
without a router would use. Whether they could be reached at that moment does not count. Who declares a model in
`compare_with` compares with that one in place of the best.

Seconds that would have been paid for are estimated from the priors of speed. What does not fit into the context there
could not have been done there, so its cost is unknown, as that of an unknown price.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from orchestra_core.accounting.elsewhere import Elsewhere
from orchestra_core.domain.call import Kind, Task
from orchestra_core.domain.catalog import EndpointSpec
from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage

_MILLION: Final = 1_000_000
# Share of its quality that a model keeps at a task it was not described for, as in the selector.
_UNFIT: Final = 0.6
# What equal models are compared by: a question and an answer of usual length.
_TYPICAL_PROMPT, _TYPICAL_ANSWER = 500, 300
_CHAT: Final = Kind.CHAT
_NO_NEEDS: frozenset[str] = frozenset()
# The context of a model that nobody here serves: it is not known, and taken to be enough.
_ANY: Final = 2**31
# In place of an endpoint, where there is none; no request is served there.
_NOBODY: Final = "/"
Pair = tuple[Elsewhere | None, Elsewhere | None]
Costs = tuple[float | None, float | None]
# Of the best and the first place: which it is, and its prices of tokens in and out (None: unknown); then the tokens
# that fit into both.
_Line = tuple[str, float | None, float, str, float | None, float, int]


class Counterfactuals:
    """`endpoints` gives those there are, in the order of the configuration. `declared` is the model to compare with in
    place of the best, `price_of` the price of one that no endpoint serves, None where that is not known either.
    """

    def __init__(
        self,
        endpoints: Callable[[], Iterable[EndpointSpec]],
        declared: str | None = None,
        price_of: Callable[[str], Price | None] = lambda _: None,
    ) -> None:
        self._endpoints = endpoints
        self._declared = declared
        self._price_of = price_of
        self._specs: tuple[EndpointSpec, ...] = ()
        self._price: Price | None = None
        self._pairs: dict[tuple[str, str, frozenset[str]], Pair] = {}
        # By task, of requests to chat that need nothing else: most of them, at a third of what `at` and `charge` take.
        self._lines: dict[str, _Line] = {}

    def __call__(
        self, task: str, kind: Kind, needs: frozenset[str], served: str, usage: Usage, own: float | None
    ) -> Costs:
        """What these tokens would have cost at the best and the first place; at `served`, an endpoint, it was `own`."""
        line = None if needs or usage.cached or kind is not _CHAT else self._lines.get(task)
        prompt, completion = usage.prompt, usage.completion
        if line is None or prompt + completion > line[6]:
            best, first = self.at(task, kind._value_, needs)
            return (
                None if best is None else own if best.endpoint == served else best.charge(usage),
                None if first is None else own if first.endpoint == served else first.charge(usage),
            )
        best_at, best_in, best_out, first_at, first_in, first_out, _ = line
        return (
            own
            if best_at == served
            else None
            if best_in is None
            else (prompt * best_in + completion * best_out) / _MILLION,
            own
            if first_at == served
            else None
            if first_in is None
            else (prompt * first_in + completion * first_out) / _MILLION,
        )

    @property
    def declared(self) -> str | None:
        """The model that costs are compared with; None: the best one for each task."""
        return self._declared

    def declare(self, model: str | None) -> None:
        self._declared = model
        self._forget()

    def refresh(self) -> None:
        """Call it now and then: what was looked up holds until endpoints or their prices change."""
        specs = tuple(self._endpoints())
        price = None if self._declared is None else self._price_of(self._declared)
        if specs != self._specs or price != self._price:
            self._specs, self._price = specs, price
            self._forget()

    def _forget(self) -> None:
        self._pairs.clear()
        self._lines.clear()

    def at(self, task: str, kind: str, needs: frozenset[str]) -> Pair:
        """The best and the first for requests of a kind; `needs` are capabilities beside those of task and kind."""
        key = (task, kind, needs)
        pair = self._pairs.get(key)
        return self._look(key) if pair is None else pair

    def _look(self, key: tuple[str, str, frozenset[str]]) -> Pair:
        self.refresh()
        task, kind, needs = key
        wanted = needs | {kind} | ({"vision"} if task == Task.VISION else _NO_NEEDS)
        able = [spec for spec in self._specs if wanted <= spec.capabilities]
        pair = (
            self._compared(able, Task(task)),
            _place(able[0]) if able else None,
        )
        self._pairs[key] = pair
        line = _line(pair)
        if line is not None and kind == _CHAT and not needs:
            self._lines[task] = line
        return pair

    def _compared(self, able: Sequence[EndpointSpec], task: Task) -> Elsewhere | None:
        declared = self._declared
        if declared is None:
            return _best(able, task)
        names = (declared, f"{declared}:latest")
        serving = [spec for spec in self._specs if spec.model in names]
        if serving:
            return _cheapest([spec for spec in serving if spec in able])
        return None if self._price is None else Elsewhere(_NOBODY, self._price, _ANY)


def _line(pair: Pair) -> _Line | None:
    """None: one of them charges for more than tokens."""
    best, first = (_end(place) for place in pair)
    if best is None or first is None:
        return None
    return (*best[:3], *first[:3], min(best[3], first[3]))


def _end(place: Elsewhere | None) -> tuple[str, float | None, float, int] | None:
    if place is None:
        return _NOBODY, None, 0.0, _ANY
    price = place.price
    if price is None:
        return place.endpoint, None, 0.0, place.context
    return (place.endpoint, price.input, price.output, place.context) if price.plain else None


def _best(able: Sequence[EndpointSpec], task: Task) -> Elsewhere | None:
    if not able:
        return None
    highest = max(_quality(spec, task) for spec in able)
    return _cheapest([spec for spec in able if _quality(spec, task) == highest])


def _quality(spec: EndpointSpec, task: Task) -> float:
    if task in spec.qualities:
        return spec.qualities[task]
    return spec.quality if task in spec.tasks else spec.quality * _UNFIT


def _cheapest(specs: Sequence[EndpointSpec]) -> Elsewhere | None:
    """One whose price is known, if there is one."""
    typical = Usage(_TYPICAL_PROMPT, _TYPICAL_ANSWER)
    found = [(place.charge(typical), place) for place in map(_place, specs)]
    known = [(cost, place) for cost, place in found if cost is not None]
    if known:
        return min(known, key=lambda pair: pair[0])[1]
    return found[0][1] if found else None


def _place(spec: EndpointSpec) -> Elsewhere:
    return Elsewhere(spec.id, spec.price, spec.context, spec.rtt, 1 / spec.prefill_rate, 1 / spec.decode_rate)
