"""Fault schedules: pure, seeded, the same in every process, and refused clearly when they make no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.simulation.faults import BadMix, FaultMix, Ingredient, plan, read_mix
from orchestra_core.simulation.fleet import REPLICAS
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import Done, Failed, FaultKind, InjectedFault, Request, Why

MIX = FaultMix(
    well_seconds=10.0,
    first_after=2.0,
    faults=(
        Ingredient(kind=FaultKind.CRASH, seconds=(1, 4)),
        Ingredient(kind=FaultKind.CUT, seconds=(2, 5), weight=3, probability=0.3, anywhere=True),
    ),
)
TEXT = """
note = "of the file's owner"
[schedule]
well_seconds = 30
faults = [{ kind = "hang", seconds = [3, 6] }, { kind = "slow", seconds = [2, 2], factor = 10, weight = 0.5 }]
"""


@given(st.integers(0, 10**6), st.floats(0, 500))
def test_faults_follow_each_other_in_time(seed: int, until: float) -> None:
    """None begins before the quiet start, after the end, or while another lasts; durations are as declared."""
    free = MIX.first_after
    for one in plan(MIX, "box", seed, until):
        assert free <= one.at < until
        assert one.fault.seconds is not None
        low, high = next(each.seconds for each in MIX.faults if each.kind is one.fault.kind)
        assert low <= one.fault.seconds <= high
        free = one.at + one.fault.seconds


def test_the_plan_depends_on_seed_and_name_alone() -> None:
    """The same again for both, another for another of either, and a longer one begins like the shorter."""
    plans = [plan(MIX, name, seed, 300) for name in ("box", "other") for seed in (1, 2)]
    assert plan(MIX, "box", 1, 300) == plans[0]
    assert len(set(plans)) == 4
    assert plan(MIX, "box", 1, 100) == tuple(one for one in plans[0] if one.at < 100)


def test_shares_and_rates_are_as_declared() -> None:
    """Over a long time, kinds come by weight, and the time between faults has its declared mean."""
    faults = plan(MIX, "box", 5, 200_000)
    cuts = sum(one.fault.kind is FaultKind.CUT for one in faults) / len(faults)
    assert cuts == pytest.approx(0.75, abs=0.02)
    busy = sum(one.fault.seconds or 0.0 for one in faults)
    assert (200_000 - busy) / len(faults) == pytest.approx(MIX.well_seconds, rel=0.05)


def test_a_file_is_read_with_everything_that_is_not_its_schedule() -> None:
    """The table `[schedule]` counts, what stands beside it is somebody else's."""
    mix = read_mix(TEXT)
    assert [(one.kind, one.weight) for one in mix.faults] == [(FaultKind.HANG, 1.0), (FaultKind.SLOW, 0.5)]
    assert read_mix(TEXT.partition("[schedule]")[2]) == mix


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"hang"', '"hung"', "hung"),
        ("[3, 6]", "[6, 3]", "hang: seconds"),
        ("[3, 6]", "[0, 3]", "hang: seconds"),
        ("weight = 0.5", "weight = 0", "slow: seconds must rise from above 0, weight"),
        ("weight = 0.5", "probability = 2", "slow: probability"),
        ("well_seconds = 30", "well_seconds = 0", "well_seconds must be positive"),
        ("well_seconds = 30", "well = 30", "well"),
        ("well_seconds = 30", "", "well_seconds"),
        ("faults = [", "faults = ", "line"),
    ],
)
def test_a_mix_that_makes_no_sense_says_where(old: str, new: str, said: str) -> None:
    """The message names the field, or the line of what is not TOML."""
    with pytest.raises(BadMix, match=said.replace("[", r"\[")):
        read_mix(TEXT.replace(old, new))


def _served(fault: InjectedFault, count: int = 400) -> list[Done | Failed]:
    """How requests of 20 tokens end, one after the other, on a backend with this fault."""
    model = ServiceModel(REPLICAS[0], 3)
    model.inject(fault, 0.0)
    for number in range(count):
        model.submit(Request(f"r{number}", "sim-replica", 10, max_tokens=20), 10.0 * number)
    return [event for event in model.advance(1e6) if isinstance(event, Done | Failed)]


def test_cuts_hit_their_share_of_requests_anywhere_in_the_answer() -> None:
    """With a probability of 0.3 about three in ten are cut, after any number of tokens but none and all."""
    ends = _served(InjectedFault(FaultKind.CUT, probability=0.3, anywhere=True))
    cut = [end for end in ends if isinstance(end, Failed)]
    assert len(ends) == 400
    assert len(cut) == pytest.approx(120, abs=30)
    assert {end.why for end in cut} == {Why.CUT}
    assert min(end.output_tokens for end in cut) == 1
    assert max(end.output_tokens for end in cut) == 19


def test_a_black_hole_refuses_every_request_at_once() -> None:
    """Nothing is taken while it lasts, and the backend still counts as reachable and its model as ready."""
    model = ServiceModel(REPLICAS[0], 3)
    model.inject(InjectedFault(FaultKind.BLACKHOLE, seconds=5), 0.0)
    denial = model.submit(Request("a", "sim-replica", 10), 1.0)
    assert denial is not None
    assert denial.why is Why.UNAVAILABLE
    assert model.reachable
    assert model.is_ready("sim-replica")
    assert model.submit(Request("b", "sim-replica", 10), 6.0) is None
