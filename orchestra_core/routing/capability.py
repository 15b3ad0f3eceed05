"""What an endpoint can do: the backend's own report, then the configuration, every gap filled by a prior.

The order of trust is configuration, report, name, kind of server. What no one knows is guessed from the size:
quality grows with the logarithm of the parameters, speed is bound by reading the active weights once per
token (roofline, routing.md 4.3). The guesses only have to rank endpoints sensibly before the first answers:
speed is learned from use, quality can be configured. What runs on somebody else's machine is `hosted`: its
price is not known here, what runs on ours is free; what accounting knows better comes later.
"""

from math import log2, sqrt

import msgspec

from orchestra_core.domain.call import Level, Task
from orchestra_core.domain.catalog import BackendKind, EndpointSpec, ModelInfo, Residency
from orchestra_core.domain.price import FREE
from orchestra_core.routing.names import Name, Speciality, read


class BackendFacts(msgspec.Struct, frozen=True):
    """What is known of a backend as a whole; None is "not known".

    `loopback`: it runs on this machine. `loadable`: whether models can be loaded on it; None: as usual for
    its kind. `rtt` is in seconds. `prefill`: whether its models go on from a beginning
    of their answer that they are given; None: as usual for its kind.
    """

    name: str
    kind: BackendKind
    slots: int | None = None
    weight: float = 1.0
    rtt: float | None = None
    loopback: bool = True
    loadable: bool | None = None
    prefill: bool | None = None


class Override(msgspec.Struct, frozen=True):
    """What the configuration says of a model. `capabilities` are names of tasks or of capabilities."""

    capabilities: tuple[str, ...] | None = None
    quality: Level | None = None
    context: int | None = None


class Machine(msgspec.Struct, frozen=True):
    """What a server of some kind is taken to run on, until its speed has been seen.

    `bandwidth` bytes/s of memory, `compute` operations/s, `disk` bytes/s when loading, `start` seconds;
    `bits` of a weight where nothing says; `slowdown` as in EndpointSpec.
    """

    bandwidth: float
    compute: float
    disk: float
    start: float
    bits: float
    slots: int
    context: int
    slowdown: float
    rtt: float


# Managed: llama.cpp on the host's CPUs. Ollama and llama-server: a desktop GPU or unified memory. vLLM and
# other OpenAI-compatible servers: a data-centre GPU that batches. Slots are the servers' own defaults
# (OLLAMA_NUM_PARALLEL 1, llama-server's `-np`, vLLM's scheduler); contexts are what they serve if not told.
_MACHINES = {
    BackendKind.MANAGED: Machine(15e9, 0.15e12, 1e9, 1.0, 4.85, 1, 4096, 0.3, 0.001),
    BackendKind.OLLAMA: Machine(150e9, 8e12, 1e9, 2.0, 4.85, 1, 4096, 0.1, 0.001),
    BackendKind.LLAMACPP: Machine(150e9, 8e12, 1e9, 2.0, 4.85, 1, 4096, 0.1, 0.001),
    BackendKind.VLLM: Machine(1000e9, 100e12, 2e9, 60.0, 16.0, 64, 8192, 0.02, 0.001),
    BackendKind.OPENAI: Machine(150e9, 8e12, 1e9, 5.0, 16.0, 4, 8192, 0.05, 0.001),
}
_REMOTE = Machine(1000e9, 100e12, 1e9, 0.0, 16.0, 32, 128_000, 0.01, 0.3)
# Hosted services answer at much the same speed whatever the size, which they do not tell.
_REMOTE_PREFILL = 5000.0
_REMOTE_DECODE = 60.0
# llama.cpp since b5300 (ggml-org/llama.cpp 13174), Ollama (ollama/ollama 6778) and vLLM (continue_final_message)
# go on from a last message of the assistant; of other servers one has to know (`prefill` in the configuration).
_PREFILLS = frozenset({BackendKind.MANAGED, BackendKind.LLAMACPP, BackendKind.OLLAMA, BackendKind.VLLM})
_LOADS = frozenset({BackendKind.OLLAMA, BackendKind.MANAGED})
# Rates outside of these are mistakes in a report or a name, not speeds.
_DECODE_RATES = (0.1, 1000.0)
_PREFILL_RATES = (5.0, 50_000.0)
_DEFAULT_PARAMETERS = 7e9
_DEFAULT_HOSTED_PARAMETERS = 70e9
_BITS = (
    ("MXFP4", 4.25), ("NVFP4", 4.5), ("INT4", 4.5), ("AWQ", 4.5), ("GPTQ", 4.5), ("4BIT", 4.5), ("FP8", 8.0),
    ("INT8", 8.5), ("8BIT", 8.5), ("Q2", 3.35), ("Q3", 3.9), ("Q4", 4.85), ("Q5", 5.7), ("Q6", 6.6),
    ("Q8", 8.5), ("32", 32.0), ("16", 16.0),
)  # fmt: skip

