"""The command tree. Commands live in modules that are imported only when they run: `--help` stays quick."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from orchestra_core import __version__
from orchestra_core.cli.failure import Code, Failure
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.text import safe_text

PROGRAM = "ai-orchestra"

# name: (module under orchestra_core.cli, what `--help` says)
COMMANDS = {
    "serve": ("serve", "Run the engine in the foreground."),
    "health": ("look", "Say whether the engine and what it uses are well."),
    "models": ("look", "List models, or name the best one for a task."),
    "metrics": ("look", "Requests, times and the most used model."),
    "budgets": ("budgets", "Say what may be spent, what is, and when it starts anew."),
    "usage": ("usage", "What was asked, what it cost, and what could be better."),
    "requests": ("usage", "List the latest requests, or those that are asked for."),
    "cancel": ("running", "End running requests; their clients are told."),
    "explain": ("explain", "Say why a request went where it went, and what would have changed that."),
    "cache": ("cache", "Show or clear the cache of answers."),
    "query": ("ask", "Ask a model and print its answer."),
    "select": ("ask", "Say which model would be chosen, and why."),
    "load": ("steer", "Load a model into memory."),
    "unload": ("steer", "Unload a model."),
    "drain": ("operate", "Send a backend no new requests; those that run finish."),
    "resume": ("operate", "Let a drained backend take requests again."),
    "drill": ("drill", "Inject a fault at one endpoint for a while, and see how it is coped with."),
    "restart": ("operate", "Restart the processes of a managed backend."),
    "breaker": ("operate", "Trip, reset or probe the circuit breaker of an endpoint."),
    "intake": ("intake", "Refuse new requests for a while, or take them again."),
    "shutdown": ("operate", "Stop the engine; requests that run may finish."),
    "alerts": ("alerts", "What is wrong; take note of it, or keep it quiet for a while."),
    "audit": ("audit", "What operators did, newest first."),
    "incident": ("incident.command", "Gather what happened lately into one file, also of a dead engine."),
    "replay": ("replay", "Open the console on a recording or an incident."),
    "keys": ("keys", "Make, list or revoke API keys."),
    "doctor": ("diagnose", "Check everything that may be wrong here, with the fix for each."),
    "config": ("configuration", "Write, show, check or reload the configuration."),
    "completion": ("completion", "Print the completion script of a shell."),
    "version": ("version", "Print the version."),
}


class Commands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"orchestra_core.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.option("--config", metavar="FILE", help="Configuration file of an engine that the console starts.")
@click.option("--url", metavar="URL", help="The engine's address, such as http://127.0.0.1:8080.")
@click.option("--socket", metavar="PATH", help="The engine's Unix socket.")
@click.option("--api-key", metavar="TOKEN", help="Key for an engine at --url; better ORCHESTRATOR_API_KEY.")
@click.option("--demo", is_flag=True, help="Let the console start an engine with a simulated fleet.")
@click.option("--users", type=click.IntRange(0, 1000), help="With --demo: so many simulated users.")
@click.option("--view", default="", metavar="NAME", help="Open the console on this view: models, backends, …")
@click.option("--filter", default="", metavar="TEXT", help="Filter the list of that view.")
@click.option("--theme", default="", metavar="NAME", help="Theme of the console.")
@click.option("--interval", type=click.FloatRange(0.5, 10), help="Seconds between updates of the console.")
@click.option("--read-only", is_flag=True, default=None, help="Nothing can be changed from this console.")
@click.option("--slow", is_flag=True, default=None, help="For a slow line: every 2 s, no plots, 16 colours.")
@click.option("--ascii", is_flag=True, default=None, help="Only ASCII signs on the screen.")
@click.option("--mouse/--no-mouse", default=None, help="Whether the console takes the mouse.")
@click.option("--keys", is_flag=True, help="Print the console's keys and their ids, and end.")
@click.pass_context
def root(
    ctx: click.Context,
    /,
    config: str | None,
    url: str | None,
    socket: str | None,
    api_key: str | None,
    demo: bool,
    users: int | None,
    keys: bool,
    **wishes: object,
) -> int | None:
    """One engine in front of all your model servers. Without a command: the console.

    \b
    Examples:
      ai-orchestra                             the console; starts an engine if none runs
      ai-orchestra --view models --filter qwen the console on a view, filtered
      ai-orchestra query --prompt "Hello"      ask the model the engine chooses
      ai-orchestra models --best-for code_generation --format json | jq -r .model
      ai-orchestra doctor                      what is wrong here, and how to mend it

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 engine not reachable, 4 unhealthy.
    """
    if ctx.invoked_subcommand is not None:
        return None
    if keys:
        return int(importlib.import_module("orchestra_core.cli.console").keys())
    if not sys.stdout.isatty():
        click.echo("Standard output is no terminal: running the engine without the console.", err=True)
        serve = importlib.import_module("orchestra_core.cli.serve")
        return int(serve.run({"config": config, "socket": socket, "demo": demo, "users": users}))
    console = importlib.import_module("orchestra_core.cli.console")
    target = {
        "config": config,
        "url": url,
        "socket": socket,
        "api_key": api_key,
        "demo": demo,
        "users": users,
    }
    return int(console.run(**target, wishes=wishes))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one command and exits with its code."""
    # What a command imports stays: to look through it for garbage, again and again, is a tenth of the console's start.
    gc.set_threshold(50_000, 20, 100)
    sys.exit(execute(arguments))


def execute(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; what goes wrong is said on standard error and becomes the code."""
    try:
        code = root.main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Failure as failure:
        return _say(failure.message, failure.code)
    except OrchestraError as error:
        return _say(error.message, Code.FAILED)
    except BrokenPipeError:
        # Whoever read our output has left; leave nothing for the interpreter to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Code.FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        return Code.INTERRUPTED
    return code if isinstance(code, int) else Code.DONE


def _say(message: str, code: Code) -> int:
    for line in message.splitlines():
        click.echo(f"{PROGRAM}: {safe_text(line)}", err=True)
    return code
