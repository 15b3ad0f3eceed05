"""Why a model may not be loaded, in words with numbers."""

from orchestra_core.domain.memory import Basis, Need
from orchestra_core.residency.room import GIB, Room


def gib(size: int) -> str:
    return f"{size / GIB:.1f}"


def need_words(need: Need) -> str:
    """`9.1 GiB (weights 8.2, cache 0.6, working 0.3; x1.10)`."""
    parts = [
        f"{name} {gib(size)}"
        for name, size in (
            ("weights", need.weights),
            ("cache", need.cache),
            ("working", need.working),
            ("growth", need.growth),
        )
        if size
    ]
    if need.basis is Basis.MEASURED:
        return f"{gib(need.bytes)} GiB (as measured before)"
    if not parts:
        return f"{gib(need.bytes)} GiB"
    return f"{gib(need.bytes)} GiB ({', '.join(parts)}; x{need.factor:.2f})"


def room_words(name: str, room: Room) -> str:
    """`host has 3.2 GiB free of 16.0: 10.1 reserved, 1.4 used by others, 1.3 kept free`."""
    parts = [f"{gib(room.reserved)} reserved"]
    if room.used is not None:
        parts += [f"{gib(room.foreign)} used by others", f"{gib(room.headroom)} kept free"]
    return f"{name} has {gib(room.free)} GiB free of {gib(room.total)}: {', '.join(parts)}"


def quota_words(backend: str) -> str:
    return f"the quota of {backend} is taken by models that may not be evicted"


def no_gpu_words(device: str, backend: str) -> str:
    """Why nothing is known of a GPU that an operator has named, and what to do."""
    return (
        f"no {device} is seen here, so its memory is not known: for a GPU of NVIDIA pip install 'ai-orchestra[gpu]', "
        f'for any other take `device` of {backend} out of [[backends]] and set memory = "24GB" there'
    )


def unread_words(device: str) -> str:
    """What is done while nobody knows how much of a GPU is used, and by whom."""
    return (
        f"the memory of {device} cannot be read any more, so loads there go by what is reserved alone; "
        "if it stays so, look at nvidia-smi: after an update of the driver the machine has to be restarted"
    )
