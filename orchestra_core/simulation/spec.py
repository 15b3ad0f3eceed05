"""What a simulated backend is made of: declared in full, nothing measured while it runs."""

from enum import StrEnum

import msgspec

from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind

GB = 10**9


class Overflow(StrEnum):
    """What a backend does with a load that does not fit beside what is loaded.

    `evict`: unload idle models, wait for busy ones (Ollama). `refuse`: fail the load. `crash`: start the load
    and die of it, losing everything in flight, as an engine without a memory check does. `kill`: start it without a
    look, as processes of their own do: where the memory really ends, one of them dies and the others live on.
    """

    EVICT = "evict"
    REFUSE = "refuse"
    CRASH = "crash"
    KILL = "kill"


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one backend. Bytes, tokens per second of a request alone, price per million tokens.

    `capabilities` uses the words of `ModelInfo`. `resident` models are loaded when the backend starts.
    `parallel` is how many requests run at a time; `output_mean` the mean length of an answer nobody limited.
    `truth` is what it really occupies, in parts of what everybody is told it needs.
    """

    name: str
    parameters: int
    weights: int
    quantization: str = "Q4_K_M"
    family: str = "llama"
    context: int = 8192
    kv_bytes_per_token: int = 131072
    parallel: int = 1
    prefill_rate: float = 1000.0
    decode_rate: float = 30.0
    load_seconds: float = 4.0
    output_mean: float = 160.0
    capabilities: frozenset[str] = frozenset({"chat", "completion"})
    embedding_length: int = 256
    resident: bool = False
    price_input: float = 0.0
    price_output: float = 0.0
    quality: Level | None = None
    truth: float = 1.0

    @property
    def memory(self) -> int:
        """Bytes it is said to need: the weights, and KV cache for every slot at full context."""
        return self.weights + self.kv_bytes_per_token * self.context * self.parallel

    @property
    def occupied(self) -> int:
        """Bytes while loaded."""
        return round(self.memory * self.truth)


class BackendSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated backend. `memory` in bytes, None where there is no limit to speak of.

    With b requests running each one is slowed by 1 + alpha (b - 1). `overhead` is seconds added to every
    request before its prefill. `queue_limit` bounds the requests that wait (Ollama: 512). `jitter` is the
    standard deviation of the logarithm of each request's own speed. A crash costs `restart_seconds`. The memory of
    an unloaded model is free after `release_seconds` on average, log-normal with `release_spread`.
    """

    name: str
    kind: BackendKind
    models: tuple[ModelSpec, ...]
    memory: int | None = None
    alpha: float = 0.25
    overhead: float = 0.0
    queue_limit: int | None = None
    overflow: Overflow = Overflow.EVICT
    autoload: bool = False
    keep_alive: float = 300.0
    jitter: float = 0.08
    restart_seconds: float = 8.0
    release_seconds: float = 0.0
    release_spread: float = 1.0

    @property
    def slots(self) -> int:
        """Requests that can run at once with every model that starts loaded, or with the widest alone."""
        widest = max(model.parallel for model in self.models)
        return max(widest, sum(model.parallel for model in self.models if model.resident))

    def model(self, name: str) -> ModelSpec | None:
        return next((model for model in self.models if model.name == name), None)
