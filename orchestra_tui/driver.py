"""Textual's driver of a terminal, made to outlive the terminal: a line that is cut leaves no process behind."""

import contextlib
import os
import select
from codecs import getincrementaldecoder
from collections.abc import Iterator
from threading import Event
from typing import IO, Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

# So often it is looked whether an escape was the key, in seconds.
_ESCAPED = 0.05


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


class Waking(Event):
    """An event that whoever waits for input can wait for too: `fileno` is readable while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.fileno, self._end = os.pipe()

    def set(self) -> None:
        if not self.is_set():
            super().set()
            os.write(self._end, b".")

    def clear(self) -> None:
        if self.is_set():
            super().clear()
            os.read(self.fileno, 1)


def typed(fileno: int, end: Waking, parser: XTermParser) -> Iterator[Message]:
    """What a terminal says, until `end` is set or it is gone.

    Textual's own looks ten times a second whether that is so, a quarter of what an idle console costs.
    """
    decode = getincrementaldecoder("utf-8")().decode
    while not end.is_set():
        # An escape is a key only where nothing follows it in time.
        wait = None if parser._timeout_time is None else _ESCAPED
        if fileno in select.select([fileno, end.fileno], [], [], wait)[0]:
            data = os.read(fileno, 4096)
            if not data:
                return
            # Of a character that is not complete there is nothing yet, and nothing would be the end for the parser.
            if text := decode(data):
                yield from parser.feed(text)
        yield from parser.tick()


class TerminalDriver(LinuxDriver):
    """Ends the application with its terminal, of which no signal tells where that is not the session's own.

    Continued without having been suspended, it takes the terminal anew where that is still there.
    The kernel sends SIGCONT with the SIGHUP of a cut line, and a shell sends it after SIGSTOP; for Textual every
    SIGCONT is the end of a suspension, so that a second thread would read and another one write.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._file: Any = Outlasting(self._file)
        self.exit_event = self._end = Waking()
        self._ended = False

    def run_input_thread(self) -> None:
        # Of a terminal that is gone nothing can be read, or nothing is read at once and for ever.
        with contextlib.suppress(OSError):
            for message in typed(self.fileno, self._end, XTermParser(self._debug)):
                self.process_message(message)
        if self.input_tty and not self._end.is_set():
            self._loop.call_soon_threadsafe(self._app.exit)

    def close(self) -> None:
        super().close()
        self._ended = True

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]  # textual says nothing
        self._ended = False

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
