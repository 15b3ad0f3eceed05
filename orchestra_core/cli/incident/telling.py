"""README.txt: what an incident's file holds, what it does not, and what happened, for whoever opens it first."""

from collections.abc import Mapping, Sequence

import msgspec

from orchestra_core.cli.spelling import brief
from orchestra_core.clock import rfc3339
from orchestra_core.recording.reading import Recording

_ABOUT = {
    "recording.jsonl.gz": "what the engine looked like, once a second, and every event",
    "requests.json": "the requests that ended, newest first",
    "decisions.jsonl": "why requests went where they went, and every attempt",
    "breakers.json": "the circuit breakers at the end, and how they turned",
    "alerts.json": "what was alarming, and what is silenced",
    "audit.json": "what operators did",
    "configuration.txt": "what was set, and where; secrets are left out",
    "log.txt": "the end of the engine's log",
    "versions.json": "what ran here",
}


class Circumstances(msgspec.Struct, frozen=True):
    """When and how an incident was gathered; times are Unix seconds."""

    made: float
    since: float
    until: float
    version: str
    how: str


def readme(
    about: Circumstances,
    pieces: Mapping[str, bytes],
    missing: Sequence[str],
    recording: Recording | None,
    happened: Sequence[str],
) -> str:
    """All of it as text, lines of at most a screen's width where they are ours."""
    lines = [
        "AI Model Orchestra Controller: an incident",
        "",
        f"From {brief(rfc3339(about.since))} to {brief(rfc3339(about.until))}.",
        f"Gathered at {brief(rfc3339(about.made))} by version {about.version}.",
        about.how,
        "",
        "What is in it",
        *(f"  {name:<20} {_ABOUT[name]}" for name in pieces if name in _ABOUT),
        "",
        "Look at it in the console:  ai-orchestra replay FILE  (this whole file, as it is)",
        "",
        "What is not in it",
        "  prompts and answers, keys, tokens and passwords: they are left out or cut",
        *(f"  {one}" for one in missing),
        "",
        "What happened (times are UTC)",
    ]
    if recording is None:
        return "\n".join([*lines, "  not known: there is no recording", ""])
    lines += [f"  {flaw} (of the recording)" for flaw in recording.flaws]
    first, last = recording.moment(0), recording.moment(len(recording) - 1)
    span = f"{len(recording)} moments from {brief(rfc3339(first.at))} to {brief(rfc3339(last.at))}"
    totals = last.snapshot.totals
    lines += [
        f"  recorded: {span}",
        f"  at its end: {last.snapshot.status}; {totals.requests} requests since the start, {totals.failed} failed",
        "",
        *(f"  {line}" for line in happened or ["nothing worth a line"]),
        "",
    ]
    return "\n".join(lines)
