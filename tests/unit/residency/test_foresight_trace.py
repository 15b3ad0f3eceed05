"""Hours of a day with shifting popularity, a clockwork and an agent, with and without foresight: does it pay?"""

import random

from tests.fakes.foreseen_box import Box

HOURS = 3
SEEDS = (1, 2)


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


def test_loading_ahead_makes_more_requests_find_their_model_there() -> None:
    """Room for 4 of 13 models: of a hundred requests at least two more are warm, and most guesses were right."""
    requests = gained = preloads = hits = 0
    for seed in SEEDS:
        without, ahead = play(seed, foresight=False), play(seed, foresight=True)
        assert without.ahead == []
        assert without.warm + without.cold == ahead.warm + ahead.cold
        requests += ahead.warm + ahead.cold
        gained += ahead.warm - without.warm
        preloads += sum(each.preloads for each in ahead.forecasting.view())
        hits += sum(each.hits for each in ahead.forecasting.view())
    assert preloads > 50
    assert hits > 0.5 * preloads
    assert gained >= 0.02 * requests, gained / requests
