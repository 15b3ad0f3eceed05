"""Textual's driver of a terminal, made to outlive the terminal: a line that is cut leaves no process behind."""

import asyncio
import contextlib
import os
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver

# Seconds between looks whether the terminal is still there.
LOOK = 1.0


class Outlasting:
    """A stream whose reader may go away: what cannot be written any more is dropped.

    Textual's thread that writes ends at the first error, and whoever has something to write then waits for ever for
    room in its queue, the signal that tells of the cut line unread.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()


class TerminalDriver(LinuxDriver):
    """Ends the application with its terminal, of which no signal tells where that is not the session's own: what is
    read is then nothing, at once and for ever.

    Continued without having been suspended, it takes the terminal anew where that is still there.
    The kernel sends SIGCONT with the SIGHUP of a cut line, and a shell sends it after SIGSTOP; for Textual every
    SIGCONT is the end of a suspension, so that a second thread would read and another one write.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file: Any = Outlasting(self._file)
        self._ended = False
        self._looks: asyncio.TimerHandle | None = None

    def close(self) -> None:
        super().close()
        self._ended = True
        if self._looks is not None:
            self._looks.cancel()

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]  # textual says nothing
        self._ended = False
        if self.input_tty:
            self._look()

    def _look(self) -> None:
        if os.isatty(self.fileno):
            self._looks = self._loop.call_later(LOOK, self._look)
        else:
            self._app.exit()

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:
            super()._sigcont_application()
        else:
            # Not here: the signal may have come in the middle of a write, which holds a lock.
            self._loop.call_soon_threadsafe(self._take_anew)

    def _take_anew(self) -> None:
        if not self._ended and os.isatty(self.fileno):
            self.suspend_application_mode()
            self._must_signal_resume = True
            self.resume_application_mode()
