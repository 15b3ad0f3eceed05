"""Memory, limits and the terminal."""

import shutil
import sys
from collections.abc import Mapping

import psutil

from orchestra_core.cli import spelling
from orchestra_core.cli.doctor.finding import Finding, ok, warn

_LEAST_MEMORY = 1_000_000_000
_LEAST_FILES = 1024


def check_machine(environ: Mapping[str, str]) -> list[Finding]:
    return [_memory(), *_files(), *_terminal(environ)]


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    detail = f"{spelling.memory(memory.available)} of {spelling.memory(memory.total)} available"
    if memory.available < _LEAST_MEMORY:
        return warn("memory", detail, "unload models or end programs: the smallest model needs about 600 MB")
    return ok("memory", detail)


def _files() -> list[Finding]:
    if sys.platform == "win32":
        return []
    import resource  # noqa: PLC0415  # exists on POSIX systems only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    detail = f"{allowed} open files"
    if soft not in (resource.RLIM_INFINITY,) and soft < _LEAST_FILES:
        return [warn("file limit", detail, f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}")]
    return [ok("file limit", detail)]


def _terminal(environ: Mapping[str, str]) -> list[Finding]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    findings = [
        ok("encoding", "UTF-8")
        if encoding == "utf8"
        else warn("encoding", encoding or "unknown", "set LANG or LC_ALL to a UTF-8 locale, such as C.UTF-8")
    ]
    if not sys.stdout.isatty():
        return [*findings, ok("terminal", "standard output is none; the console needs one")]
    kind = environ.get("TERM", "")
    if kind in {"", "dumb"}:
        return [*findings, warn("terminal", f"TERM is {kind or 'not set'}", "export TERM=xterm-256color")]
    columns, rows = shutil.get_terminal_size()
    colours = (
        "16 million colours" if environ.get("COLORTERM") in {"truecolor", "24bit"} else "256 colours or fewer"
    )
    detail = f"{kind}, {columns}x{rows}, {colours}{', NO_COLOR' if environ.get('NO_COLOR') else ''}"
    if columns < 80 or rows < 24:
        return [*findings, warn("terminal", detail, "enlarge it to 80x24 or more")]
    return [*findings, ok("terminal", detail)]
