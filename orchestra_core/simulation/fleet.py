"""The declared fleets. Sizes and speeds are plausible for the machines they are named after, not measured."""

import msgspec

from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.simulation.spec import GB, BackendSpec, ModelSpec, Overflow

_CHAT = frozenset({"chat", "completion"})
_TOOLS = frozenset({"chat", "completion", "tools"})

WORKSTATION = BackendSpec(
    name="sim-workstation",
    kind=BackendKind.OLLAMA,
    memory=24 * GB,
    alpha=0.25,
    queue_limit=512,
    autoload=True,
    models=(
        ModelSpec(
            name="sim-llama3.1:8b",
            parameters=8_030_000_000,
            weights=int(4.9 * GB),
            context=8192,
            parallel=4,
            prefill_rate=3200,
            decode_rate=95,
            load_seconds=3.5,
            capabilities=_TOOLS,
            resident=True,
        ),
        ModelSpec(
            name="sim-qwen2.5-coder:14b",
            family="qwen2",
            parameters=14_800_000_000,
            weights=int(9.0 * GB),
            context=8192,
            kv_bytes_per_token=196608,
            parallel=2,
            prefill_rate=1900,
            decode_rate=55,
            load_seconds=6,
            output_mean=260,
            capabilities=_TOOLS,
        ),
        ModelSpec(
            name="sim-deepseek-r1:32b",
            family="qwen2",
            parameters=32_800_000_000,
            weights=int(19.8 * GB),
            context=8192,
            kv_bytes_per_token=262144,
            prefill_rate=900,
            decode_rate=27,
            load_seconds=12,
            output_mean=420,
            capabilities=frozenset({"chat", "completion", "thinking"}),
        ),
        ModelSpec(
            name="sim-llava:7b",
            parameters=7_240_000_000,
            weights=int(4.7 * GB),
            context=4096,
            prefill_rate=2600,
            decode_rate=90,
            load_seconds=3.5,
            capabilities=frozenset({"chat", "completion", "vision"}),
        ),
        ModelSpec(
            name="sim-nomic-embed-text",
            family="nomic-bert",
            parameters=137_000_000,
            quantization="F16",
            weights=int(0.28 * GB),
            context=2048,
            kv_bytes_per_token=0,
            parallel=8,
            prefill_rate=30000,
            decode_rate=1000,
            load_seconds=0.8,
            capabilities=frozenset({"embedding"}),
            embedding_length=768,
        ),
    ),
)

LAPTOP = BackendSpec(
    name="sim-laptop",
    kind=BackendKind.OLLAMA,
    memory=8 * GB,
    alpha=0.6,
    queue_limit=512,
    autoload=True,
    jitter=0.15,
    models=(
        ModelSpec(
            name="sim-llama3.2:3b",
            parameters=3_210_000_000,
            weights=int(2.0 * GB),
            context=8192,
            kv_bytes_per_token=114688,
            parallel=2,
            prefill_rate=420,
            decode_rate=28,
            load_seconds=4,
            resident=True,
        ),
        ModelSpec(
            name="sim-gemma2:2b",
            family="gemma2",
            parameters=2_610_000_000,
            weights=int(1.6 * GB),
            context=8192,
            kv_bytes_per_token=106496,
            prefill_rate=520,
            decode_rate=34,
            load_seconds=3.5,
        ),
        ModelSpec(
            name="sim-mistral:7b",
            parameters=7_250_000_000,
            weights=int(4.4 * GB),
            context=8192,
            prefill_rate=190,
            decode_rate=12,
            load_seconds=9,
        ),
    ),
)

RACK = BackendSpec(
    name="sim-rack",
    kind=BackendKind.VLLM,
    memory=160 * GB,
    alpha=0.045,
    overflow=Overflow.CRASH,
    restart_seconds=20,
    models=(
        ModelSpec(
            name="sim-llama-3.3-70b-instruct",
            parameters=70_600_000_000,
            quantization="FP8",
            weights=71 * GB,
            context=32768,
            kv_bytes_per_token=163840,
            parallel=16,
            prefill_rate=6500,
            decode_rate=42,
            load_seconds=45,
            output_mean=240,
            capabilities=_TOOLS,
            resident=True,
        ),
    ),
)

