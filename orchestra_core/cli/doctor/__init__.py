"""The checks of `doctor`; each looks at one thing, changes nothing and knows the fix."""

from pathlib import Path

from orchestra_core.cli.doctor.finding import Finding, fail, ok, warn
from orchestra_core.cli.doctor.installation import check_installation
from orchestra_core.cli.doctor.machine import check_machine
from orchestra_core.cli.doctor.places import check_places
from orchestra_core.cli.doctor.redis import check_redis
from orchestra_core.cli.doctor.servers import check_servers
from orchestra_core.cli.options import Session
from orchestra_core.config import Config, load
from orchestra_core.domain.errors import ConfigError


def examine(session: Session) -> list[Finding]:
    """All findings, in the order to mend them; with a broken configuration the rest sees the defaults."""
    findings = check_installation()
    config, told = _configuration(session)
    findings += told
    findings += check_places(config)
    findings += check_redis(config)
    findings += check_machine(session.environ)
    findings += check_servers(config)
    return findings


def _configuration(session: Session) -> tuple[Config, list[Finding]]:
    try:
        config = load({"config": session.config}, session.environ, Path.cwd())
    except ConfigError as error:
        places = {name: value for name, value in session.environ.items() if name.startswith(("XDG_", "HOME"))}
        defaults = load({}, {**places, "XDG_CONFIG_HOME": "/nonexistent"}, "/nonexistent")
        fix = "correct it; `ai-orchestra config init -` prints a commented example"
        return defaults, [fail("configuration", line, fix) for line in error.message.splitlines()]
    file = config.paths.config_file
    detail = f"{file} is valid" if file else "no file, defaults in effect"
    notes = [
        warn("configuration", note, "unset it, or see `ai-orchestra config show`") for note in config.notes
    ]
    return config, [ok("configuration", detail), *notes]


__all__ = ["Finding", "examine"]
