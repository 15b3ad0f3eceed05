"""What the console writes when nobody can read it any more, and how it waits for keys."""

import io
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from orchestra_tui.driver import Outlasting, Waking, typed


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


@contextmanager
def keyboard(end: Waking) -> Iterator[tuple[int, "queue.Queue[str]"]]:
    """Where to write what is typed, and the keys that come of it; an empty one when whoever waits has ended."""
    terminal, typing = os.pipe()
    keys: queue.Queue[str] = queue.Queue()

    def wait() -> None:
        for each in typed(terminal, end, XTermParser()):
            if isinstance(each, events.Key):
                keys.put(each.key)
        keys.put("")

    threading.Thread(target=wait, daemon=True).start()
    try:
        yield typing, keys
    finally:
        end.set()
        os.close(typing)


def test_keys_are_waited_for_until_the_end() -> None:
    """A key of two bytes in two pieces, an escape that nothing follows, one that is the beginning of an arrow."""
    end = Waking()
    with keyboard(end) as (typing, keys):
        for data, key in ((b"a", "a"), (b"\x1b", "escape"), (b"\x1b[A", "up")):
            os.write(typing, data)
            assert keys.get(timeout=20) == key
        os.write(typing, "ä".encode()[:1])
        os.write(typing, "ä".encode()[1:])
        assert keys.get(timeout=20) == "ä"
        end.set()
        assert keys.get(timeout=20) == ""
    end.clear()
    with keyboard(end) as (typing, keys):
        os.write(typing, b"b")
        assert keys.get(timeout=20) == "b"


def test_a_terminal_that_is_gone_says_nothing_more() -> None:
    """Whoever waits for it ends, and does not ask it again and again."""
    with keyboard(Waking()) as (typing, keys):
        os.write(typing, b"a")
        assert keys.get(timeout=20) == "a"
        os.dup2(os.open(os.devnull, os.O_WRONLY), typing)
        assert keys.get(timeout=20) == ""
