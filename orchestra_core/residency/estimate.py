"""What a model needs: weights + KV cache + working buffers, from its shape, corrected by what was measured.

llama.cpp's part of it was read off its own log ("KV buffer size", "compute buffer size") and off the resident memory
of real children: gemma3-270m in seven sizes from 512 x 1 to 8192 x 4 tokens x slots, within 5 %.
"""

from math import ceil, sqrt
from statistics import fmean, stdev

import msgspec

from orchestra_core.domain.catalog import BackendKind, ModelInfo
from orchestra_core.domain.memory import Basis, Need, Shape

MIB = 1 << 20
# What is reserved before anything was measured, as a factor on the formula. A size that is reported 30 % too low
# must still fit: 1 / 0.7 is 1.43.
START = {Basis.METADATA: 1.10, Basis.SIZE: 1.45, Basis.MEASURED: 1.02}
LEAST = 1.02
# The same model in the same size on another machine with the same kind of server: drivers and cards differ.
ELSEWHERE = 1.10
REMEMBERED = 100
_ENOUGH = 3
# Students' t, one-sided 99 %, for 2 to 10 degrees of freedom: how far the next of few may lie outside of them.
_T99 = (6.96, 4.54, 3.75, 3.36, 3.14, 3.00, 2.90, 2.82, 2.76)
_DEATH = 1.3
_MOST_DEATHS = 3
# Models are looked at every ten seconds or so: half of it is taken back after an hour.
_RELENT = 0.998
# Backends that tell nothing are taken to hold this much for one call at a time (Ollama's and llama.cpp's default).
CONTEXT = 4096
# Sizes of a GGUF in the usual Q4_K_M, in bytes per parameter; of what engines pad a cache to, in tokens.
_BYTES_PER_PARAMETER = 0.6
_PADDING = 256
_BITS = (("32", 32.0), ("16", 16.0), ("8", 8.5), ("6", 6.6), ("5", 5.7))
# Prior of a KV cache: 128 KiB per token for 8e9 parameters (Llama 3.1), and by the power 0.6 above and below:
# 37 KiB for 1e9 (Llama 3.2: 32), 470 KiB for 70e9 (Llama 3.1: 320).
_PRIOR_PER_TOKEN, _PRIOR_PARAMETERS, _PRIOR_POWER = 128 * 1024, 8e9, 0.6
_PRIOR_WORKING = 64 * MIB
MOST_CHECKPOINTS = 32
# Arrays of batch x embedding in 32 bits that a graph holds at once (llama.cpp: 14 for gemma3, measured).
_ARRAYS = 14


class Engine(msgspec.Struct, frozen=True):
    """How one engine spends memory beyond weights and cache. Bytes and tokens.

    `process` is its own per model, `per_entry` what an entry of the vocabulary takes outside of the weights; `logits`
    whether it makes room for the logits of a whole batch. In use it keeps up to `kept` bytes of states of its windowed
    layers, but `states` for every slot (see `checkpoints`), beside `conversations` bytes of past ones.
    """

    process: int = 0
    per_entry: int = 0
    batch: int = 512
    logits: bool = True
    states: int = 0
    kept: int = 0
    conversations: int = 0


# Our own child: 28 MiB of Python and llama.cpp, 170 bytes of tokenizer per entry (both measured).
CHILD = Engine(
    process=28 * MIB, per_entry=170, logits=False, states=2, kept=64 * MIB, conversations=128 * MIB
)
SERVER = Engine(process=28 * MIB, per_entry=170, logits=False)
ENGINES = {BackendKind.MANAGED: CHILD, BackendKind.LLAMACPP: SERVER}
OTHER = Engine()


