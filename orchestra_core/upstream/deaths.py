"""Whether a model server died for want of memory, as far as anybody can tell.

The kernel counts the processes it killed for that (`oom_kill` of /proc/vmstat, memory cgroups included); its own log
often cannot be read. Where it counts nothing, a SIGKILL that was not ours is taken for such a death.
"""

import re
import signal
from collections.abc import Iterable
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
