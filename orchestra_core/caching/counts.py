"""What the cache of answers has done since the start."""


class Counts:
    """Numbers of requests, but for `saved`, which is money: the known cost of what was not asked again."""

    def __init__(self) -> None:
        self.hits = 0
        self.shared = 0
        self.misses = 0
        self.kept = 0
        self.lost = 0
        self.saved = 0.0
        self.unpriced = 0

    def gave(self, how: str, cost: float | None) -> None:
        """An answer was given again that had cost so much."""
        if how == "hit":
            self.hits += 1
        else:
            self.shared += 1
        if cost is None:
            self.unpriced += 1
        else:
            self.saved += cost