def need(shape: Shape, context: int, parallel: int, factor: float = 1.0, *, engine: Engine = CHILD) -> Need:
    """What a model of this shape needs for `parallel` calls at once of `context` tokens each. KV is taken as f16."""
    cells, windowed = _cells(context), min(_cells(context), _cells(shape.window + engine.batch))
    cache = parallel * (shape.cache_per_token * cells + shape.window_per_token * windowed)
    state = parallel * _state(shape, context)
    working = (
        engine.process
        + engine.per_entry * shape.vocabulary
        + 4 * engine.batch * _ARRAYS * shape.embedding
        + 2 * engine.batch * cells  # the mask of attention, 16 bits
    )
    if engine.logits:
        working += 4 * engine.batch * shape.vocabulary
    growth = engine.conversations + checkpoints(shape, context, parallel, engine) * state
    predicted = shape.weights + cache + working
    return Need(
        ceil(predicted * factor) + growth, shape.weights, cache, working, growth, factor, Basis.METADATA
    )


def checkpoints(shape: Shape, context: int, parallel: int, engine: Engine = CHILD) -> int:
    """How many states of its windowed layers a slot may keep, so that all of them stay within `kept` bytes.

    llama.cpp's own 32 would take 240 MiB per slot of the embedded model, as much as its weights.
    """
    state = parallel * _state(shape, context)
    return MOST_CHECKPOINTS if not state else max(engine.states, min(MOST_CHECKPOINTS, engine.kept // state))


def _state(shape: Shape, context: int) -> int:
    return shape.window_per_token * min(shape.window, _cells(context))


def need_by_size(size: int, parameters: int | None, context: int, parallel: int, factor: float = 1.0) -> Need:
    """As `need` where only the size of the weights is known: the cache is a prior by the number of parameters."""
    count = parameters or size / _BYTES_PER_PARAMETER
    per_token = _PRIOR_PER_TOKEN * (count / _PRIOR_PARAMETERS) ** _PRIOR_POWER
    cache = int(per_token * context * parallel)
    return Need(
        ceil((size + cache + _PRIOR_WORKING) * factor), size, cache, _PRIOR_WORKING, 0, factor, Basis.SIZE
    )


def size_of(parameters: int, quantization: str | None) -> int:
    """Bytes of weights of which only the number and the name of their format are known; unnamed ones have 4 bits."""
    bits = next((bits for digits, bits in _BITS if digits in (quantization or "")), 4.8)
    return ceil(parameters * bits / 8)


def _cells(tokens: int) -> int:
    return -(-tokens // _PADDING) * _PADDING


def size_key(info: ModelInfo) -> str:
    """The size a model is loaded in: another one makes its measurements those of another model."""
    return f"{info.context or CONTEXT}x{info.parallel or info.slots or 1}:{info.size_bytes}"


class Corrections:
    """What measurements say about predictions, for each kind of engine and for each endpoint.

    Of an engine the last hundred models count; of an endpoint the most that was ever measured in one size. What was
    never loaded on one backend goes by what the same model held on another one of its kind.
    """

    def __init__(self) -> None:
        self._ratios: dict[tuple[str, Basis], dict[tuple[str, str], float]] = {}
        # The least and the most a model was found to hold in one size: just loaded, and after use.
        self._measured: dict[tuple[str, str], tuple[int, int]] = {}
        self._elsewhere: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._growth: dict[tuple[str, str], int] = {}
        self._deaths: dict[str, float] = {}

    def need(self, kind: BackendKind, endpoint_id: str, info: ModelInfo) -> Need | None:
        """What has to be reserved to load it as it would be loaded now; None where not even its size is known."""
        plain = self._plain(kind, info)
        if plain is None:
            return None
        basis, factor = plain.basis, self.factor(kind, plain.basis)
        key = endpoint_id, size_key(info)
        self._growth[key] = plain.growth
        fresh = used = plain.predicted
        if key in self._measured:
            basis, factor = Basis.MEASURED, START[Basis.MEASURED]
            fresh, used = self._measured[key]
        elif (alike := self._elsewhere.get((kind, info.name, key[1]))) is not None:
            basis, factor = Basis.MEASURED, ELSEWHERE
            fresh, used = alike
        raised = self._deaths.get(endpoint_id, 1.0)
        return msgspec.structs.replace(
            plain,
            bytes=max(ceil(fresh * factor * raised) + plain.growth, ceil(used * factor * raised)),
            factor=factor * raised,
            basis=basis,
            error=self.error(kind),
        )

    @staticmethod
    def _plain(kind: BackendKind, info: ModelInfo) -> Need | None:
        context, parallel = info.context or CONTEXT, info.parallel or info.slots or 1
        if info.shape is not None:
            return need(info.shape, context, parallel, engine=ENGINES.get(kind, OTHER))
        if info.size_bytes is not None:
            return need_by_size(info.size_bytes, info.parameters, context, parallel)
        return None

    def factor(self, engine: str, basis: Basis) -> float:
        """What a prediction is multiplied with, so that one in a hundred at most is too low.

        Three models measured say little about the next: their spread decides how far beyond the largest ratio it
        may lie, but never farther than what was taken before anything was known.
        """
        ratios = list(self._ratios.get((engine, basis), {}).values())
        if basis is Basis.MEASURED or not ratios:
            return START[basis]
        seen = max(LEAST, _p99(ratios))
        if len(ratios) < _ENOUGH:
            return max(START[basis], seen)
        degrees = len(ratios) - 1
        t = _T99[min(degrees - 2, len(_T99) - 1)]
        next_one = fmean(ratios) + t * stdev(ratios) * sqrt(1 + 1 / len(ratios))
        return max(seen, min(next_one, START[basis]))

    def observe(
        self,
        engine: str,
        endpoint_id: str,
        predicted: int,
        measured: int,
        *,
        basis: Basis = Basis.METADATA,
        size: str = "",
    ) -> None:
        """`measured` bytes were found where the formula said `predicted` (`Need.predicted`: no factor, no growth).

        `basis` is METADATA or SIZE, whichever the formula had; `size` the `size_key` it was loaded in. May be told
        again and again while a model is loaded: what it was predicted to grow by in use is no error.
        """
        if predicted <= 0 or measured <= 0:
            return
        key = endpoint_id, size
        least, most = self._measured.get(key, (measured, measured))
        self._measured[key] = least, most = min(least, measured), max(most, measured)
        self._elsewhere[engine, endpoint_id.partition("/")[2], size] = least, most
        loaded = max(least, most - self._growth.get(key, 0))
        _put(self._ratios.setdefault((engine, basis), {}), key, loaded / predicted)
        if endpoint_id in self._deaths:
            self._deaths[endpoint_id] = 1 + (self._deaths[endpoint_id] - 1) * _RELENT

    def measured(self, endpoint_id: str, size: str = "") -> int | None:
        """The most it was found to hold in this size; None where it was never measured in it."""
        found = self._measured.get((endpoint_id, size))
        return None if found is None else found[1]

    def error(self, engine: str) -> float | None:
        """Mean relative error of the formula over the last hundred models of an engine."""
        errors = [
            abs(1 / ratio - 1)
            for (of, _), found in self._ratios.items()
            if of == engine
            for ratio in found.values()
        ]
        return fmean(errors) if errors else None

    def raise_(self, endpoint_id: str, factor: float = _DEATH) -> None:
        """It died for want of memory: it is taken to need more, at most three times over, and less again the longer
        it is then seen alive.
        """
        most = _DEATH**_MOST_DEATHS
        self._deaths[endpoint_id] = min(most, self._deaths.get(endpoint_id, 1.0) * factor)


def _put(ratios: dict[tuple[str, str], float], key: tuple[str, str], ratio: float) -> None:
    """A model counts once, by its last measurement: what is loaded all the time must not drown the others."""
    ratios.pop(key, None)
    ratios[key] = ratio
    if len(ratios) > REMEMBERED:
        del ratios[next(iter(ratios))]


def _p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, ceil(0.99 * len(values)) - 1)]
