"""What the texts of /proc and of the cgroup filesystems say about memory."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.background.memory import (
    Bound,
    Group,
    HostMemory,
    memory_groups,
    read_bound,
    stalled,
    tightest,
)

GIB = 1024**3
V2_MOUNT = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
V1_OTHERS = (
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n31 23 0:28 / /tmp rw - tmpfs tmpfs rw\n"
)
AMOUNTS = st.integers(0, 1 << 50)


def test_v2_group_with_its_ancestors() -> None:
    """A process's own v2 group comes first, then every group above it up to the mount."""
    found = memory_groups("0::/user.slice/app.scope\n", V2_MOUNT)
    assert [group.directory for group in found] == [
        "/sys/fs/cgroup/user.slice/app.scope",
        "/sys/fs/cgroup/user.slice",
        "/sys/fs/cgroup",
    ]
    assert {group.version for group in found} == {2}


def test_v1_group_is_found_by_its_controller() -> None:
    """Under v1 only the hierarchy with the memory controller counts, wherever it is mounted."""
    cgroups = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n1:cpu:/elsewhere\n"
    assert memory_groups(cgroups, V1_OTHERS + V1_MOUNT) == [
        Group("/sys/fs/cgroup/memory/docker/abc", 1),
        Group("/sys/fs/cgroup/memory/docker", 1),
        Group("/sys/fs/cgroup/memory", 1),
    ]


def test_container_sees_its_own_group_at_the_mount() -> None:
    """In a container whose mount starts at its own group, that group is the mount point."""
    mount = V1_MOUNT.replace("0:32 / ", "0:32 /docker/abc ")
    assert memory_groups("4:memory:/docker/abc\n", mount) == [Group("/sys/fs/cgroup/memory", 1)]


def test_path_outside_of_the_mount_falls_back_to_the_mount() -> None:
    """A group outside of what is mounted, as in a nested namespace, is read at the mount point."""
    assert memory_groups("0::/../../sibling\n", V2_MOUNT) == [Group("/sys/fs/cgroup", 2)]
    mount = V1_MOUNT.replace("0:32 / ", "0:32 /docker/abc ")
    assert memory_groups("4:memory:/other\n", mount) == [Group("/sys/fs/cgroup/memory", 1)]


def test_no_cgroups_at_all() -> None:
    """Without cgroups, as on macOS, there is nothing to read."""
    assert memory_groups("", "") == []


def test_v2_limit_and_use() -> None:
    """Use does not count page cache the kernel would give back at once."""
    files = {
        "/g/memory.max": f"{4 * GIB}\n",
        "/g/memory.current": f"{3 * GIB}\n",
        "/g/memory.stat": f"anon 12\nfile 34\ninactive_file {GIB}\nactive_file 5\n",
    }
    assert read_bound(Group("/g", 2), files.get) == Bound(4 * GIB, 2 * GIB)


def test_v1_limit_and_use() -> None:
    """The v1 names are read, and the statistics of the whole subtree."""
    files = {
        "/g/memory.limit_in_bytes": f"{2 * GIB}\n",
        "/g/memory.usage_in_bytes": f"{GIB}\n",
        "/g/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 2}\n",
    }
    assert read_bound(Group("/g", 1), files.get) == Bound(2 * GIB, GIB // 2)


def test_no_limit_is_no_bound() -> None:
    """v2 says `max`, v1 a number near 2^63, and the root group has no files: none of them bind."""
    assert read_bound(Group("/g", 2), {"/g/memory.max": "max\n", "/g/memory.current": "5\n"}.get) is None
    unlimited = {"/g/memory.limit_in_bytes": "9223372036854771712\n", "/g/memory.usage_in_bytes": "5\n"}
    assert read_bound(Group("/g", 1), unlimited.get) is None
    assert read_bound(Group("/g", 2), {}.get) is None


def test_damaged_files_are_no_bound() -> None:
    """Texts that are not numbers are ignored rather than guessed at."""
    assert read_bound(Group("/g", 2), {"/g/memory.max": "4096\n", "/g/memory.current": "?\n"}.get) is None
    files = {"/g/memory.max": "4096\n", "/g/memory.current": "96\n", "/g/memory.stat": "inactive_file\nx"}
    assert read_bound(Group("/g", 2), files.get) == Bound(4096, 96)


def test_host_counts_without_limits() -> None:
    """Without a limit, or with one above the host's memory, the host's figures are the answer."""
    assert tightest(8 * GIB, 6 * GIB, []) == (8 * GIB, 2 * GIB, "host")
    assert tightest(8 * GIB, 6 * GIB, [Bound(64 * GIB, GIB)]) == (8 * GIB, 2 * GIB, "host")


def test_limit_in_force_is_the_tightest() -> None:
    """The smallest limit is the total; an ancestor that is nearly full leaves less room than it says."""
    own, above = Bound(2 * GIB, GIB), Bound(4 * GIB, 4 * GIB - 1000)
    assert tightest(8 * GIB, 6 * GIB, [own]) == (2 * GIB, GIB, "cgroup")
    assert tightest(8 * GIB, 6 * GIB, [own, above]) == (2 * GIB, 2 * GIB - 1000, "cgroup")


def test_full_host_counts_within_a_limit() -> None:
    """A limit promises nothing: if the host has less left than the limit allows, that is what is free."""
    assert tightest(8 * GIB, 1000, [Bound(2 * GIB, 0)]) == (2 * GIB, 2 * GIB - 1000, "cgroup")


@given(AMOUNTS, AMOUNTS, st.lists(st.builds(Bound, AMOUNTS, AMOUNTS), max_size=4))
def test_free_memory_is_never_overstated(total: int, available: int, bounds: list[Bound]) -> None:
    """What looks free is really there: on the host, and under every limit that binds."""
    available = min(available, total)
    seen, used, _ = tightest(total, available, bounds)
    assert 0 <= used <= seen <= total
    assert seen - used <= available
    for bound in bounds:
        if bound.limit < total:
            assert seen - used <= max(0, bound.limit - bound.used)


PSI = """some avg10={} avg60=0.50 avg300=0.10 total=1090
full avg10=0.00 avg60=0.00 avg300=0.00 total=823
"""


def test_pressure_is_the_worst_of_machine_and_group() -> None:
    """The share of ten seconds in which somebody waited; what cannot be read or understood does not count."""
    assert stalled([PSI.format("12.50"), PSI.format("40.00"), None, "nonsense"]) == 0.4
    assert stalled([PSI.format("0.00")]) == 0.0
    assert stalled([None, ""]) is None


def test_this_machine_can_be_read() -> None:
    """A sample has a total, a use below it, and a share of stalls where the kernel tells one."""
    view = HostMemory().sample()
    assert 0 < view.used < view.total
    assert view.stalled is None or 0 <= view.stalled <= 1
