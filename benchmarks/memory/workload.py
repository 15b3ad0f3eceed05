"""The experiment as its file declares it, and what a seed makes of it: the fleet, the requests, the grabs. Pure."""

import tomllib
from collections.abc import Iterator
from math import exp
from pathlib import Path
from random import Random

import msgspec

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.simulation.spec import GB, BackendSpec, ModelSpec, Overflow

FILE = Path(__file__).with_name("workload.toml")
NATURE = "simulated"
_FASTEST = 120.0
_START_SECONDS = 1.0
# A Q4_K_M model has so many bytes per parameter, and a cache of so many per token for 8e9 of them, by a power more or
# less for others.
_BYTES_PER_PARAMETER, _CACHE_PER_TOKEN, _CACHE_POWER = 0.6, 128 * 1024, 0.6
_PREFILL = 20.0
_PROMPT_SPREAD, _OUTPUT_SPREAD = 0.8, 0.6
_STEP_SECONDS = 1.0
_ENDLESS = 1e6


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; what it does not know is a mistake."""


class Load(_Declared, frozen=True):
    seeds: tuple[int, ...]
    seconds: float
    warm_up: float
    rates: tuple[float, ...]
    quoted: float
    patience: float
    prompt: float
    output: float


class Popularity(_Declared, frozen=True):
    exponent: float
    shift_seconds: float
    swaps: int


class Sessions(_Declared, frozen=True):
    requests: float
    think_seconds: float
    agents: float


class Bursts(_Declared, frozen=True):
    every_seconds: float
    seconds: float
    factor: float


class Truth(_Declared, frozen=True):
    estimate_error: float
    release_seconds: float
    release_spread: float


class Grabs(_Declared, frozen=True):
    every_seconds: float
    seconds: tuple[float, float]
    share: tuple[float, float]
    ramp_seconds: float


class Box(_Declared, frozen=True):
    name: str
    memory: float
    bandwidth: float
    disk: float


class Model(_Declared, frozen=True):
    name: str
    size: float
    on: tuple[str, ...]


class Models(_Declared, frozen=True):
    parallel: int
    context: int
    slowdown: float
    list: tuple[Model, ...]


class Workload(_Declared, frozen=True):
    """The whole file. `simulated` says of itself what it is."""

    simulated: bool
    load: Load
    popularity: Popularity
    sessions: Sessions
    bursts: Bursts
    truth: Truth
    grabs: Grabs
    boxes: tuple[Box, ...]
    models: Models


def read(path: Path = FILE) -> Workload:
    return msgspec.convert(tomllib.loads(path.read_text()), Workload)


# -- the fleet -----------------------------------------------------------------------------------------


def fleet(workload: Workload, seed: int, *, alone: bool) -> tuple[BackendSpec, ...]:
    """The boxes of a seed. `alone`: they load on demand and evict by themselves, as Ollama does; otherwise they do
    what they are told, and nothing keeps a load from running out of memory.
    """
    errors = _errors(workload, seed)
    truth = workload.truth
    return tuple(
        BackendSpec(
            name=box.name,
            kind=BackendKind.OLLAMA,
            memory=round(box.memory * GB),
            alpha=workload.models.slowdown,
            queue_limit=512,
            overflow=Overflow.EVICT if alone else Overflow.KILL,
            autoload=alone,
            release_seconds=truth.release_seconds,
            release_spread=truth.release_spread,
            models=tuple(
                _model(workload, box, model, errors[model.name])
                for model in workload.models.list
                if box.name in model.on
            ),
        )
        for box in workload.boxes
    )


def _errors(workload: Workload, seed: int) -> dict[str, float]:
    """What everybody is told of a model's size, in parts of the truth."""
    rng, most = Random(f"errors {seed}"), workload.truth.estimate_error
    return {model.name: 1.0 + rng.uniform(-most, most) for model in workload.models.list}


def _model(workload: Workload, box: Box, model: Model, error: float) -> ModelSpec:
    told = model.size * GB * error
    setup = workload.models
    decode = min(_FASTEST, box.bandwidth / model.size)
    weights, cache = _parts(told, setup.context * setup.parallel)
    return ModelSpec(
        name=model.name,
        parameters=round(weights / _BYTES_PER_PARAMETER),
        weights=round(weights),
        kv_bytes_per_token=round(cache),
        context=setup.context,
        parallel=setup.parallel,
        decode_rate=decode,
        prefill_rate=_PREFILL * decode,
        load_seconds=_START_SECONDS + model.size / box.disk,
        output_mean=_ENDLESS,  # every request says how much of it it wants
        truth=1.0 / error,
    )


def _parts(size: float, tokens: int) -> tuple[float, float]:
    """Bytes of the weights and of the cache for one token, of a model that has `size` with so many tokens."""
    weights, cache = size, 0.0
    for _ in range(20):
        cache = _CACHE_PER_TOKEN * (weights / _BYTES_PER_PARAMETER / 8e9) ** _CACHE_POWER
        weights = max(0.1 * size, size - cache * tokens)
    return weights, cache


