"""`version`, apart so that it imports nothing it does not need."""

import platform

import click

from orchestra_core import __version__
from orchestra_core.cli.build import PURE, build
from orchestra_core.cli.options import Session, formatted


@click.command()
@formatted
def version(session: Session) -> None:
    """Print the version."""
    python = platform.python_version()
    runs, _ = build()
    session.out.result(
        {"name": "ai-orchestra", "version": __version__, "python": python, "build": runs},
        f"ai-orchestra {__version__}" + ("" if runs == PURE else f" ({runs})"),
    )
