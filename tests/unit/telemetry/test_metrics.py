"""Counters and their export in Prometheus' text format, read back by a strict reader."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.snapshot import (
    BackendView,
    BreakerView,
    ForesightView,
    MemoryView,
    ModelView,
    PoolView,
    Snapshot,
    Throughput,
    Totals,
)
from orchestra_core.telemetry.ended import Ended
from orchestra_core.telemetry.metrics import BOUNDS, Metrics, prometheus
from orchestra_core.telemetry.window import Latencies, Series

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
UNESCAPED = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def read_labels(text: str) -> tuple[tuple[str, str], ...]:
    labels: list[tuple[str, str]] = []
    while text:
        found = LABEL.match(text)
        assert found, text
        value = re.sub(r"\\[\\n\"]", lambda m: UNESCAPED[m.group()], found.group(2))
        labels.append((found.group(1), value))
        text = text[found.end() :]
        assert not text or text.startswith(",")
        text = text[1:]
    assert len(dict(labels)) == len(labels)
    return tuple(sorted(labels))


def read(page: bytes) -> tuple[Samples, dict[str, str]]:
    """Samples and the type of each family; asserts whatever the format demands."""
    text = page.decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in re.sub(LABEL, "", text)
    samples: Samples = {}
    types: dict[str, str] = {}
    helped: set[str] = set()
    family = ""
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in helped
            helped.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            assert kind in ("counter", "gauge", "histogram")
            types[name] = kind
        else:
            name_ = NAME.match(line)
            assert name_, line
            name, rest = name_.group(), line[name_.end() :]
            labels, _, value = rest.rpartition(" ")
            assert not labels or (labels[0] == "{" and labels[-1] == "}")
            key = (name, read_labels(labels[1:-1]))
            assert key not in samples
            suffixes = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
            assert name in {family + suffix for suffix in suffixes}
            samples[key] = float(value)
    return samples, types


def model(**facts: Any) -> ModelView:
    plain: dict[str, Any] = {
        "id": "box/m", "model": "m", "backend": "box", "residency": "ready", "status": "running",
        "circuit": "closed", "tier": "low", "context": 4096, "capabilities": (), "tasks": (), "slots": 2,
        "inflight": 1, "waiting": 3, "calls": 5, "failed": 0, "loadable": True,
    }  # fmt: skip
    return ModelView(**(plain | facts))


def snapshot(**facts: Any) -> Snapshot:
    plain: dict[str, Any] = {
        "sequence": 1, "now": "2026-01-01T00:00:00.000Z", "version": "1.0", "status": "healthy",
        "started": "2026-01-01T00:00:00.000Z", "uptime": 12.5, "pid": 1, "simulated": False, "address": "",
        "host": MemoryView(total=1000, used=400), "engine_memory": 77, "totals": Totals(),
        "throughput": Throughput(),
    }  # fmt: skip
    return Snapshot(**(plain | facts))


def record(metrics: Metrics, verdict: Verdict = Verdict.SUCCESS, **facts: Any) -> None:
    labels = (facts.get("model", "m"), "box", facts.get("task", "creative"), "openai", verdict.value)
    ended = Ended(metrics, Series(), Latencies(), Latencies())
    ended.add(
        (
            labels,
            100,
            10,
            20,
            facts.get("cost", 0.5),
            facts.get("seconds", 0.7),
            facts.get("first_token", 0.2),
        )
    )
    ended.count()


def totals(metrics: Metrics) -> Totals:
    series, latencies, first_tokens = Series(), Latencies(), Latencies()
    series.add(100, requests=4)
    for hundredth in range(1, 101):
        latencies.add(100.0, float(hundredth))
        first_tokens.add(100.0, hundredth / 100)
    return metrics.totals(
        100.0, inflight=1, waiting=2, series=series, latencies=latencies, first_tokens=first_tokens
    )


def test_totals_tell_success_failure_and_leaving_apart() -> None:
    """A client that left is neither; tokens and known costs of all are counted, and whose cost is not known."""
    metrics = Metrics()
    for verdict in (Verdict.SUCCESS, Verdict.SUCCESS, Verdict.FAILED, Verdict.REJECTED, Verdict.CANCELLED):
        record(metrics, verdict)
    record(metrics, model="other", cost=None)
    metrics.failed_over()
    found = totals(metrics)
    assert (found.requests, found.successful, found.failed, found.cancelled) == (6, 3, 2, 1)
    assert (found.tokens_in, found.tokens_out, found.cost, found.most_used) == (60, 120, 2.5, "m")
    assert found.cost_unknown == 1
    assert (found.inflight, found.waiting, found.failovers, found.requests_per_minute) == (1, 2, 1, 4.0)
    assert (found.average_seconds, found.p50, found.p95, found.p99) == pytest.approx(
        (50.5, 50.0, 95.0, 99.0), rel=0.03
    )
    assert (found.ttft_p50, found.ttft_p95) == pytest.approx((0.5, 0.95), rel=0.03)


def test_totals_of_nothing() -> None:
    """No requests, no favourite."""
    found = totals(Metrics())
    assert (found.requests, found.cost, found.most_used) == (0, 0.0, None)


def test_every_request_is_exported_under_its_labels() -> None:
    """Counts, tokens and cost by model, backend, task, surface and verdict."""
    metrics = Metrics()
    record(metrics)
    record(metrics, Verdict.TIMEOUT)
    samples, types = read(prometheus(snapshot(), metrics))
    labels = {"model": "m", "backend": "box", "task": "creative", "surface": "openai", "verdict": "success"}
    key = tuple(sorted(labels.items()))
    assert samples["orchestra_requests_total", key] == 1
    assert samples["orchestra_cost_total", key] == 0.5
    assert samples["orchestra_tokens_total", tuple(sorted([*labels.items(), ("direction", "out")]))] == 20
    assert types["orchestra_requests_total"] == "counter"


def test_an_unknown_cost_is_exported_as_a_number_of_requests() -> None:
    """Where no cost is known there is none at all, not a zero."""
    metrics = Metrics()
    record(metrics, cost=None)
    record(metrics, cost=0.0, task="analysis")
    samples, _ = read(prometheus(snapshot(), metrics))
    costs = {
        dict(labels)["task"]: value
        for (name, labels), value in samples.items()
        if name == "orchestra_cost_total"
    }
    unknown = {
        dict(labels)["task"]: value
        for (name, labels), value in samples.items()
        if name == "orchestra_cost_unknown_requests_total"
    }
    assert costs == {"analysis": 0.0}
    assert unknown == {"creative": 1.0, "analysis": 0.0}


def test_histograms_are_cumulative_and_complete() -> None:
    """Buckets never fall, the last is the count, and the sum is what was observed."""
    metrics = Metrics()
    durations = (0.05, 0.3, 7.0, 9999.0)
    for seconds in durations:
        record(metrics, seconds=seconds, first_token=None)
    record(metrics, task="analysis", seconds=1.0, first_token=None)
    record(metrics, Verdict.FAILED, seconds=50.0)
    samples, types = read(prometheus(snapshot(), metrics))
    name = "orchestra_request_duration_seconds"
    labels = (("backend", "box"), ("model", "m"))
    edges = [str(int(b)) if b == int(b) else str(b) for b in BOUNDS] + ["+Inf"]
    counts = [samples[f"{name}_bucket", tuple(sorted([*labels, ("le", edge)]))] for edge in edges]
    assert counts == [1, 1, 1, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5]
    assert samples[f"{name}_count", labels] == 5
    assert samples[f"{name}_sum", labels] == pytest.approx(sum(durations) + 1.0)
    assert types[name] == "histogram"
    assert not any(key[0].startswith("orchestra_first_token") for key in samples)


def test_the_state_of_everything_is_exported() -> None:
    """Gauges of engine, memory, endpoints, breakers and backends, where they are known."""
    page = prometheus(
        snapshot(
            loop_lag=0.3,
            loop_stalls=2,
            pools=(PoolView("host", 1000, 300, 500, used=400, pressure="warning"),),
            foresight=(ForesightView("m", 5, 4),),
            alerts=(
                AlertView("memory:host", "memory", "host", "critical", "firing", "", ""),
                AlertView("disk:state", "disk", "state", "warning", "resolving", "", ""),
                AlertView("disk:x", "disk", "x", "warning", "firing", "", "", silenced_until="later"),
                AlertView("disk:y", "disk", "y", "warning", "resolved", "", ""),
            ),
            cache=CacheView("memory", 2, 900, 1000, 9, 2, 5, 4, 3, 6, 7, 0.5),
            models=(model(), model(model="n", residency="absent", circuit="open", memory_bytes=9)),
            breakers=(BreakerView("box/m", "open", 1.0, 5, opened=2),),
            backends=(
                BackendView("box", "ollama", "", "up", False, 0, 2, 2, 1, latency=0.01, draining=True),
                BackendView("gpu", "vllm", "", "down", False, 0, 2, 0, 0, memory=MemoryView(50, 20)),
            ),
        ),
        Metrics(),
    )
    samples, _ = read(page)
    m, n = (("backend", "box"), ("model", "m")), (("backend", "box"), ("model", "n"))
    expected = {
        ("orchestra_info", (("version", "1.0"),)): 1,
        ("orchestra_uptime_seconds", ()): 12.5,
        ("orchestra_engine_memory_bytes", ()): 77,
        ("orchestra_failovers_total", ()): 0,
        ("orchestra_event_loop_lag_seconds", ()): 0.3,
        ("orchestra_event_loop_stalls_total", ()): 2,
        ("orchestra_alerts_firing", (("severity", "info"),)): 0,
        ("orchestra_alerts_firing", (("severity", "warning"),)): 1,
        ("orchestra_alerts_firing", (("severity", "critical"),)): 1,
        ("orchestra_pool_reserved_bytes", (("pool", "host"),)): 500,
        ("orchestra_pool_free_bytes", (("pool", "host"),)): 300,
        ("orchestra_pool_pressure", (("pool", "host"),)): 1,
        ("orchestra_preloads_total", (("model", "m"),)): 5,
        ("orchestra_preload_hits_total", (("model", "m"),)): 4,
        **{
            ("orchestra_cache_total", (("result", result),)): count
            for result, count in {"hit": 9, "shared": 2, "miss": 5, "kept": 4, "lost": 7}.items()
        },
        ("orchestra_cache_saved_total", ()): 0.5,
        ("orchestra_cache_dropped_total", (("reason", "room"),)): 3,
        ("orchestra_cache_dropped_total", (("reason", "age"),)): 6,
        ("orchestra_cache_bytes", ()): 900,
        ("orchestra_memory_bytes", (("pool", "host"),)): 1000,
        ("orchestra_memory_bytes", (("pool", "gpu"),)): 50,
        ("orchestra_memory_used_bytes", (("pool", "host"),)): 400,
        ("orchestra_memory_used_bytes", (("pool", "gpu"),)): 20,
        ("orchestra_inflight_requests", m): 1,
        ("orchestra_inflight_requests", n): 1,
        ("orchestra_waiting_requests", m): 3,
        ("orchestra_waiting_requests", n): 3,
        ("orchestra_slots", m): 2,
        ("orchestra_slots", n): 2,
        ("orchestra_model_ready", m): 1,
        ("orchestra_model_ready", n): 0,
        ("orchestra_circuit_open", m): 0,
        ("orchestra_circuit_open", n): 1,
        ("orchestra_model_memory_bytes", n): 9,
        ("orchestra_breaker_opened_total", (("endpoint", "box/m"),)): 2,
        ("orchestra_backend_up", (("backend", "box"), ("kind", "ollama"))): 1,
        ("orchestra_backend_up", (("backend", "gpu"), ("kind", "vllm"))): 0,
        ("orchestra_backend_draining", (("backend", "box"), ("kind", "ollama"))): 1,
        ("orchestra_backend_draining", (("backend", "gpu"), ("kind", "vllm"))): 0,
        ("orchestra_backend_probe_seconds", (("backend", "box"), ("kind", "ollama"))): 0.01,
    }
    assert samples == expected


@given(st.lists(st.text(max_size=20), unique=True, max_size=5))
def test_any_name_is_escaped(names: list[str]) -> None:
    """Quotes, backslashes and line breaks in names come back as they went in."""
    metrics = Metrics()
    for name in names:
        record(metrics, model=name)
    samples, _ = read(prometheus(snapshot(), metrics))
    found = {dict(labels)["model"] for name, labels in samples if name == "orchestra_requests_total"}
    assert found == set(names)


def test_names_without_end_are_counted_together() -> None:
    """Labels are bounded: what is beyond the limit is counted as other, and nothing is lost."""
    metrics = Metrics()
    for number in range(6000):
        record(metrics, model=f"m{number}")
    cells = dict(metrics.cells())
    assert len(cells) == 5001
    assert sum(cell.requests for cell in cells.values()) == 6000
    assert cells["other", "other", "creative", "openai", "success"].requests == 1000
