"""How much memory there is to put models into: the host's, or less where a cgroup allows less.

Parsing is pure and takes texts; `HostMemory` reads them. Sources: cgroups(7), the kernel's
admin-guide/cgroup-v1/memory.rst and admin-guide/cgroup-v2.rst, accounting/psi.rst for pressure. Where CPU and GPU
share their memory (Apple, Jetson, GB10) this is the pool of both.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import msgspec
import psutil

from orchestra_core.domain.snapshot import MemoryView

# v1 has no word for "no limit": it shows the largest multiple of the page size below 2^63.
_NO_LIMIT = 1 << 62
# Version: the files of a group with its limit and its use, and the entry of memory.stat that could be freed.
_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
_PRESSURE = "/proc/pressure/memory"
_SOME = re.compile(r"^some avg10=(\d+\.\d+)", re.MULTILINE)
Read = Callable[[str], str | None]


class Group(msgspec.Struct, frozen=True):
    """One cgroup's directory and the version of its files."""

    directory: str
    version: int


class Bound(msgspec.Struct, frozen=True):
    """A limit in bytes, and what counts against it that the kernel could not free at once."""

    limit: int
    used: int


def memory_groups(cgroups: str, mounts: str) -> list[Group]:
    """The memory cgroups this process is in, innermost first, each followed by its ancestors.

    `cgroups` is /proc/self/cgroup and `mounts` /proc/self/mountinfo. In a container the path may lie outside
    of what is mounted; then the mount's root is the container's own group.
    """
    found: list[Group] = []
    paths = {version: path for version, path in map(_membership, cgroups.splitlines()) if version}
    for line in mounts.splitlines():
        version, root, point = _mount(line)
        if version in paths:
            found += [Group(place, version) for place in _ancestry(point, root, paths[version])]
    return found


def _membership(line: str) -> tuple[int, str]:
    number, controllers, path = ([*line.split(":", 2), "", ""])[:3]
    if number == "0" and not controllers:
        return 2, path
    return (1, path) if "memory" in controllers.split(",") else (0, "")


def _mount(line: str) -> tuple[int, str, str]:
    """Version (0: no mount of memory cgroups), root within the hierarchy, and mount point."""
    before, _, after = line.partition(" - ")
    fields, kind = before.split(), after.split()
    if len(fields) < 5 or len(kind) < 3:
        return 0, "", ""
    if kind[0] == "cgroup2":
        return 2, fields[3], fields[4]
    if kind[0] == "cgroup" and "memory" in kind[2].split(","):
        return 1, fields[3], fields[4]
    return 0, "", ""


def _ancestry(point: str, root: str, path: str) -> list[str]:
    try:
        inside = PurePosixPath(path).relative_to(root)
    except ValueError:
        inside = PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    whole = PurePosixPath(point) / inside
    return [str(whole), *(str(above) for above in whole.parents if above.is_relative_to(point))]


def read_bound(group: Group, read: Read) -> Bound | None:
    """A group's limit and use; None where it has none. `read` returns a file's text or None.

    Page cache that was not used lately (`inactive_file`) is left out: the kernel gives it back on demand.
    """
    limit_file, usage_file, key = _FILES[group.version]
    limit, usage = (_amount(read(f"{group.directory}/{name}")) for name in (limit_file, usage_file))
    if limit is None or limit >= _NO_LIMIT or usage is None:
        return None
    statistics = read(f"{group.directory}/memory.stat") or ""
    return Bound(limit, max(0, usage - _statistic(statistics, key)))


def _amount(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:  # the word "max"
        return None


def _statistic(text: str, key: str) -> int:
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return _amount(value) or 0
    return 0


def stalled(texts: Sequence[str | None]) -> float | None:
    """The worst share, 0..1, of the last ten seconds in which some process waited for memory, of texts in PSI's format.

    None where none of them can be read: the kernel was built or started without it.
    """
    shares = [float(found[1]) / 100 for text in texts if text and (found := _SOME.search(text))]
    return max(shares, default=None)


def tightest(total: int, available: int, bounds: Sequence[Bound]) -> tuple[int, int, str]:
    """Total, used and source of what leaves least room: `total - used` never exceeds any bound's rest.

    `total` and `available` are the host's. Limits above the host's memory do not bind.
    """
    limits = [bound for bound in bounds if bound.limit < total]
    if not limits:
        return total, total - available, "host"
    room = min(available, *(bound.limit - bound.used for bound in limits))
    limit = min(bound.limit for bound in limits)
    return limit, limit - max(0, min(room, limit)), "cgroup"


class HostMemory:
    """The memory of the machine as of the last `sample`; `view` costs nothing.

    `warning` and `critical` are shares of the total. `ours` of the view is 0: who knows the models fills it.
    """

    def __init__(self, warning: float = 0.70, critical: float = 0.90) -> None:
        self._thresholds = (warning, critical)
        self._groups = memory_groups(_text("/proc/self/cgroup") or "", _text("/proc/self/mountinfo") or "")
        inner = [f"{group.directory}/memory.pressure" for group in self._groups[:1] if group.version == 2]
        self._pressures = [path for path in (_PRESSURE, *inner) if _text(path) is not None]
        self._process = psutil.Process()
        self._own = 0
        self._view = self.sample()

    def alert_at(self, warning: float, critical: float) -> None:
        """New thresholds, in effect with the next sample."""
        self._thresholds = (warning, critical)

    def sample(self) -> MemoryView:
        """Reads the memory now: some small files, well below a millisecond."""
        host = psutil.virtual_memory()
        bounds = [bound for group in self._groups if (bound := read_bound(group, _text)) is not None]
        total, used, source = tightest(host.total, host.available, bounds)
        warning, critical = self._thresholds
        self._own = int(self._process.memory_info().rss)
        self._view = MemoryView(
            total=total,
            used=used,
            warning=warning,
            critical=critical,
            source=source,
            stalled=stalled([_text(path) for path in self._pressures]),
        )
        return self._view

    def view(self) -> MemoryView:
        """The last sample."""
        return self._view

    def own(self) -> int:
        """Resident bytes of the engine's own process at the last sample."""
        return self._own


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None
