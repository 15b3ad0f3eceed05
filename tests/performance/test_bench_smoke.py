"""The benchmark's own parts: they must count right, or every published number is wrong. No timings here."""

import pytest

from benchmarks.environments import InstallError, provide, refuse_compromised
from benchmarks.load import EventCounter, LoadResult, LoadSpec
from benchmarks.measure import Results, Sample, Settings, judge, sample
from benchmarks.processes import held, load, stub
from benchmarks.report import markdown
from benchmarks.stub import MODEL
from benchmarks.system import Cores, divide
from benchmarks.targets import body

CORES = divide()
APART = Cores(target=0, stub=1, load=1)


def measured(port: int, pid: int, text: str, *, connections: int = 8, streaming: bool = False) -> LoadResult:
    return load(
        LoadSpec(
            port=port,
            body=text,
            connections=connections,
            warmup=0.05,
            seconds=0.3,
            watch={"target": pid, "stub": pid},
            streaming=streaming,
        ),
        CORES.load,
    )


def test_every_request_sent_is_answered_once() -> None:
    """Nothing is lost between generator and stub, at one connection and at several."""
    with stub(CORES.stub) as (pid, port):
        for connections in (1, 8):
            result = measured(port, pid, body(MODEL), connections=connections)
            assert result.failed == 0, result.first_error
            assert result.sent == result.answered_total > 0
            assert 0 < result.answered <= result.answered_total
            assert result.cpu["stub"] > 0
            assert 0 < result.p50 <= result.p99


def test_streams_are_counted_by_their_events() -> None:
    """A stream of 16 chunks has 19 events: the chunks, the finish, the usage and the end."""
    with stub(CORES.stub) as (pid, port):
        text = body(MODEL, stream=True, chunks=16)
        result = measured(port, pid, text, connections=4, streaming=True)
        assert result.failed == 0, result.first_error
        assert result.sent == result.answered_total > 0
        assert result.events_total == 19 * result.answered_total
        with held(
            LoadSpec(port=port, body=text, connections=3, hold=True, streaming=True), CORES.load
        ) as begun:
            assert begun.sent == 3


@pytest.mark.parametrize("size", range(1, 20))
def test_events_are_counted_once_however_they_are_cut(size: int) -> None:
    """Pieces of any size give the same number: the start of an event may lie across two of them."""
    text = b'data: {"a":1}\n\n' * 5 + b"data: [DONE]\n\n"
    counter = EventCounter()
    assert sum(counter.feed(text[at : at + size]) for at in range(0, len(text), size)) == 6
    assert counter.end.endswith(b"[DONE]\n\n")


def test_a_window_lasts_until_every_connection_was_answered_twice() -> None:
    """A window of no time at all still measures two answers for each connection."""
    with stub(CORES.stub) as (_, port):
        spec = LoadSpec(port=port, body=body(MODEL), connections=64, warmup=0.0, seconds=0.0)
        result = load(spec, CORES.load)
        assert result.answered >= 2 * 64
        assert result.sent == result.answered_total


def test_wrong_answers_are_failures_not_throughput() -> None:
    """A 404 counts as failed and its text is kept."""
    with stub(CORES.stub) as (pid, port):
        spec = LoadSpec(
            port=port, body=body(MODEL), connections=2, warmup=0.0, seconds=0.1, path="/v1/nothing"
        )
        result = load(spec, CORES.load)
        assert result.failed == result.answered_total > 0
        assert "404" in result.first_error
        assert pid > 0


def result_with(target: float, helper: float, generator: float) -> LoadResult:
    return LoadResult(seconds=1.0, answered=1000, load_cpu=generator, cpu={"target": target, "stub": helper})


@pytest.mark.parametrize(
    ("target", "helper", "generator", "cores", "void"),
    [
        (0.98, 0.5, 0.48, APART, False),
        (0.60, 0.5, 0.48, APART, True),
        (0.60, 0.3, 0.3, APART, False),
        (0.60, 0.5, 0.48, Cores(0, 1, 2), False),
        (0.60, 0.95, 0.48, Cores(0, 1, 2), True),
        (0.60, 0.5, 0.95, Cores(0, 1, 2), True),
    ],
)
def test_a_run_limited_by_its_helpers_is_void(
    target: float, helper: float, generator: float, cores: Cores, void: bool
) -> None:
    """On a shared core the stub and the generator count together, on cores of their own each by itself."""
    spec = LoadSpec(port=1, body="", connections=1, watch={"target": 1, "stub": 2})
    assert judge(spec, result_with(target, helper, generator), cores)[0] is void


def test_cpu_is_divided_by_requests_or_by_chunks() -> None:
    """50 ms of CPU over 1,000 requests are 50 µs each; over 5,000 chunks 10 µs each."""
    result = LoadResult(seconds=1.0, answered=1000, events=5000, cpu={"target": 0.05, "stub": 0.01})
    spec = LoadSpec(port=1, body="", connections=1, watch={"target": 1, "stub": 2})
    streams = LoadSpec(port=1, body="", connections=1, watch={"target": 1, "stub": 2}, streaming=True)
    assert sample("t", "s", spec, result, APART).cpu_us == pytest.approx(50)
    assert sample("t", "s", streams, result, APART).cpu_us == pytest.approx(10)


def test_the_compromised_release_is_refused_by_name() -> None:
    """LiteLLM 1.107.0 is neither installed nor started, however it is asked for."""
    for name in ("litellm", "litellm[proxy]"):
        with pytest.raises(InstallError, match=r"1\.107\.0 is a compromised release"):
            provide(name, "1.107.0")
    refuse_compromised("litellm", "1.100.0")


def test_the_page_names_the_machine_by_cores_and_memory_only() -> None:
    """Targets, scenarios and void marks appear; reasons with paths in them do not."""
    one = Sample(
        target="nginx",
        scenario="32 connections",
        per_second=1234.0,
        p50_ms=1.0,
        p99_ms=2.0,
        cpu_us=20.0,
        target_load=0.5,
        stub_load=0.5,
        load_load=0.5,
        others_load=0.0,
        events_per_read=0.0,
        failed=0,
        first_error="",
        void=True,
    )
    results = Results(Settings(), APART, samples=[one], skipped={"LiteLLM": "/some/path/failed"})
    page = markdown(results, "2030-01-02")
    assert "| nginx | 20 | 1,234† | 1.00 | 2.00 | 0.50 |" in page
    assert "2030-01-02" in page
    assert "GiB of memory" in page
    assert "/some/path" not in page
