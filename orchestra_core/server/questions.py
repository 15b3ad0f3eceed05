"""Questions to the ledger as they come in a query string: read strictly, and refused naming what is allowed."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo

from orchestra_core.accounting.listing import Place, Wanted, read
from orchestra_core.accounting.usage import CUBES, By, UsageQuery
from orchestra_core.domain.call import TASK_ALIASES, Task
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.series import BY, MOST_ROWS, WINDOWS

_GROUPS = {by.value: by for by in (By.MODEL, By.TASK, By.KEY, By.BACKEND, By.DAY)}
_COLUMNS = (By.MODEL, By.TASK, By.KEY, By.BACKEND)
_USAGE = ("by", "since", "until", "model", "task", "key", "backend", "limit")
_FILTERS = ("model", "backend", "key", "task", "verdict", "failed", "degraded", "cache")
_LISTING = (*_FILTERS, "since", "until", "limit", "cursor", "running")
_ROWS, _MOST_ROWS = 200, 10_000
_SERIES, _TOP = ("window", "by", "top"), 8
_PAGE, _LONGEST_PAGE = 50, 500
_AGO = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST_DAYS = 36_500
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_LONGEST_NAME = 256


def read_usage(arguments: Mapping[str, str], now: datetime) -> tuple[UsageQuery, int]:
    """The question and how many rows are wanted at most; `now` is in the zone whose days are counted."""
    _known(arguments, _USAGE)
    by = _by(arguments.get("by", "model"))
    named = ((column, _name(arguments, column.value)) for column in _COLUMNS)
    where = {column: value for column, value in named if value is not None}
    if By.TASK in where:
        where[By.TASK] = _task(where[By.TASK])
    since, until = _day(arguments, "since", now), _day(arguments, "until", now)
    if since is not None and until is not None and since > until:
        raise _invalid("since", "`since` is after `until`")
    query = UsageQuery(by, since, until, where)
    if query.cube is None:
        raise _unsummed(query)
    return query, _whole(arguments, "limit", _ROWS, _MOST_ROWS)


def read_listing(arguments: Mapping[str, str], now: datetime) -> Wanted:
    """Which requests are wanted; `now` is in the zone of days that are named."""
    _known(arguments, _LISTING)
    task, verdict = arguments.get("task"), arguments.get("verdict")
    if verdict is not None:
        _one_of("verdict", verdict, [one.value for one in Verdict])
    since, until = _moment(arguments, "since", now), _moment(arguments, "until", now)
    if since is not None and until is not None and since >= until:
        raise _invalid("since", "`since` is not before `until`")
    return Wanted(
        model=_name(arguments, "model"),
        backend=_name(arguments, "backend"),
        key=_name(arguments, "key"),
        task=None if task is None else _task(task),
        verdict=verdict,
        failed=_truth(arguments, "failed"),
        degraded=_truth(arguments, "degraded"),
        cache=_truth(arguments, "cache"),
        since=since,
        until=until,
        limit=_whole(arguments, "limit", _PAGE, _LONGEST_PAGE),
        after=_cursor(arguments),
    )


def wants_running(arguments: Mapping[str, str]) -> bool:
    """Whether what runs is asked for, not what has ended."""
    return _truth(arguments, "running") is True


def read_running(arguments: Mapping[str, str]) -> tuple[str | None, int]:
    """Whose running requests are wanted, None: everybody's; and how many at most."""
    _known(arguments, ("running", "key", "limit"))
    return _name(arguments, "key"), _whole(arguments, "limit", _LONGEST_PAGE, _LONGEST_PAGE)


def read_since(arguments: Mapping[str, str], now: datetime) -> float:
    """From when on something is wanted, in Unix seconds; 0 where that is not said."""
    _known(arguments, ("since",))
    return _moment(arguments, "since", now) or 0.0


def read_series(arguments: Mapping[str, str]) -> tuple[str, str | None, int]:
    """The window, what there shall be rows of, if anything, and how many at most."""
    _known(arguments, _SERIES)
    window, by = arguments.get("window", "5m"), arguments.get("by")
    _one_of("window", window, WINDOWS)
    if by is not None:
        _one_of("by", by, BY)
    return window, by, _whole(arguments, "top", _TOP, MOST_ROWS)


