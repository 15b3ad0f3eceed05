"""What was drawn or worked out before, kept as long as nothing it was made of has changed.

A fleet that nobody wants anything of says every second that it is as it was: rows that have not changed are the same
objects, and what is made of them need not be made again.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.picture import Picture

T = TypeVar("T")
P = ParamSpec("P")
_NESTED = ("snapshot", "link")
_MISSING = object()


class _Watched:
    """Stands for an object, and keeps what was asked of it and what it answered."""

    def __init__(self, of: Any) -> None:
        self.of = of
        self.read: dict[str, Any] = {}
        self.parts: list[tuple[Callable[[Any], Any], Any]] = []

    def __getattr__(self, name: str) -> Any:
        known = self.read.get(name)
        if isinstance(known, _Watched):
            return known
        value: Any = getattr(self.of, name)
        if name in _NESTED and value is not None:
            value = _Watched(value)
        self.read[name] = value
        return value

    def holds(self, of: object) -> bool:
        """Whether another object would have answered the same."""
        return all(_same(value, getattr(of, name)) for name, value in self.read.items()) and all(
            function(of) == value for function, value in self.parts
        )


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, _Watched):
        return now is not None and before.holds(now)
    return before is now or bool(before == now)


def part(snapshot: Snapshot, function: Callable[[Snapshot], T]) -> T:
    """What a function finds in a snapshot, in a drawing that is to be kept as long as it finds the same."""
    if not isinstance(snapshot, _Watched):
        return function(snapshot)
    value = function(snapshot.of)
    snapshot.parts.append((function, value))
    return value


def steady(draw: Callable[[Picture, int, int], T]) -> Callable[[Picture, int, int], T]:
    """The same drawing, that is not made again while what it reads of the picture is as it was. For drawings that are
    made of nothing else."""
    seen = _Watched(Picture())
    size: tuple[int, int] | None = None
    result: Any = None

    @wraps(draw)
    def drawn(picture: Picture, cells: int, rows: int) -> T:
        nonlocal seen, size, result
        if size != (cells, rows) or not seen.holds(picture):
            seen, size = _Watched(picture), (cells, rows)
            result = draw(cast(Picture, seen), cells, rows)
            # Whoever shows it knows by the object that it is the same, and nobody can change it.
            result = tuple(result) if isinstance(result, list) else result
        return cast(T, result)

    return drawn


def lately(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, that gives again what it gave last if it is asked the same. Objects are the same where they
    are identical, texts and numbers where they are equal."""
    last: tuple[Any, ...] = (_MISSING,)
    result: Any = None

    @wraps(function)
    def found(*asked: P.args, **named: P.kwargs) -> T:
        nonlocal last, result
        if named:
            return function(*asked, **named)
        if len(last) != len(asked) or not all(map(_identical, last, asked)):
            result = function(*asked, **named)
            last = asked
        return cast(T, result)

    return found


def _identical(one: Any, other: Any) -> bool:
    return one is other or (
        isinstance(one, int | str | frozenset) and type(one) is type(other) and bool(one == other)
    )
