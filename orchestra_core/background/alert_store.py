"""What outlives an engine of its alerts: a small file, replaced as a whole."""

import threading
from pathlib import Path

import msgspec

from orchestra_core.alerting.board import Memory
from orchestra_core.background import kept

_decoder = msgspec.json.Decoder(Memory)


class AlertStore:
    """The file at `path`, of mode 0600. Blocking: both methods belong into a thread once the engine serves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # An engine that ends writes while a write of its thread may still be under way.
        self._one_at_a_time = threading.Lock()
        self._version = 0

    def load(self) -> tuple[Memory, str]:
        """What was kept, and a problem where it cannot be read: then the file is put aside and nothing is known."""
        return kept.load(self.path, _decoder, Memory(), "silences and acknowledgements are not known")

    def save(self, memory: Memory, version: int) -> str:
        """The problem, if it cannot be written: what was there before is left as it is.

        Versions rise; an older one that comes late is left out.
        """
        with self._one_at_a_time:
            if version < self._version:
                return ""
            self._version = version
            return self._replace(msgspec.json.encode(memory))

    def _replace(self, content: bytes) -> str:
        try:
            kept.replace(self.path, content)
        except OSError as error:
            return f"{self.path}: {error.strerror}; silences would be forgotten by a restart"
        return ""
