"""What is known of backends, models and endpoints: values, apart from the live view so that that can be compiled."""

from enum import StrEnum

import msgspec

from orchestra_core.domain.call import Level, Task
from orchestra_core.domain.memory import Shape
from orchestra_core.domain.price import FREE, Price


class BackendKind(StrEnum):
    OLLAMA = "ollama"
    LLAMACPP = "llamacpp"
    VLLM = "vllm"
    OPENAI = "openai"
    MANAGED = "managed"


class Residency(StrEnum):
    """Where a model stands on a backend; where the server loads by itself on use, `absent` is loadable."""

    ABSENT = "absent"
    RESERVED = "reserved"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    UNLOADING = "unloading"


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ModelInfo(msgspec.Struct, frozen=True, gc=False):
    """What one backend reports of one model; None is "not reported", never zero.

    `capabilities` uses the words `chat`, `completion`, `embedding`, `vision`, `tools`, `thinking`.
    `memory_bytes` is what the loaded model occupies, `size_bytes` its weights on disk; `loadable` whether the
    backend loads and unloads it when asked to. `shape` and `parallel`, the calls it runs at once in `context` tokens
    each, are what its need of memory is predicted from. `pin` is the context every call has to name, or the backend
    would load the model again in another size; None where a call cannot change it.
    """

    name: str
    residency: Residency = Residency.READY
    size_bytes: int | None = None
    parameters: int | None = None
    context: int | None = None
    quantization: str | None = None
    family: str | None = None
    capabilities: frozenset[str] = frozenset()
    memory_bytes: int | None = None
    slots: int | None = None
    loadable: bool | None = None
    shape: Shape | None = None
    parallel: int | None = None
    pin: int | None = None


class EndpointSpec(msgspec.Struct, frozen=True, gc=False):
    """The facts of an endpoint the selector needs, with every gap already filled by a prior.

    Rates are tokens per second, times are seconds; `price` None: unknown. `hosted`: it runs on somebody else's machine.
    `quality` and each of `qualities`, which says how fit the model is for a task, are between 0 and 1.
    `slowdown` is what every further call in service adds to the duration of each, as a fraction. `prefill`:
    an answer can be continued here from the text so far, given as a last message of the assistant.
    """

    backend: str
    model: str
    kind: BackendKind
    capabilities: frozenset[str]
    tasks: frozenset[Task]
    context: int
    quality: float
    tier: Level
    slots: int = 1
    size_bytes: int | None = None
    parameters: int | None = None
    quantization: str | None = None
    price: Price | None = FREE
    prefill_rate: float = 500.0
    decode_rate: float = 30.0
    load_seconds: float = 5.0
    rtt: float = 0.001
    weight: float = 1.0
    loadable: bool = False
    qualities: dict[Task, float] = {}
    slowdown: float = 0.1
    prefill: bool = False
    hosted: bool = False

    @property
    def id(self) -> str:
        return f"{self.backend}/{self.model}"


class Speed(msgspec.Struct, frozen=True, gc=False):
    """Learned correction of the speed prior: natural logs of observed over predicted, and their spread."""

    ttft: float = 0.0
    tpot: float = 0.0
    variance: float = 1.0
    observations: int = 0


class Reliability(msgspec.Struct, frozen=True, gc=False):
    """Beta counts of failures and successes as of `at` (monotonic seconds), decayed when read.

    The counts are for an endpoint that seems well: of failures in a row only the first is in them. `failing`: the
    last result was one. `recent` is the share of failures among the last ten or so results: after a thousand good
    answers the counts would take minutes to tell that every third one fails now.
    """

    failures: float = 0.0
    successes: float = 0.0
    at: float = 0.0
    recent: float = 0.0
    failing: bool = False
