"""When an answer that keeps coming is given up: only if it is slow, and lost where it is, and not elsewhere."""

import msgspec
import pytest

from orchestra_core.domain.call import Task
from orchestra_core.domain.outcome import Partial, Verdict
from orchestra_core.upstream.pace import Pace, pace_of
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import Bench, endpoint, question, token

# 20 tokens of 10 ms, begun at 100, wanted by 103.
PACE = Pace(0.010, 20.0, 103.0)


@pytest.mark.parametrize(
    ("seen", "now", "given_up"),
    [
        (0, 102.0, False),
        (20, 100.25, False),  # a little slow, and there in time
        (3, 100.3, False),  # ten times slow, and in time all the same
        (2, 100.4, True),  # twenty times: would end at 104
        (1, 100.3, True),
        (1, 100.03, False),  # too early to say
        (10, 102.0, True),  # two seconds for the first half
        (19, 102.7, False),  # the last one comes in time
        (10, 102.9, False),  # too late for anybody else
    ],
)
def test_hopeless_is_slow_and_late_and_curable(seen: int, now: float, given_up: bool) -> None:
    """All three, or the answer is left alone."""
    assert bool(PACE.lost(seen, 100.0, now)) is given_up


def test_an_answer_as_slow_as_usual_is_never_given_up() -> None:
    """A small machine that cannot make the deadline is no reason: the choice of it was."""
    slow = msgspec.structs.replace(PACE, usual=0.2, tokens=10.0)
    assert not slow.lost(3, 100.0, 100.9)


def test_what_an_answer_needs_is_known_from_its_cap_and_from_experience() -> None:
    """Twice as much as usual may come, but not more than the client allows; without either nothing is known."""
    where, call = endpoint(), msgspec.structs.replace(question(), task=Task.CONVERSATION, deadline=9.0)
    where.rate = 50.0
    assert pace_of(call, where) is None
    capped = msgspec.structs.replace(call, max_tokens=30)
    assert pace_of(capped, where) == Pace(0.02, 30.0, 9.0)
    where.outputs[Task.CONVERSATION] = 10.0
    assert pace_of(capped, where) == pace_of(call, where) == Pace(0.02, 20.0, 9.0)
    assert pace_of(msgspec.structs.replace(capped, max_tokens=5), where) == Pace(0.02, 5.0, 9.0)
    assert pace_of(msgspec.structs.replace(call, deadline=None), where) is None
    where.rate = None
    assert pace_of(capped, where) is None


@pytest.mark.parametrize("limit", [None, 5.0])
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_answer_that_crawls_goes_on_elsewhere(streaming: bool, limit: float | None) -> None:
    """Ten times slower than it was: ended while another endpoint can still be in time, if the chain has one."""
    bench, where, sink = Bench(), endpoint(), TakingSink(streaming=streaming)
    where.rate = 100.0
    call = msgspec.structs.replace(
        question(stream=streaming), max_tokens=40, deadline=bench.clock.monotonic() + 3.0
    )
    task = await bench.send(call, sink, where, limit=limit)
    bench.line.begins()
    for number in range(20):
        if task.done():
            break
        bench.line.sends(token(f" {number}"))
        await bench.after(0.1)
    assert task.done() is (limit is not None)
    if limit is not None:
        outcome = task.result()
        assert "too slow for its deadline" in outcome.message
        assert outcome.seconds < 1.0
        assert outcome.verdict is (Verdict.INTERRUPTED if streaming else Verdict.TIMEOUT)
        assert outcome.try_elsewhere is not streaming
        assert isinstance(outcome.partial, Partial) is streaming
    await bench.close()