# Quality of 1 billion parameters, and of each doubling; places 8B at 0.52, 70B at 0.77.
_QUALITY_OF_BILLION = 0.28
_QUALITY_OF_DOUBLING = 0.08
# Embedding models do with five doublings less for the same standing among their like.
_EMBEDDING_BONUS = 5 * _QUALITY_OF_DOUBLING
_QUALITIES = (0.05, 0.95)
_MEDIUM_FROM = 0.40
_HIGH_FROM = 0.68
_LEVEL_QUALITY = {Level.LOW: 0.25, Level.MEDIUM: 0.55, Level.HIGH: 0.85}
_EXPERT_BONUS = 0.12
_OFF_TASK = 0.6

_CHAT_TASKS = frozenset({Task.TEXT_GENERATION, Task.CONVERSATION, Task.ANALYSIS, Task.CREATIVE})
_TASK_OF = {
    Speciality.CODE: Task.CODE_GENERATION,
    Speciality.REASONING: Task.REASONING,
    Speciality.VISION: Task.VISION,
    Speciality.EMBEDDING: Task.EMBEDDING,
}
# Below these a general model is not worth asking, where there is another.
_CODES_FROM = 7e9
_REASONS_FROM = 14e9
_GENERATION = frozenset({"chat", "completion"})


def describe(facts: BackendFacts, info: ModelInfo, override: Override | None = None) -> EndpointSpec:
    """The endpoint that `info` is on the backend of `facts`, with no gap left."""
    name = read(info.name)
    wish = override or Override()
    remote = _is_remote(facts, name)
    machine = _REMOTE if remote else _MACHINES[facts.kind]
    quantization = info.quantization or name.quantization
    total, active = _parameters(info, name, machine, quantization, remote)
    capabilities = _capabilities(info, name, wish)
    tasks = _tasks(capabilities, name, total, wish)
    quality = _quality(total, active, name, quantization, wish)
    weights = active * _bits(quantization, machine) / 8
    size = info.size_bytes or total * _bits(quantization, machine) / 8
    return EndpointSpec(
        backend=facts.name,
        model=info.name,
        kind=facts.kind,
        capabilities=capabilities,
        tasks=tasks,
        context=_context(facts, info, wish) or name.context or machine.context,
        quality=quality,
        tier=_tier(quality),
        slots=max(1, facts.slots or info.slots or machine.slots),
        size_bytes=info.size_bytes,
        parameters=info.parameters or (int(name.total) if name.total else None),
        quantization=quantization,
        price=None if remote else FREE,
        prefill_rate=_REMOTE_PREFILL if remote else _clamp(machine.compute / (2 * active), _PREFILL_RATES),
        decode_rate=_REMOTE_DECODE if remote else _clamp(machine.bandwidth / weights, _DECODE_RATES),
        load_seconds=0.0 if remote else machine.start + size / machine.disk,
        rtt=machine.rtt if facts.rtt is None else facts.rtt,
        weight=max(facts.weight, 0.01),
        loadable=not remote and _loadable(facts, info),
        qualities={task: _fitness(task, quality, tasks, name, wish) for task in Task},
        slowdown=machine.slowdown,
        prefill=facts.kind in _PREFILLS if facts.prefill is None else facts.prefill,
        hosted=remote,
    )


def _is_remote(facts: BackendFacts, name: Name) -> bool:
    """Whether it runs for money on somebody else's machine; a gateway on this one may only pass it on."""
    return name.cloud or (
        facts.kind is BackendKind.OPENAI and (not facts.loopback or name.hosted is not None)
    )


def _clamp(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])


def _bits(quantization: str | None, machine: Machine) -> float:
    """Average bits of a weight, scales included."""
    text = (quantization or "").upper()
    return next((bits for piece, bits in _BITS if piece in text), machine.bits)


