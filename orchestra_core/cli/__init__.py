"""The command line: arguments in, data on standard output, talk on standard error, a code at the end."""

from orchestra_core.cli.program import main

__all__ = ["main"]