CLOUD = BackendSpec(
    name="sim-cloud",
    kind=BackendKind.OPENAI,
    alpha=0.002,
    overhead=0.35,
    queue_limit=0,
    jitter=0.3,
    models=(
        ModelSpec(
            name="sim-cloud-large",
            family="cloud",
            parameters=0,
            quantization="unknown",
            weights=0,
            kv_bytes_per_token=0,
            context=128_000,
            parallel=64,
            prefill_rate=20000,
            decode_rate=85,
            capabilities=frozenset({"chat", "completion", "tools", "vision"}),
            output_mean=280,
            resident=True,
            price_input=2.5,
            price_output=10.0,
            quality=Level.HIGH,
        ),
        ModelSpec(
            name="sim-cloud-mini",
            family="cloud",
            parameters=0,
            quantization="unknown",
            weights=0,
            kv_bytes_per_token=0,
            context=128_000,
            parallel=64,
            prefill_rate=40000,
            decode_rate=150,
            capabilities=_TOOLS,
            resident=True,
            price_input=0.15,
            price_output=0.6,
            quality=Level.MEDIUM,
        ),
    ),
)

EDGE = BackendSpec(
    name="sim-edge",
    kind=BackendKind.LLAMACPP,
    memory=4 * GB,
    alpha=0.7,
    overflow=Overflow.REFUSE,
    restart_seconds=4,
    jitter=0.12,
    models=(
        ModelSpec(
            name="sim-phi-3.5-mini-instruct",
            family="phi3",
            parameters=3_820_000_000,
            weights=int(2.4 * GB),
            context=2048,
            kv_bytes_per_token=393216,
            parallel=1,
            prefill_rate=90,
            decode_rate=11,
            load_seconds=6,
            resident=True,
        ),
    ),
)

_MINI = ModelSpec(
    name="sim-small:1b",
    parameters=1_000_000_000,
    weights=GB,
    context=4096,
    kv_bytes_per_token=32768,
    parallel=2,
    prefill_rate=4000,
    decode_rate=200,
    load_seconds=0.5,
    output_mean=60,
    resident=True,
)

SMALL = BackendSpec(
    name="sim-small",
    kind=BackendKind.OLLAMA,
    memory=3 * GB,
    queue_limit=512,
    autoload=True,
    models=(
        _MINI,
        ModelSpec(
            name="sim-other:2b",
            parameters=2_000_000_000,
            weights=2 * GB,
            context=4096,
            kv_bytes_per_token=32768,
            prefill_rate=2000,
            decode_rate=100,
            load_seconds=1,
            output_mean=60,
        ),
        ModelSpec(
            name="sim-embed",
            family="nomic-bert",
            parameters=137_000_000,
            weights=GB // 4,
            context=2048,
            kv_bytes_per_token=0,
            parallel=4,
            prefill_rate=20000,
            load_seconds=0.2,
            capabilities=frozenset({"embedding"}),
            embedding_length=64,
        ),
        ModelSpec(
            name="sim-huge:400b",
            parameters=400_000_000_000,
            weights=230 * GB,
            context=4096,
            load_seconds=60,
        ),
    ),
)

SECOND = BackendSpec(
    name="sim-second",
    kind=BackendKind.VLLM,
    memory=8 * GB,
    alpha=0.1,
    overflow=Overflow.CRASH,
    restart_seconds=2,
    models=(
        ModelSpec(
            name="sim-small:1b",
            parameters=1_000_000_000,
            weights=2 * GB,
            context=4096,
            kv_bytes_per_token=32768,
            parallel=4,
            prefill_rate=3000,
            decode_rate=120,
            load_seconds=1,
            output_mean=60,
            capabilities=_CHAT | {"embedding"},
            embedding_length=64,
            resident=True,
        ),
    ),
)


def _replica(number: int) -> BackendSpec:
    return BackendSpec(
        name=f"sim-replica-{number}",
        kind=BackendKind.LLAMACPP,
        memory=4 * GB,
        alpha=0.01,
        overflow=Overflow.REFUSE,
        restart_seconds=2,
        jitter=0.1,
        models=(
            ModelSpec(
                name="sim-replica",
                parameters=1_000_000_000,
                weights=GB,
                context=4096,
                kv_bytes_per_token=8192,
                parallel=32,
                prefill_rate=1000,
                decode_rate=80,
                load_seconds=0.3,
                output_mean=1000,
                resident=True,
            ),
        ),
    )


# For the benchmarks: equals, so that nothing is gained by choosing the fastest, and one that is full at once.
REPLICAS = tuple(_replica(number) for number in range(1, 5))
_NARROW = _replica(0)
NARROW = msgspec.structs.replace(
    _NARROW,
    name="sim-narrow",
    alpha=0.0,
    models=(msgspec.structs.replace(_NARROW.models[0], name="sim-narrow", parallel=4),),
)

FLEETS: dict[str, tuple[BackendSpec, ...]] = {
    "demo": (WORKSTATION, LAPTOP, RACK, CLOUD, EDGE),
    "small": (SMALL,),
    "two": (SMALL, SECOND),
    "replicas": REPLICAS,
    "narrow": (NARROW,),
}
