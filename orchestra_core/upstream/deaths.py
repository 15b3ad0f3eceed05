"""Whether a model server died for want of memory, as far as anybody can tell.

The kernel counts the processes it killed for that (`oom_kill` of /proc/vmstat, memory cgroups included); its own log
often cannot be read. Where it counts nothing, a SIGKILL that was not ours is taken for such a death.
"""

import re
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

OUT_OF_MEMORY = "out_of_memory"
# C++, llama.cpp (host and GPU), Ollama, Python, libc.
_WORDS = re.compile(
    r"bad_alloc|failed to allocate|unable to allocate|out of memory|outofdevicememory|memoryerror"
    r"|cannot allocate memory|requires more (?:system|gpu|video) memory",
    re.IGNORECASE,
)
_VMSTAT = Path("/proc/vmstat")


def speaks_of_memory(lines: Iterable[str]) -> bool:
    """Whether a server's own words say that it could not get memory."""
    return any(_WORDS.search(line) for line in lines)


def kills(vmstat: Path = _VMSTAT) -> int | None:
    """How many processes the kernel has killed for want of memory; None where it does not say."""
    try:
        text = vmstat.read_text()
    except OSError:
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def is_out_of_memory(status: int, lines: Iterable[str], before: int | None, after: int | None) -> bool:
    """`status` as of a process we did not kill; `before` and `after` its life what `kills` said."""
    if status == -signal.SIGKILL and (before is None or after is None or after > before):
        return True
    return status != 0 and speaks_of_memory(lines)


def describe_exit(status: int, *, exhausted: bool = False) -> str:
    """An exit status in words; `exhausted`: it was for want of memory."""
    how = f"by signal {-status}{_named(-status)}" if status < 0 else f"with status {status}"
    if exhausted:
        return f"the server ran out of memory and ended {how}"
    return f"the server was ended {how}" if status < 0 else f"the server exited {how}"


def describe_death(status: int, lines: Sequence[str], *, exhausted: bool) -> str:
    """The same with what its log ends with. Whom SIGKILL took had no last word, only whatever it said before."""
    how = describe_exit(status, exhausted=exhausted)
    if status == -signal.SIGKILL:
        return how
    return f"{how}; its log ends: {lines[-1]}" if lines else f"{how} and wrote nothing"


def _named(number: int) -> str:
    try:
        return f" ({signal.Signals(number).name})"
    except ValueError:
        return ""  # a real-time signal
