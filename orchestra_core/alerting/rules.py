"""The rules that need no memory of their own: one moment's facts to what is alarming in them."""

from collections.abc import Iterable, Iterator

from orchestra_core.alerting.facts import Facts
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal, grade
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.snapshot import Snapshot

# How far below its limit a value must be to count as better, as a share of the limit.
_EASE = 0.03
_EASE_ERRORS = 0.25
_EASE_JOURNAL = 0.2
_GIB = 1024**3
_MIB = 1024**2


def memory(facts: Facts, _policy: Policy) -> Iterator[Signal]:
    """By the limits of the gauges themselves, so that gauge and alert never disagree."""
    for name, used, total, warning, critical in _gauges(facts.snapshot):
        if used < total * warning * (1 - _EASE):
            continue
        limits = ((Severity.WARNING, warning), (Severity.CRITICAL, critical))
        share = used / total
        raised, kept, limit = grade(share, limits, _EASE)
        free = size(max(total - used, 0))
        reached = f", limit {limit:.0%}" if limit is not None else ""
        yield Signal(
            "memory",
            name,
            raised,
            kept,
            f"{share:.0%} of {size(total)} used{reached}; {free} free",
            share,
            limit,
        )


def _gauges(snapshot: Snapshot) -> Iterator[tuple[str, int, int, float, float]]:
    host = snapshot.host
    if host.total > 0 and all(pool.name != "host" for pool in snapshot.pools):
        yield "host", host.used, host.total, host.warning, host.critical
    for pool in snapshot.pools:
        if pool.used is not None and pool.total > 0:
            yield pool.name, pool.used, pool.total, pool.warning, pool.critical


def models(facts: Facts, _policy: Policy) -> Iterator[Signal]:
    """Nothing can be routed: every request is answered 503."""
    snapshot = facts.snapshot
    if snapshot.status == "unhealthy":
        why = snapshot.notices[0] if snapshot.notices else "none is running, loading or loadable"
        yield _plain("models", "all", Severity.CRITICAL, f"no model can serve requests: {why}")


def backends(facts: Facts, _policy: Policy) -> Iterator[Signal]:
    """Those an operator has configured: a discovered server may come and go."""
    for view in facts.snapshot.backends:
        if view.health == "down" and view.origin == "configured":
            yield _plain("backends", view.name, Severity.WARNING, f"down: {view.error or 'no answer'}")


def errors(facts: Facts, policy: Policy) -> Iterator[Signal]:
    """What clients were answered in the end; those who left themselves are no failures."""
    seen = facts.snapshot.throughput
    failed = sum(seen.failures[-policy.errors_window :])
    if not failed:
        return
    total = sum(seen.requests[-policy.errors_window :])
    if total < policy.errors_requests:
        return
    share = failed / total
    limits = ((Severity.WARNING, policy.errors_warning), (Severity.CRITICAL, policy.errors_critical))
    raised, kept, limit = grade(share, limits, _EASE_ERRORS)
    if kept:
        told = f"{share:.0%} of {total} requests failed in the last {policy.errors_window} s"
        yield Signal("errors", "requests", raised, kept, told, share, limit)


def budgets(facts: Facts, _policy: Policy) -> Iterator[Signal]:
    """By each budget's own thresholds, of what is settled: what is reserved may still come back."""
    for view in facts.snapshot.budgets:
        limits = [(_loudness(threshold), threshold) for threshold in view.thresholds]
        raised, kept, limit = grade(view.used, limits, 0.0)
        if kept:
            owned = "" if view.scope == "everything" else f", {view.scope}"
            told = (
                f"{view.used:.0%} of {view.limit:.12g} {view.currency} a {view.period} spent{owned}; "
                f"it begins anew in {_long(view.resets_in)}"
            )
            yield Signal("budgets", _subject(view), raised, kept, told, round(view.used, 4), limit)


def _subject(view: BudgetView) -> str:
    """One budget may stand for each key."""
    return f"{view.name} {view.key}" if view.key else view.name


def _loudness(threshold: float) -> Severity:
    """Half of the money gone is news, most of it a warning, all of it what the limit is for."""
    if threshold >= 1.0:
        return Severity.CRITICAL
    return Severity.WARNING if threshold >= 0.75 else Severity.INFO


def _long(seconds: float) -> str:
    """To the hour, or the minute where it is less: what changes each second would be news each second."""
    hours = seconds / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} h" if hours >= 2 else f"{max(seconds / 60, 1):.0f} min"


def journal(facts: Facts, policy: Policy) -> Iterator[Signal]:
    """Records on disk that the database has not taken, as a share of the room there is for them."""
    backlog = facts.backlog
    if backlog is None or backlog.limit <= 0:
        return
    share = backlog.waiting / backlog.limit
    limits = ((Severity.WARNING, policy.journal_warning), (Severity.CRITICAL, policy.journal_critical))
    raised, kept, limit = grade(share, limits, _EASE_JOURNAL)
    if kept:
        lost = f"; {backlog.dropped} were not kept" if backlog.dropped else ""
        told = (
            f"{size(backlog.waiting)} of records wait for the database, room for {size(backlog.limit)}{lost}"
        )
        yield Signal("journal", "records", raised, kept, told, share, limit)


def database(facts: Facts, _policy: Policy) -> Iterator[Signal]:
    """Requests go on and are kept in the journal; when that fills up is the journal's alert."""
    state = facts.snapshot.database
    if state != "connected":
        yield _plain("database", "ledger", Severity.WARNING, state)


def disk(facts: Facts, policy: Policy) -> Iterator[Signal]:
    """Bytes, not shares: what the engine needs does not grow with the disk."""
    for place in facts.disks:
        raised = _short_of(place.free, policy, 1.0)
        kept = _short_of(place.free, policy, 1.1)
        if kept:
            limit = policy.disk_critical if kept is Severity.CRITICAL else policy.disk_warning
            told = f"{size(place.free)} free of {size(place.total)} at {place.path}, limit {size(limit)}"
            yield Signal("disk", place.name, raised, kept, told, float(place.free), float(limit))


def _short_of(free: int, policy: Policy, ease: float) -> Severity:
    if free < policy.disk_critical * ease:
        return Severity.CRITICAL
    return Severity.WARNING if free < policy.disk_warning * ease else Severity.NONE


def _plain(rule: str, subject: str, severity: Severity, message: str) -> Signal:
    """Something that is so or not, without a margin."""
    return Signal(rule, subject, severity, severity, message)


def size(value: int) -> str:
    """Bytes for people: `512 MiB`, `3.4 GiB`."""
    return f"{value / _GIB:.1f} GiB" if value >= _GIB else f"{value / _MIB:.0f} MiB"


STATELESS = {
    "memory": memory,
    "models": models,
    "backends": backends,
    "errors": errors,
    "budgets": budgets,
    "journal": journal,
    "database": database,
    "disk": disk,
}


def evaluate(facts: Facts, policy: Policy) -> Iterable[Signal]:
    """What all of these rules say that are not switched off."""
    for name, rule in STATELESS.items():
        if name not in policy.off:
            yield from rule(facts, policy)
