"""A real PostgreSQL in a directory of its own, on a socket of its own; where its binaries are missing, why."""

import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

_STARTED = 30.0
# Tests end servers in the middle of things, machines they do not end.
_OPTIONS = ("fsync=off", "max_connections=40", "shared_buffers=32MB", "listen_addresses=")


def missing() -> str:
    """Why there can be none; "" if it can be started."""
    if _binary("initdb") is None or _binary("postgres") is None:
        return "the binaries of PostgreSQL (initdb, postgres) are not installed"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL refuses to run as root, and there is no user postgres or nobody"
    return ""


def _binary(name: str) -> str | None:
    found = shutil.which(name) or next(
        iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[::-1]), None
    )
    return None if found is None else os.path.realpath(found)


def _account() -> pwd.struct_passwd | None:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known.get("nobody")


class PostgresServer:
    """Use as a context manager."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="orch-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self._as: dict[str, Any] = {"cwd": self._place}
        account = _account() if os.geteuid() == 0 else None
        if account is not None:
            os.chown(self._place, account.pw_uid, account.pw_gid)
            self._as |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def __enter__(self) -> "PostgresServer":
        data = str(self._place / "data")
        command = [str(_binary("initdb")), "-D", data, "-U", "orchestra", "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--locale=C", "-N"], **self._as, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        # Its files go away, so what is not written to them need not be.
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._place, ignore_errors=True)

    def start(self) -> None:
        """Returns when connections are answered."""
        options = [word for option in _OPTIONS for word in ("-c", option)]
        self._process = subprocess.Popen(
            [str(_binary("postgres")), "-D", str(self._place / "data"), "-k", str(self._place), *options],
            **self._as,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if b"ready to accept connections" in line:
                break
        else:
            raise AssertionError(b"".join(said).decode())

    def stop(self, sign: signal.Signals = signal.SIGINT) -> None:
        """Ends every connection. SIGINT is its fast shutdown, SIGQUIT its immediate one."""
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.communicate(timeout=_STARTED)
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://orchestra@/{database}?host={self._place}"

    def connect(self, url: str) -> psycopg.Connection[Any]:
        """To look at what is there."""
        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def database(self, encoding: str = "UTF8") -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._names)}"
        with self.connect(self.url()) as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
        return self.url(name)
