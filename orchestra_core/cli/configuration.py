"""`config init|show|check|reload`."""

import os
from pathlib import Path

import click

from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.options import Session, formatted, talks_to_engine
from orchestra_core.cli.spelling import join
from orchestra_core.config import Config, default_file, describe, load, template
from orchestra_core.domain.errors import ConfigError


@click.group()
def config() -> None:
    """Write, show, check or reload the configuration."""


def _load(session: Session) -> Config:
    return load({"config": session.config}, session.environ, Path.cwd())


@config.command()
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@formatted
def init(session: Session, file: str | None, force: bool) -> None:
    """Write a commented configuration file, readable by you alone; - prints it."""
    if file == "-":
        session.out.line(template().rstrip())
        return
    path = Path(file) if file else default_file(session.environ)
    if path.exists() and not force:
        raise Failure(f"{path} is there already; --force overwrites it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(template())
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error
    session.out.result({"file": str(path)}, str(path))


@config.command()
@click.option("--config", metavar="FILE", help="Configuration file.")
@formatted
def show(session: Session) -> None:
    """Show the effective values and where each comes from; secrets are never shown."""
    settings = _load(session)
    lines = describe(settings)
    if session.out.as_json:
        values = [{"key": key, "value": value, "source": source} for key, value, source in lines]
        session.out.data({"settings": values, "notes": settings.notes})
        return
    session.out.table(("KEY", "VALUE", "SOURCE"), lines)
    for note in settings.notes:
        session.out.talk(f"note: {note}")


@config.command()
@click.option("--config", metavar="FILE", help="Configuration file.")
@formatted
def check(session: Session) -> int:
    """Check the configuration; every error has its line. Exits with 1 if there is one."""
    try:
        settings = _load(session)
    except ConfigError as error:
        if not session.out.as_json:
            raise
        session.out.data({"ok": False, "problems": error.message.splitlines()})
        return Code.FAILED
    file = settings.paths.config_file
    notes = [*settings.notes, *_missing(settings)]
    if session.out.as_json:
        session.out.data({"ok": True, "file": file and str(file), "notes": notes})
        return Code.DONE
    session.out.line(f"ok: {file or 'the defaults, there is no file'}")
    for note in notes:
        session.out.talk(f"note: {note}")
    return Code.DONE


def _missing(settings: Config) -> list[str]:
    """No error: a disk may be mounted later, and the other models work."""
    return [
        f"backend {backend.name}: {path}, the file of {model}, is not there; it cannot be loaded without"
        for backend in settings.backends
        for model, path in backend.files.items()
        if not Path(path).is_file()
    ]


@config.command()
@talks_to_engine
def reload(session: Session) -> None:
    """Let the running engine read its configuration again; an error in it changes nothing."""
    # Here, because the other commands of this module talk to nobody and start quicker without.
    from orchestra_core.cli.client import connect  # noqa: PLC0415  only reload needs it

    with connect(session) as engine:
        done = engine.post("/api/v1/reload", {})
    if session.out.as_json:
        session.out.data(done)
        return
    lines = [
        f"{word}: {join(done[word])}" for word in ("added", "removed", "changed", "applied") if done[word]
    ]
    lines += [f"still finishing requests: {join(done['leaving'])}"] if done["leaving"] else []
    lines += [f"needs a restart: {join(done['restart'])}"] if done["restart"] else []
    for line in lines or ["nothing changed"]:
        session.out.line(line)
    for note in done["notes"]:
        session.out.talk(f"note: {note}")
