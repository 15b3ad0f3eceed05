"""Where the files are: the configuration file by the order of the contract, directories by the XDG rules."""

import grp
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from orchestra_core.config.settings import Paths
from orchestra_core.domain.errors import ConfigError

NAME = "ai-orchestra"
FILE = "ai-orchestra.toml"


def find_file(flag: str | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The file to read, or None. One that was named must exist; raises ConfigError if it does not."""
    for origin, named in (("--config", flag), ("ORCHESTRA_CONFIG", environ.get("ORCHESTRA_CONFIG"))):
        if named:
            path = absolute(named, cwd, environ)
            if not path.is_file():
                raise ConfigError(f"{origin}: there is no file {path}; `ai-orchestra config init` writes one")
            return path
    for path in (cwd / FILE, default_file(environ)):
        if path.is_file():
            return path
    return None


def default_file(environ: Mapping[str, str]) -> Path:
    """Where `config init` writes and where a file is looked for last."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / NAME / "config.toml"


def find_paths(config_file: Path | None, environ: Mapping[str, str], demo: bool = False) -> Paths:
    """Directories of the user; none is created here. What a simulated fleet did is no part of the real books, so a
    demo keeps data and state apart; its socket is where clients look."""
    state = _xdg(environ, "XDG_STATE_HOME", ".local/state") / NAME
    apart = "demo" if demo else ""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return Paths(
        config_file=config_file,
        data_dir=_xdg(environ, "XDG_DATA_HOME", ".local/share") / NAME / apart,
        state_dir=state / apart,
        # After `su` or `sudo` the variable can name a directory that is not there.
        runtime_dir=Path(runtime) / NAME
        if runtime.startswith("/") and Path(runtime).is_dir()
        else state / "run",
        cache_dir=_xdg(environ, "XDG_CACHE_HOME", ".cache") / NAME,
    )


def absolute(path: str, cwd: Path, environ: Mapping[str, str]) -> Path:
    """`path` with `~` taken as the user's home and what is relative as under `cwd`."""
    if path == "~" or path.startswith("~/"):
        return _home(environ) / path[2:]
    return cwd / path


def refuse_foreign(path: Path) -> None:
    """Raises ConfigError for a file that others could have written or replaced: it can name commands to run."""
    info = path.stat()
    if _others_may_write(info):
        raise ConfigError(f"{path} can be written by others on this machine; chmod go-w {path}")
    me = os.getuid() if hasattr(os, "getuid") else info.st_uid
    if me != 0 and info.st_uid not in {me, 0}:
        raise ConfigError(f"{path} belongs to another user; copy it, or name a file of yours with --config")
    directory = path.resolve().parent
    above = directory.stat()
    # In a sticky directory, such as /tmp, others can add files and neither remove nor rename this one.
    if _others_may_write(above) and not above.st_mode & stat.S_ISVTX:
        raise ConfigError(
            f"{path} can be replaced by others on this machine: {directory} is theirs to write; chmod go-w {directory}"
        )


def _others_may_write(info: os.stat_result) -> bool:
    """Whether anybody but the owner may: a group of the owner's alone is no other (the default on many systems)."""
    if info.st_mode & stat.S_IWOTH:
        return True
    return bool(info.st_mode & stat.S_IWGRP) and not _own_group(info.st_uid, info.st_gid)


def _own_group(uid: int, gid: int) -> bool:
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _xdg(environ: Mapping[str, str], name: str, default: str) -> Path:
    # The XDG specification: a relative path is invalid and to be ignored.
    named = environ.get(name, "")
    return Path(named) if named.startswith("/") else _home(environ) / default