def _parameters(
    info: ModelInfo, name: Name, machine: Machine, quantization: str | None, remote: bool
) -> tuple[float, float]:
    """Total and active parameters: reported, by the name, by the size on disk, or the usual."""
    if info.parameters:
        total = float(info.parameters)
    elif name.total:
        total = name.total
    elif info.size_bytes:
        total = info.size_bytes * 8 / _bits(quantization, machine)
    else:
        total = _DEFAULT_HOSTED_PARAMETERS if remote else _DEFAULT_PARAMETERS
    share = name.active / name.total if name.active and name.total else 1.0
    return max(total, 1e6), max(total * share, 1e6)


def _capabilities(info: ModelInfo, name: Name, wish: Override) -> frozenset[str]:
    """Reported, or by the name; a server that reports none is taken to render tools, as most do."""
    if info.capabilities:
        found = set(info.capabilities)
    elif Speciality.EMBEDDING in name.specialities:
        found = {"embedding"}
    else:
        found = {"chat", "tools"} | ({"vision"} if Speciality.VISION in name.specialities else set())
    # A server that completes text also chats, and the other way round: templates are its own affair.
    if found & _GENERATION:
        found |= _GENERATION
    if wish.capabilities is None:
        return frozenset(found)
    return _configured(found, set(wish.capabilities))


def _configured(found: set[str], named: set[str]) -> frozenset[str]:
    """What a model takes in and gives out is as configured; how it is spoken to stays as reported."""
    if named == {"embedding"}:
        return frozenset({"embedding"})
    kept = (found | named) - set(Task)
    return frozenset(kept | _GENERATION | (named & {"vision", "embedding"}))


def _context(facts: BackendFacts, info: ModelInfo, wish: Override) -> int | None:
    """As loaded, or as it will be: what an operator wishes has its effect with the next load, not before."""
    if facts.kind is BackendKind.MANAGED:
        return info.context
    return info.pin or wish.context or info.context


def _tasks(capabilities: frozenset[str], name: Name, total: float, wish: Override) -> frozenset[Task]:
    named = frozenset(task for task in Task if task in (wish.capabilities or ()))
    if named:
        return named
    tasks = {_TASK_OF[speciality] for speciality in name.specialities}
    if capabilities & _GENERATION:
        tasks |= _CHAT_TASKS
        if total >= _CODES_FROM:
            tasks.add(Task.CODE_GENERATION)
        if total >= _REASONS_FROM or "thinking" in capabilities:
            tasks.add(Task.REASONING)
    known = ((Task.VISION, "vision"), (Task.EMBEDDING, "embedding"))
    tasks -= {task for task, _ in known}
    return frozenset(tasks | {task for task, capability in known if capability in capabilities})


def _quality(total: float, active: float, name: Name, quantization: str | None, wish: Override) -> float:
    if name.hosted is not None:
        quality = name.hosted
    else:
        # A mixture of experts is as good as a dense model of the geometric mean (a rule of thumb).
        billions = sqrt(total * active) / 1e9
        quality = _QUALITY_OF_BILLION + _QUALITY_OF_DOUBLING * log2(billions) + name.generation
        if Speciality.EMBEDDING in name.specialities:
            quality += _EMBEDDING_BONUS
        quality -= {"2": 0.08, "3": 0.04}.get((quantization or "").upper().removeprefix("I")[1:2], 0.0)
    quality = _clamp(quality, _QUALITIES)
    if wish.quality is None or _tier(quality) is wish.quality:
        return quality
    return _LEVEL_QUALITY[wish.quality]


def _tier(quality: float) -> Level:
    if quality >= _HIGH_FROM:
        return Level.HIGH
    return Level.MEDIUM if quality >= _MEDIUM_FROM else Level.LOW


def _fitness(task: Task, quality: float, tasks: frozenset[Task], name: Name, wish: Override) -> float:
    """Quality at one task: more than in general at what the model was made for, less at what it was not."""
    if task not in tasks:
        return quality * _OFF_TASK
    if wish.quality is None and name.hosted is None:
        made_for = {_TASK_OF[speciality] for speciality in name.specialities} - {Task.EMBEDDING}
        if task in made_for:
            return min(quality + _EXPERT_BONUS, _QUALITIES[1])
    return quality


def _loadable(facts: BackendFacts, info: ModelInfo) -> bool:
    """A llama-server that names a model it has not loaded is a router, which loads."""
    if facts.loadable is not None:
        return facts.loadable
    if info.loadable is not None:
        return info.loadable
    router = facts.kind is BackendKind.LLAMACPP and info.residency is not Residency.READY
    return router or facts.kind in _LOADS
