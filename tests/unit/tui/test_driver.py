"""What the console writes when nobody can read it any more."""

import io
import threading

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from orchestra_tui.driver import Outlasting


class Cut(io.StringIO):
    """A terminal whose line was cut: every write fails, as on a hung-up tty."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_whoever_writes_to_a_cut_line_does_not_wait_for_it() -> None:
    """Textual's thread takes what is written as long as somebody writes, and ends when it is told to."""
    thread = WriterThread(Outlasting(Cut()))  # type: ignore[arg-type]  # it writes, flushes and has a number
    thread.start()

    def write() -> None:
        for _ in range(3 * MAX_QUEUED_WRITES):
            thread.write("words")
        thread.stop()

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(10)
    assert not writing.is_alive()
    assert not thread.is_alive()
