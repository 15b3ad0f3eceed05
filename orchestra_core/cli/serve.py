"""`serve`: flags to configuration to engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from orchestra_core import engine
from orchestra_core.config import Config, load, process_environment
from orchestra_core.domain.text import safe_text


@click.command()
@click.option("--config", metavar="FILE", help="Configuration file.")
@click.option("--host", help="Address to listen on; beyond this machine only once there is a key.")
@click.option("--port", type=int, help="TCP port; 8080 if nothing says otherwise, 0 for any free one.")
@click.option("--socket", metavar="PATH", help="Private Unix socket for the console and the commands.")
@click.option("--demo", is_flag=True, help="A simulated fleet instead of real backends, labelled as such.")
@click.option("--users", type=click.IntRange(0, 1000), help="With --demo: so many simulated users.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def serve(ctx: click.Context, /, **flags: Any) -> int:
    """Run the engine in the foreground, until SIGTERM or Ctrl-C."""
    inherited = {name: ctx.find_root().params.get(name) for name in ("config", "socket", "demo", "users")}
    return run({name: value or inherited.get(name) for name, value in flags.items()} | _zero(flags))


def _zero(flags: Mapping[str, Any]) -> dict[str, int]:
    return {"port": 0} if flags["port"] == 0 else {}


def run(flags: Mapping[str, Any]) -> int:
    """Runs the engine to its end and returns the exit code; raises ConfigError before it starts."""
    place = Path.cwd()

    def read() -> Config:
        return load(flags, process_environment(), place)

    config = read()
    for note in config.notes:
        click.echo(f"note: {safe_text(note)}", err=True)
    return engine.run(config, read)
