"""Prometheus' text format 0.0.4, written: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from collections.abc import Mapping, Sequence
from itertools import accumulate

Labels = Mapping[str, str]
Sample = tuple[Labels, float]

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Page:
    """Metric families in the order they are added; a family without samples is left out."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def counter(self, name: str, text: str, samples: Sequence[Sample]) -> None:
        """`name` ends in `_total`."""
        self._family(name, "counter", text, [(name, labels, value) for labels, value in samples])

    def gauge(self, name: str, text: str, samples: Sequence[Sample]) -> None:
        self._family(name, "gauge", text, [(name, labels, value) for labels, value in samples])

    def histogram(
        self,
        name: str,
        text: str,
        bounds: Sequence[float],
        samples: Sequence[tuple[Labels, Sequence[int], float]],
    ) -> None:
        """Samples are labels, the count of each bucket and of what is above all bounds, and the sum."""
        rows: list[tuple[str, Labels, float]] = []
        edges = [*(_number(bound) for bound in bounds), "+Inf"]
        for labels, counts, total in samples:
            below = list(accumulate(counts))
            rows += [
                (f"{name}_bucket", {**labels, "le": edge}, n) for edge, n in zip(edges, below, strict=True)
            ]
            rows += [(f"{name}_sum", labels, total), (f"{name}_count", labels, below[-1])]
        self._family(name, "histogram", text, rows)

    def render(self) -> bytes:
        # Names come from outside and may hold what UTF-8 cannot.
        return "".join(self._lines).encode("utf-8", "replace")

    def _family(self, name: str, kind: str, text: str, rows: Sequence[tuple[str, Labels, float]]) -> None:
        if not rows:
            return
        self._lines.append(f"# HELP {name} {text}\n# TYPE {name} {kind}\n")
        self._lines += [f"{row}{_labels(labels)} {_number(value)}\n" for row, labels, value in rows]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return (
        "{" + ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items()) + "}"
    )


def _number(value: float) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)
