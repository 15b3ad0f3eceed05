"""What a list of requests is about: the facets that are filtered, sorted and exported by."""

from collections.abc import Callable

from orchestra_core.domain.running import RunningView
from orchestra_tui.present.listing import Facet, Subject, Value
from orchestra_tui.present.numbers import seconds
from orchestra_tui.present.requests.ledger import Ended
from orchestra_tui.present.requests.log import Entry

# Of a foreign text so much is looked at.
_LONGEST = 500


def _both(name: str, title: str = "") -> Facet:
    """What is called the same while it runs and after."""
    return Facet(name, lambda entry, _: _cut(getattr(entry, name)), title=title)


def _after(name: str, of: Callable[[Ended], Value], title: str = "", *, right: bool = False) -> Facet:
    """What is known when it has ended."""
    return Facet(
        name, lambda entry, _: None if isinstance(entry, RunningView) else of(entry), title=title, right=right
    )


def _time(name: str, of: Callable[[Entry], float | None], title: str = "") -> Facet:
    """Of milliseconds, in seconds."""

    def value(entry: Entry, _: str) -> float | None:
        milliseconds = of(entry)
        return None if milliseconds is None else milliseconds / 1000

    return Facet(
        name,
        value,
        lambda entry, now: "" if (found := value(entry, now)) is None else seconds(found),
        title,
        right=True,
    )


def _state(entry: Entry) -> str:
    return f"running {entry.state}" if isinstance(entry, RunningView) else entry.verdict


def _key(entry: Entry) -> str:
    if isinstance(entry, RunningView):
        return f"{entry.key_name} {entry.key}" if entry.key_name else entry.key
    return entry.key


def _whole(entry: Entry) -> float:
    return entry.age_ms if isinstance(entry, RunningView) else entry.total_ms


def _marks(entry: Entry) -> str:
    """`is:failed`, `is:degraded` and so on."""
    if isinstance(entry, RunningView):
        return "running cancelling" if entry.cancelling else "running"
    marks = {
        "failed": entry.failed,
        "degraded": entry.degraded,
        "continued": entry.continued,
        "cached": bool(entry.cache),
        "retried": entry.attempts > 1,
        "streamed": entry.streamed,
    }
    return " ".join(name for name, true in marks.items() if true)


def _words(entry: Entry) -> str:
    """All that plain words of a filter look at."""
    parts = [entry.id, _state(entry), entry.model, entry.backend, _key(entry), entry.task, entry.model_asked]
    if not isinstance(entry, RunningView):
        parts += [str(entry.status), entry.error]
    return " ".join(part[:_LONGEST] for part in parts if part)


def _problem(entry: Entry) -> bool:
    return entry.state == "retrying" if isinstance(entry, RunningView) else entry.failed


def _cut(value: str | None) -> str | None:
    return value[:_LONGEST] if value else None


REQUESTS = Subject(
    "Requests",
    identity=lambda entry: entry.id,
    words=_words,
    problem=_problem,
    facets=(
        _after("status", lambda row: row.status or None, "HTTP", right=True),
        Facet("state", lambda entry, _: _state(entry), title="STATE"),
        _both("model", "MODEL"),
        _both("backend", "BACKEND"),
        Facet("key", lambda entry, _: _cut(_key(entry)), title="KEY"),
        _after("error", lambda row: _cut(row.error)),
        _both("task", "TASK"),
        Facet("at", lambda entry, _: entry.at, title="AT"),
        _time("total", _whole, "TOTAL"),
        _time("first", lambda entry: entry.first_token_ms, "FIRST"),
        _time("wait", lambda entry: None if isinstance(entry, RunningView) else entry.queued_ms),
        _after("in", lambda row: row.tokens_in, "IN", right=True),
        Facet("out", lambda entry, _: entry.tokens_out, title="OUT", right=True),
        _after("cost", lambda row: row.cost, "COST", right=True),
        Facet("tries", lambda entry, _: entry.attempts, title="TRY", right=True),
        Facet("is", lambda entry, _: _marks(entry)),
        Facet("asked", lambda entry, _: _cut(entry.model_asked)),
        _both("surface", "SURFACE"),
        _both("kind"),
        _after("cache", lambda row: row.cache),
        _both("id", "ID"),
    ),
)
