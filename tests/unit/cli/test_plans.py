"""Plans in words, for a terminal of 80 columns."""

import pytest

from orchestra_core.cli.plans import told
from orchestra_core.domain.memory import Basis, Need
from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.result import Plan

GIB = 2**30
NEED = Need(
    bytes=int(10.51 * GIB),
    weights=int(8.2 * GIB),
    cache=int(0.6 * GIB),
    working=int(0.3 * GIB),
    growth=GIB // 2,
    factor=1.1,
    basis=Basis.METADATA,
    error=0.04,
)
EVICTING = Plan(
    evicts=("box1/llama3.2:3b", "box1/somebody/a-very-long-name-of-a-model:70b-instruct-q4_K_M", "box1/x"),
    frees_bytes=int(4.1 * GIB),
    needs_bytes=NEED.bytes,
    fits=True,
    expected_seconds=6.2,
    expected_basis="measured",
    need=NEED,
    pool="host",
    total_bytes=16 * GIB,
    free_bytes=int(3.2 * GIB),
    reserved_bytes=int(10.1 * GIB),
    foreign_bytes=int(1.4 * GIB),
    headroom_bytes=int(1.3 * GIB),
    waiting=2,
)


def test_a_load_that_evicts_is_told_with_its_arithmetic() -> None:
    """What it needs and why, what there is, what goes, how long, who waits, what it comes to."""
    assert told("load", EVICTING) == [
        "  needs     10.5 GiB = (weights 8.2 + cache 0.6 + working 0.3) x 1.10 + 0.5 kept",
        "            for conversations, from metadata",
        "            predictions for this kind of backend are off by 4% on average",
        "  free      3.2 GiB of 16.0 in host (10.1 reserved, 1.4 others, 1.3 kept free)",
        "  evicts    box1/llama3.2:3b,",
        "            box1/somebody/a-very-long-name-of-a-model:70b-instruct-q4_K_M,",
        "            box1/x, which frees 4.1 GiB",
        "  takes     about 6 s, as it took last time",
        "  waiting   2 requests wait for it",
        "  verdict   fits when that is evicted",
    ]


def test_a_need_that_is_not_its_sum_says_why() -> None:
    """More than the pool has is not reserved; of what was measured a part may be kept for conversations."""
    limited = Need(4 * GIB, 3 * GIB, factor=1.5, basis=Basis.METADATA)
    assert told("load", Plan(needs_bytes=limited.bytes, need=limited))[0] == (
        "  needs     4.0 GiB, all there is; reckoned: weights 3.0 x 1.50, from metadata"
    )
    measured = Need(4 * GIB, 3 * GIB, growth=GIB, basis=Basis.MEASURED)
    assert told("load", Plan(needs_bytes=measured.bytes, need=measured))[:2] == [
        "  needs     4.0 GiB, as measured before in this size, 1.0 GiB of it kept for",
        "            conversations",
    ]


def test_what_is_not_known_is_not_told() -> None:
    """A plan of nothing but a size has no pool, no seconds, and says that nobody knows."""
    assert told("load", Plan(needs_bytes=3 * 10**8)) == [
        "  needs     286 MiB",
        "  verdict   nobody knows whether it fits: the memory there is not known",
    ]
    assert told("unload", Plan()) == ["  frees     an unknown amount"]


def test_a_measured_need_has_no_sum_that_would_not_add_up() -> None:
    """What was measured is not weights times a factor; the seconds of a first load are an estimate."""
    need = Need(3 * GIB, 2 * GIB, GIB, factor=1.02, basis=Basis.MEASURED)
    assert told(
        "load", Plan(needs_bytes=need.bytes, need=need, fits=True, expected_seconds=4, expected_basis="prior")
    ) == [
        "  needs     3.0 GiB, as measured before in this size",
        "  takes     about 4 s, estimated from its size",
        "  verdict   fits",
    ]


@pytest.mark.parametrize(
    ("plan", "outlooks", "last"),
    [
        (Plan(fits=True), Outlook.FITS, "fits"),
        (Plan(fits=True, evicts=("a/b",)), Outlook.EVICTS, "fits when that is evicted"),
        (
            Plan(fits=True, waits_for=("a/b",), code="busy", reason="a/b is busy"),
            Outlook.WAITS,
            "fits later: a/b is busy",
        ),
        (Plan(fits=True, waits_for=("a/b",)), Outlook.WAITS, "fits later: that must have gone first"),
        (
            Plan(fits=True, code="pressure", reason="host is full"),
            Outlook.WAITS,
            "fits later: host is full",
        ),
        (Plan(fits=False), Outlook.REFUSED, "no: it does not fit"),
        (
            Plan(fits=False, code="too_large", reason="24.0 GiB is all"),
            Outlook.REFUSED,
            "no: 24.0 GiB is all",
        ),
        (
            Plan(fits=False, code="setback", reason="its last load failed", retry_after=12.2),
            Outlook.REFUSED,
            "not now: its last load failed",
        ),
        (Plan(), Outlook.UNKNOWN, "nobody knows whether it fits: the memory there is not known"),
    ],
)
def test_a_plan_comes_to_one_word(plan: Plan, outlooks: Outlook, last: str) -> None:
    """The verdict says whether it is done at once, after others, later, or not at all."""
    assert outlook(plan) is outlooks
    assert told("load", plan)[-1] == f"  verdict   {last}"


def test_an_unload_tells_why_not() -> None:
    """A busy model's plan has the engine's words, or else what can be done."""
    plan = Plan(frees_bytes=5 * GIB, code="busy", reason="3 requests are running")
    assert told("unload", plan) == ["  frees     5.0 GiB", "  busy      3 requests are running"]
    assert told("unload", Plan(frees_bytes=GIB, waits_for=("a/b",)))[1:] == [
        "  busy      it answers requests: --drain SECONDS lets them finish, --force ends",
        "            them",
    ]
