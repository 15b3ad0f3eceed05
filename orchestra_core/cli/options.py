"""Options that several commands share, and what they stand for while a command runs."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from orchestra_core.cli.output import Printer
from orchestra_core.config import process_environment
from orchestra_core.domain.call import TASK_ALIASES, Level, Task

R = TypeVar("R")

# By value: click would offer the names of enumeration members, in capitals.
TASK = click.Choice([*(task.value for task in Task), *TASK_ALIASES])
LEVEL = click.Choice([level.value for level in Level])


class Session:
    """What every command gets: the environment, a printer, and where the engine was said to be."""

    def __init__(
        self, as_json: bool, url: str | None, socket: str | None, config: str | None, api_key: str | None
    ) -> None:
        self.environ: Mapping[str, str] = process_environment()
        self.out = Printer(as_json, self.environ)
        self.url = url
        self.socket = socket
        self.config = config
        self.api_key = api_key or self.environ.get("ORCHESTRATOR_API_KEY")


def _inherited(context: click.Context, name: str, given: str | None) -> str | None:
    """`ai-orchestra --url U health` means the same as `ai-orchestra health --url U`."""
    return given or context.find_root().params.get(name)


def formatted(command: Callable[..., R]) -> Callable[..., R]:
    """Adds --format and --json; the command's first argument becomes its Session."""

    @click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format."
    )
    @click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
    @functools.wraps(command)
    def run(*args: Any, form: str, as_json: bool, **rest: Any) -> R:
        context = click.get_current_context()
        url = _inherited(context, "url", rest.pop("url", None))
        socket = _inherited(context, "socket", rest.pop("socket", None))
        config = _inherited(context, "config", rest.pop("config", None))
        api_key = _inherited(context, "api_key", rest.pop("api_key", None))
        session = Session(as_json or form == "json", url, socket, config, api_key)
        return command(session, *args, **rest)

    return run


def talks_to_engine(command: Callable[..., R]) -> Callable[..., R]:
    """`formatted`, with --url, --socket and --api-key."""
    with_key = click.option(
        "--api-key", metavar="TOKEN", help="Key for an engine at --url; better ORCHESTRATOR_API_KEY."
    )
    with_socket = click.option("--socket", metavar="PATH", help="The engine's Unix socket.")
    with_url = click.option(
        "--url", metavar="URL", help="The engine's address, such as http://127.0.0.1:8080."
    )
    return with_url(with_socket(with_key(formatted(command))))
