"""`incident`: one file with all that is known of the last minutes, for whoever has to find out what went wrong."""

import importlib.metadata
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestra_core import __version__
from orchestra_core.cli.build import build
from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.incident.bundle import write
from orchestra_core.cli.incident.gathering import Gathering, Source
from orchestra_core.cli.incident.living import Living
from orchestra_core.cli.incident.remains import Remains, last_sign, within
from orchestra_core.cli.incident.scrubbing import scrub, scrub_recording, secrets
from orchestra_core.cli.incident.telling import Circumstances, readme
from orchestra_core.cli.incident.timeline import timeline
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import size
from orchestra_core.clock import SystemClock
from orchestra_core.config import Config, describe, load
from orchestra_core.domain.errors import ConfigError, InvalidRequest
from orchestra_core.recording.reading import NotARecording, Recording, read
from orchestra_core.server.questions import read_since
from orchestra_core.trust.redaction import redact

# An engine that hangs is as good as dead to whoever looks for what went wrong.
PATIENCE_SECONDS = 10.0
_JOURNAL = (
    "requests of the last moments may be missing: they wait in the journal until an engine starts again"
)
_LOG_BYTES = 256 * 1024
_PACKAGES = ("msgspec", "httptools", "uvloop", "httpx", "textual", "sqlmodel", "sqlalchemy", "xllamacpp")


@click.command()
@click.option(
    "--since", default="10m", show_default=True, metavar="TIME", help="From when on: 30m, 2h, a time."
)
@click.option("--output", "-o", metavar="FILE", help="Where to; incident-TIME.tar.gz if not given.")
@click.option("--config", metavar="FILE", help="The engine's configuration file.")
@talks_to_engine
def incident(session: Session, since: str, output: str | None) -> None:
    """Gather what happened lately into one file: recording, decisions, breakers, alerts, audit, configuration, log.

    Without secrets, prompts and answers. Also of an engine that has died: then from what it left in its directories.
    README.txt in the file says what is in it and tells the story. `ai-orchestra replay FILE` opens the console on it.
    """
    now = SystemClock.wall()
    _moment(since, now)
    path = Path(output or f"incident-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    if path.exists():
        raise Failure(f"{path} is there already; name another file with --output")
    demo = bool(click.get_current_context().find_root().params.get("demo"))
    told = _Incident(session, since, now, demo=demo)
    pieces = told.gather()
    written = write(path, pieces, now)
    if session.out.as_json:
        session.out.data(
            {"file": str(path), "bytes": written, "pieces": list(pieces), "missing": told.missing}
        )
        return
    session.out.line(str(path))
    session.out.talk(f"{size(written)}: {', '.join(pieces)}")
    for one in told.missing:
        session.out.talk(f"not in it: {one}")


def _moment(since: str, now: float) -> float:
    try:
        return read_since({"since": since}, datetime.fromtimestamp(now, UTC))
    except InvalidRequest as error:
        raise Failure(f"--since: {error.message}", Code.USAGE) from error


class _Incident:
    """Everything of one incident, `since` as it was typed; `now` in Unix seconds."""

    def __init__(self, session: Session, since: str, now: float, *, demo: bool) -> None:
        self._session = session
        self._typed = since
        self._since = _moment(since, now)
        self._until = self._now = now
        self._config, self._flaw = _configuration(session, demo)
        self._known = secrets(self._config, [session.api_key]) if self._config else ()
        self.missing: list[str] = []

    def gather(self) -> dict[str, bytes]:
        """The pieces by their names, in the order of their worth."""
        with connect(self._session, PATIENCE_SECONDS) as engine:
            sources, how = self._sources(engine)
            gathering = Gathering(sources)
            pieces = self._pieces(gathering)
        recording, flaw = _readable(pieces.get("recording.jsonl.gz"))
        if len(sources) == 1 and isinstance(sources[0], Remains):
            gathering.missing.append(_JOURNAL)
        self.missing = gathering.missing + ([f"the recording: {flaw}"] if flaw else [])
        happened = timeline(recording, self._since) if recording else []
        pieces["versions.json"] = _json(_versions(recording), self._known)
        if recording is not None:
            pieces["breakers.json"] = _json(_breakers(recording, self._since), self._known)
        text = readme(
            Circumstances(self._now, self._since, self._until, __version__, how),
            pieces,
            self.missing,
            recording,
            happened,
        )
        return {"README.txt": redact(text, self._known).encode(), **pieces}

    def _sources(self, engine: EngineClient) -> tuple[list[Source], str]:
        """Whom to ask, in order, and a sentence about that."""
        try:
            simulated = bool(engine.get("/api/v1/health", also=503).get("simulated"))
        except Failure as failure:
            if self._config is None or failure.reason:
                raise
            # Whoever looks in the morning asks for the minutes before the end, not for those before now.
            self._until = min(last_sign(self._config) or self._now, self._now)
            self._since = _moment(self._typed, self._until)
            how = f"The engine did not answer, so this is what it left behind: {failure.message.partition('. ')[0]}."
            return [Remains(self._config, self._since)], how
        if self._config is not None and self._config.demo != simulated:
            self._config, self._flaw = _configuration(self._session, simulated)
        left = [Remains(self._config, self._since)] if self._config else []
        return [Living(engine, self._since), *left], f"The engine at {engine.target.label} answered."

    def _pieces(self, gathering: Gathering) -> dict[str, bytes]:
        known, pieces = self._known, {}
        recording = gathering.take("the recording", lambda source: source.recording())
        if recording is not None:
            pieces["recording.jsonl.gz"] = scrub_recording(recording, known)
        requests = gathering.take("the requests", lambda source: source.requests())
        if requests is not None:
            pieces["requests.json"] = _json(requests, known)
            decisions = gathering.decisions(requests["requests"])
            pieces["decisions.jsonl"] = b"".join(_json(one, known, indent=-1) + b"\n" for one in decisions)
        alerts = gathering.take("the alerts", lambda source: source.alerts())
        if alerts is not None:
            pieces["alerts.json"] = _json(alerts, known)
        audit = gathering.take("what operators did", lambda source: within(source.audit(), self._since))
        if audit is not None:
            pieces["audit.json"] = _json(audit, known)
        configuration = gathering.read("the configuration", self._configuration)
        if configuration is not None:
            pieces["configuration.txt"] = configuration
        log = gathering.read("the log", self._log)
        if log is not None:
            pieces["log.txt"] = log
        return pieces

    def _configuration(self) -> bytes:
        if self._config is None:
            raise Failure(self._flaw)
        lines = [f"{key} = {value}    # {source}" for key, value, source in describe(self._config)]
        return redact(
            "\n".join([*lines, *(f"# {note}" for note in self._config.notes), ""]), self._known
        ).encode()

    def _log(self) -> bytes:
        if self._config is None:
            raise Failure(self._flaw)
        file = self._config.paths.state_dir / "engine.log"
        if not file.exists():
            raise Failure(
                f"there is no {file}: the engine's output went elsewhere, perhaps to the system's journal"
            )
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _LOG_BYTES))
            text = opened.read().decode("utf-8", "replace")
        return redact(text, self._known).encode()