# -- the requests --------------------------------------------------------------------------------------


class Arrival(msgspec.Struct, frozen=True):
    """One request, and who asks; times in seconds since the run began."""

    id: str
    at: float
    model: str
    session: str
    prompt: int
    output: int


def arrivals(workload: Workload, seed: int, rate: float) -> list[Arrival]:
    """The requests of a run, in order: sessions as they come, each with its own pace."""
    rng = Random(f"arrivals {seed}")
    order = _Order(workload, seed)
    found: list[Arrival] = []
    for number, begin in enumerate(_sessions(workload, seed, rate)):
        found += _session(workload, rng, order, f"s{seed}-{number}", begin)
    return sorted((one for one in found if one.at < workload.load.seconds), key=lambda one: (one.at, one.id))


def _sessions(workload: Workload, seed: int, rate: float) -> Iterator[float]:
    """When each begins. Bursts come on top of a base that makes the mean rate of requests the declared one."""
    rng, bursts = Random(f"sessions {seed}"), workload.bursts
    share = bursts.seconds / (bursts.seconds + bursts.every_seconds)
    base = rate / workload.sessions.requests / (1.0 + share * (bursts.factor - 1.0))
    at, until, calm = 0.0, 0.0, rng.expovariate(1.0 / bursts.every_seconds)
    while at < workload.load.seconds:
        bursting = at < until
        change = until if bursting else calm
        step = at + rng.expovariate(base * (bursts.factor if bursting else 1.0))
        if step < change:
            at = step
            yield at
            continue
        at = change
        if bursting:
            calm = at + rng.expovariate(1.0 / bursts.every_seconds)
        else:
            until = at + bursts.seconds


def _session(workload: Workload, rng: Random, order: "_Order", name: str, at: float) -> Iterator[Arrival]:
    load, setup = workload.load, workload.sessions
    first = order.draw(rng, at)
    pair = (first, order.partner(first)) if rng.random() < setup.agents else (first, first)
    number = 0
    while True:
        output = max(8, round(_lognormal(rng, load.output, _OUTPUT_SPREAD)))
        prompt = min(1500, max(8, round(_lognormal(rng, load.prompt, _PROMPT_SPREAD))))
        yield Arrival(f"{name}-{number}", at, pair[number % 2], name, prompt, output)
        if rng.random() < 1.0 / setup.requests:
            return
        # Open loop: paced by a usual answer, not by the one this strategy gave.
        at += output / 40.0 + rng.expovariate(1.0 / setup.think_seconds)
        number += 1


def _lognormal(rng: Random, mean: float, spread: float) -> float:
    return mean * exp(spread * rng.gauss(0.0, 1.0) - spread * spread / 2)


class _Order:
    """Which model is how popular when."""

    def __init__(self, workload: Workload, seed: int) -> None:
        rng, setup = Random(f"popularity {seed}"), workload.popularity
        names = [model.name for model in workload.models.list]
        rng.shuffle(names)
        self._partners = dict(zip(names, names[1:] + names[:1], strict=True))
        self._weights = [1.0 / (rank + 1) ** setup.exponent for rank in range(len(names))]
        self._shift = setup.shift_seconds
        self._orders = [list(names)]
        for _ in range(int(workload.load.seconds / self._shift) + 1):
            for _ in range(setup.swaps):
                one, other = rng.sample(range(len(names)), 2)
                names[one], names[other] = names[other], names[one]
            self._orders.append(list(names))

    def draw(self, rng: Random, at: float) -> str:
        [name] = rng.choices(self._orders[int(at / self._shift)], self._weights)
        return name

    def partner(self, model: str) -> str:
        return self._partners[model]


# -- what goes wrong -----------------------------------------------------------------------------------


class Use(msgspec.Struct, frozen=True):
    """From `at` on other programs use so many bytes of a box."""

    at: float
    box: str
    bytes: int


def foreign(workload: Workload, seed: int) -> list[Use]:
    """What other programs use, whenever it changes: they take it in steps of a second and give it back at once."""
    setup = workload.grabs
    found: list[Use] = []
    for box in workload.boxes:
        rng = Random(f"grabs {seed} {box.name}")
        at = rng.expovariate(1.0 / setup.every_seconds)
        while at < workload.load.seconds:
            size = rng.uniform(*setup.share) * box.memory * GB
            steps = max(1, round(setup.ramp_seconds / _STEP_SECONDS))
            found += [
                Use(at + one * _STEP_SECONDS, box.name, round(size * (one + 1) / steps))
                for one in range(steps)
            ]
            at += setup.ramp_seconds + rng.uniform(*setup.seconds)
            found.append(Use(at, box.name, 0))
            at += rng.expovariate(1.0 / setup.every_seconds)
    return sorted(found, key=lambda one: (one.at, one.box))
