"""Hours of a day with shifting popularity, a clockwork and an agent, with and without foresight: does it pay?"""

import random

import pytest

from tests.fakes.foreseen_box import Box

HOURS = 3


def play(seed: int, *, foresight: bool) -> Box:
    """Ten models by Zipf's law whose ranks move every half hour, one every five minutes, one that follows another."""
    chance = random.Random(seed)
    ranks = [f"m{number}" for number in range(10)]
    models = {name: chance.choice((5.0, 10.0, 20.0, 30.0)) for name in ranks}
    box = Box(models | {"job": 20.0, "plan": 8.0, "code": 15.0}, 4, foresight=foresight)
    weights = [1 / (rank + 1) ** 1.6 for rank in range(10)]
    to_code: list[int] = []
    for second in range(HOURS * 3600):
        if second % 1800 == 0:
            moved = chance.randrange(1, 4)
            ranks = ranks[moved:] + ranks[:moved]
        box.second()
        if chance.random() < 1 / 25:
            box.ask(chance.choices(ranks, weights)[0], f"user{chance.randrange(5)}")
        if chance.random() < 1 / 400:
            box.ask("plan", "agent")
            to_code.append(second + 40)
        if second in to_code:
            box.ask("code", "agent")
        if second % 300 == 299:
            box.ask("job", "cron")
    return box


@pytest.mark.parametrize("seed", [1, 2])
def test_loading_ahead_makes_more_requests_find_their_model_there(seed: int) -> None:
    """Room for 4 of 13 models: of a hundred requests at least two more are warm, and most guesses were right."""
    without, with_ = play(seed, foresight=False), play(seed, foresight=True)
    assert without.ahead == []
    assert without.warm + without.cold == with_.warm + with_.cold
    share = 100 * (with_.warm - without.warm) / (with_.warm + with_.cold)
    told = with_.forecasting.view()
    preloads, hits = sum(each.preloads for each in told), sum(each.hits for each in told)
    assert preloads > 15
    assert hits > 0.5 * preloads
    assert share >= 2.0, share