def _configuration(session: Session, demo: bool) -> tuple[Config | None, str]:
    """That of an engine of this machine, whose `demo` says where it keeps things; None, and why, where it is another
    one's or in error."""
    if session.url or (not session.socket and session.environ.get("ORCHESTRATOR_URL")):
        return None, "it is on the machine of the engine; only what it tells over HTTP is here"
    try:
        return load({"config": session.config, "demo": demo}, session.environ, Path.cwd()), ""
    except ConfigError as error:
        return None, f"it is in error: {error.message.splitlines()[0]}"


def _readable(data: bytes | None) -> tuple[Recording | None, str]:
    if data is None:
        return None, ""
    try:
        return read(data), ""
    except NotARecording as error:
        return None, str(error)


def _breakers(recording: Recording, since: float) -> dict[str, Any]:
    turned = [
        event
        for moment in recording.moments()
        for event in moment.events
        if event.kind.startswith("breaker.") and datetime.fromisoformat(event.at).timestamp() >= since
    ]
    last = recording.moment(len(recording) - 1)
    return {"at": last.snapshot.now, "breakers": last.snapshot.breakers, "turned": turned}


def _versions(recording: Recording | None) -> dict[str, Any]:
    """What runs here, and the engines of that time by when they started."""
    engines = {header.started: header.version for header in (recording.headers if recording else ())}
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "ai-orchestra": __version__,
        "engines": engines,
        "build": build()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": found,
    }


def _json(value: object, known: tuple[str, ...], indent: int = 2) -> bytes:
    plain = msgspec.json.decode(msgspec.json.encode(value))
    return msgspec.json.format(msgspec.json.encode(scrub(plain, known)), indent=indent)
