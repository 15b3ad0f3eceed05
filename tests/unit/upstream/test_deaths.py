"""Which deaths of model servers were for want of memory."""

import signal
from pathlib import Path

import pytest

from orchestra_core.upstream.deaths import describe_death, is_out_of_memory, kills, speaks_of_memory

KILLED, ENDED, ABORTED = -signal.SIGKILL, -signal.SIGTERM, -signal.SIGABRT


@pytest.mark.parametrize(
    ("status", "lines", "before", "after", "exhausted"),
    [
        (KILLED, [], 3, 4, True),
        (KILLED, [], 3, 3, False),  # somebody else killed it
        (KILLED, [], None, None, True),  # nobody counts: nothing else is likely
        (ENDED, [], 3, 4, False),
        (1, ["error: unknown model architecture"], 3, 4, False),
        (0, ["std::bad_alloc"], 3, 3, False),
        (ABORTED, ["terminate called after throwing an instance of 'std::bad_alloc'"], 3, 3, True),
        (
            1,
            ["ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 4096"],
            3,
            3,
            True,
        ),
        (1, ["ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory"], 3, 3, True),
        (1, ["vk::Device::allocateMemory: ErrorOutOfDeviceMemory"], 3, 3, True),
        (1, ["OSError: [Errno 12] Cannot allocate memory"], 3, 3, True),
    ],
)
def test_a_death_is_told_by_signal_counter_and_last_words(
    status: int, lines: list[str], before: int | None, after: int | None, exhausted: bool
) -> None:
    """A kill counts if the kernel counted one meanwhile, any other failure if the log says so."""
    assert is_out_of_memory(status, lines, before, after) is exhausted


def test_ollamas_refusal_speaks_of_memory() -> None:
    """Ollama refuses a model that does not fit in these words; other refusals are not about memory."""
    assert speaks_of_memory(["model requires more system memory (9.9 GiB) than is available (4.0 GiB)"])
    assert not speaks_of_memory(["model 'x' not found, try pulling it first"])


def test_the_kernels_count_is_read_where_there_is_one(tmp_path: Path) -> None:
    """`oom_kill` of vmstat; None on a kernel without it and where there is no such file."""
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 12\noom_kill 7\noom_kill_other 9\n")
    assert kills(vmstat) == 7
    vmstat.write_text("nr_free_pages 12\n")
    assert kills(vmstat) is None
    assert kills(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("status", "lines", "exhausted", "words"),
    [
        (KILLED, ["a warning of long ago"], False, "the server was ended by signal 9 (SIGKILL)"),
        (KILLED, [], True, "the server ran out of memory and ended by signal 9 (SIGKILL)"),
        (
            ABORTED,
            ["one", "GGML_ASSERT(x) failed"],
            False,
            "the server was ended by signal 6 (SIGABRT); its log ends: GGML_ASSERT(x) failed",
        ),
        (3, ["no GPU"], False, "the server exited with status 3; its log ends: no GPU"),
        (
            -signal.SIGRTMIN - 1,
            [],
            False,
            f"the server was ended by signal {signal.SIGRTMIN + 1} and wrote nothing",
        ),
    ],
)
def test_a_death_is_told_by_its_signal_and_its_last_line(
    status: int, lines: list[str], exhausted: bool, words: str
) -> None:
    """Of a server that was killed no line is quoted: what it happened to say before is not the reason."""
    assert describe_death(status, lines, exhausted=exhausted) == words