def _unsummed(query: UsageQuery) -> InvalidRequest:
    pairs = [cube for cube in CUBES if len(cube) == 2]
    allowed = ", ".join(sorted(" with ".join(sorted(column.value for column in cube)) for cube in pairs))
    asked = " and ".join(sorted(column.value for column in query.columns))
    return InvalidRequest(
        f"usage is not summed by {asked} together; what goes together, as `by` or as a filter: {allowed}; "
        "day goes with everything",
        param="by",
    )


def _by(text: str) -> tuple[By, ...]:
    names = text.split(",")
    for name in names:
        _one_of("by", name, _GROUPS)
    if len(set(names)) != len(names):
        raise _invalid("by", "`by` names the same twice")
    return tuple(_GROUPS[name] for name in names)


def _known(arguments: Iterable[str], allowed: tuple[str, ...]) -> None:
    unknown = sorted(set(arguments) - set(allowed))
    if unknown:
        message = f"unknown parameter {unknown[0][:32]!r}; allowed: {', '.join(allowed)}"
        raise InvalidRequest(message, param=unknown[0][:32])


def _one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise _invalid(name, f"`{name}` is {value[:32]!r}; allowed: {', '.join(allowed)}")


def _task(value: str) -> str:
    if value in TASK_ALIASES:
        return TASK_ALIASES[value].value
    _one_of("task", value, [task.value for task in Task])
    return value


def _name(arguments: Mapping[str, str], name: str) -> str | None:
    value = arguments.get(name)
    if value is not None and not 0 < len(value) <= _LONGEST_NAME:
        raise _invalid(name, f"`{name}` is a name of up to {_LONGEST_NAME} characters")
    return value


def _truth(arguments: Mapping[str, str], name: str) -> bool | None:
    value = arguments.get(name)
    if value is None:
        return None
    if value not in _TRUTH:
        raise _invalid(name, f"`{name}` is {value[:32]!r}; allowed: true, false")
    return _TRUTH[value]


def _whole(arguments: Mapping[str, str], name: str, default: int, most: int) -> int:
    value = arguments.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > 9 or not 1 <= int(value) <= most:
        raise _invalid(name, f"`{name}` is a whole number from 1 to {most}")
    return int(value)


def _cursor(arguments: Mapping[str, str]) -> Place | None:
    word = arguments.get("cursor")
    if word is None:
        return None
    try:
        return read(word)
    except ValueError as error:
        raise _invalid("cursor", "`cursor` is what `next` of the page before said") from error


def _day(arguments: Mapping[str, str], name: str, now: datetime) -> int | None:
    """A local day as `date.toordinal()`; `7d` are the last seven, today among them."""
    value = arguments.get(name)
    if value is None:
        return None
    ago = _AGO.fullmatch(value)
    if ago and ago[2] == "d" and int(ago[1]) <= _LONGEST_DAYS:
        return now.date().toordinal() - int(ago[1]) + 1
    found = _calendar(value, now)
    if found is None:
        raise _invalid(name, f"`{name}` is a day: 2026-11-01, today, yesterday, or 7d for the last seven")
    return found.toordinal()


def _moment(arguments: Mapping[str, str], name: str, now: datetime) -> float | None:
    """Unix seconds; a day stands for its beginning as `since`, for its end as `until`."""
    value = arguments.get(name)
    if value is None:
        return None
    ago = _AGO.fullmatch(value)
    if ago and (ago[2] != "d" or int(ago[1]) <= _LONGEST_DAYS):
        return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
    day = _calendar(value, now)
    if day is not None:
        return _midnight(day + timedelta(days=1) if name == "until" else day, now.tzinfo)
    try:
        exact = datetime.fromisoformat(value)
        if exact.tzinfo is not None:
            return exact.timestamp()
    except (ValueError, OverflowError):
        pass
    raise _invalid(
        name,
        f"`{name}` is 30m, 2h or 7d ago, a day such as 2026-11-01, today, yesterday, or 2026-11-01T09:30:00Z",
    )


def _calendar(value: str, now: datetime) -> date | None:
    if value in ("today", "yesterday"):
        return now.date() - timedelta(days=value == "yesterday")
    if re.fullmatch(r"[12]\d{3}-\d\d-\d\d", value, re.ASCII) is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _midnight(day: date, zone: tzinfo | None) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=name)
