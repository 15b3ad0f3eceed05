"""`replay FILE`: the console on a recording, or on the file of an incident; without a terminal the story in words."""

import importlib
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.incident.bundle import RECORDING, unpack
from orchestra_core.cli.incident.timeline import timeline
from orchestra_core.cli.options import Session, formatted
from orchestra_core.cli.spelling import brief
from orchestra_core.clock import rfc3339
from orchestra_core.recording.blocks import BEGINNING, opening
from orchestra_core.recording.reading import NotARecording, Recording, read

# A recording is some ten megabytes; what is larger is something else, and would fill the memory.
_MOST_BYTES = 1024**3
_JSON = ("requests", "audit")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@formatted
def replay(session: Session, file: Path) -> int:
    """Open the console on a recording: the file of `incident`, or what GET /api/v1/recording streams.

    It plays at its own pace: p pauses, `,` and `.` step, + and - change the speed, :goto 12:03 goes there. Nothing can
    be changed. Where standard output is no terminal, and with --json, it prints what happened instead.
    """
    recording, documents, flaws = _open(file)
    if sys.stdout.isatty() and not session.out.as_json:
        for flaw in flaws:
            session.out.talk(f"note: {flaw}")
        console = importlib.import_module("orchestra_core.cli.console")
        return int(console.replay(recording, file.name, documents))
    _print(session, recording, flaws)
    return Code.DONE


def _print(session: Session, recording: Recording, flaws: list[str]) -> None:
    out, told = session.out, timeline(recording, 0.0)
    first, last = (rfc3339(recording.times[place]) for place in (0, -1))
    if out.as_json:
        out.data({"from": first, "to": last, "moments": len(recording), "flaws": flaws, "happened": told})
        return
    out.line(f"{len(recording)} moments from {brief(first)} to {brief(last)}")
    for line in told:
        out.line(line)
    for flaw in flaws:
        out.talk(f"note: {flaw}")


def _open(file: Path) -> tuple[Recording, dict[str, Any], list[str]]:
    """The recording, what lies beside it in an incident, and what could not be read. Failure for a wrong file."""
    data = _read(file)
    pieces, flaws = {RECORDING: data}, []
    if not opening(data).startswith(BEGINNING):
        pieces, flaw = unpack(data)
        flaws += [flaw] if flaw else []
    if RECORDING not in pieces:
        raise Failure(f"{file} is neither a recording nor the file of an incident", Code.USAGE)
    try:
        recording = read(pieces[RECORDING])
    except NotARecording as error:
        raise Failure(f"{file} cannot be replayed: {error}", Code.USAGE) from error
    documents = _documents(pieces, flaws)
    return recording, documents, [*flaws, *recording.flaws]


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise Failure(f"{file} is too large for a recording", Code.USAGE)
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}", Code.USAGE) from error


def _documents(pieces: dict[str, bytes], flaws: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _JSON:
        if f"{name}.json" in pieces:
            try:
                found[name] = msgspec.json.decode(pieces[f"{name}.json"])
            except msgspec.DecodeError:
                flaws.append(f"{name}.json is damaged and was left out")
    decisions = {}
    for line in pieces.get("decisions.jsonl", b"").splitlines():
        try:
            decision = msgspec.json.decode(line)
            decisions[str(decision["request"]["id"])] = decision
        except (msgspec.DecodeError, LookupError, TypeError):
            flaws.append("a part of decisions.jsonl is damaged and was left out")
            break
    return {**found, "decisions": decisions}
