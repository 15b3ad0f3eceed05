"""Writes of one turn of the event loop leave together at its end, in order, and closing loses none."""

from collections.abc import Callable

from orchestra_core.http1.outgoing import Outbox, Outgoing
from tests.fakes.transport import FakeTransport


class Turn:
    """An event loop's next turn, and connections that share an outbox."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.outbox = Outbox(self.due.append)

    def connection(self) -> tuple[Outgoing, FakeTransport]:
        transport = FakeTransport()
        return Outgoing(transport, self.outbox), transport

    def ends(self) -> None:
        due = self.due.copy()
        self.due.clear()
        for call in due:
            call()


class Deaf(FakeTransport):
    """As uvloop's after `write_eof`."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("Cannot call write() after write_eof()")


def test_all_connections_write_at_the_end_of_the_turn_in_one_call() -> None:
    """However many there are, and whatever each has said, in its order."""
    turn = Turn()
    (one, first), (other, second) = turn.connection(), turn.connection()
    one.write(b"a")
    other.write(b"b")
    one.write(b"c")
    assert (first.written, second.written, len(turn.due)) == (b"", b"", 1)
    assert one.get_write_buffer_size() == 2
    turn.ends()
    assert (first.written, second.written, turn.due) == (b"ac", b"b", [])
    one.write(b"d")
    turn.ends()
    assert first.written == b"acd"
    assert one.get_write_buffer_size() == 0


def test_ending_sends_what_waits_first() -> None:
    """All ways of ending: what was said before them is heard."""
    turn = Turn()
    (closed, first), (half, second), (aborted, third) = (turn.connection() for _ in range(3))
    aborted.write(b"c")
    aborted.abort()
    assert (third.written, third.aborted) == (b"c", True)
    closed.write(b"a")
    closed.close()
    half.write(b"b")
    half.write_eof()
    assert (first.written, first.closed) == (b"a", True)
    assert (second.written, second.eof) == (b"b", True)
    turn.ends()
    assert (first.written, second.written, third.written) == (b"a", b"b", b"c")


def test_nothing_is_said_to_who_has_gone() -> None:
    """uvloop raises where one writes to a connection that is closed."""
    turn = Turn()
    gone, transport = turn.connection()
    gone.write(b"a")
    transport.closed = True
    turn.ends()
    assert transport.written == b""


def test_one_that_cannot_write_does_not_silence_the_others() -> None:
    """It is ended; whoever comes after it is heard."""
    turn = Turn()
    broken, (other, heard) = Deaf(), turn.connection()
    Outgoing(broken, turn.outbox).write(b"a")
    other.write(b"b")
    turn.ends()
    assert broken.aborted
    assert heard.written == b"b"


def test_much_does_not_wait() -> None:
    """Joining copies: above 16 KiB what waits goes out, in order."""
    turn = Turn()
    one, heard = turn.connection()
    pieces = [bytes([number]) * 10_000 for number in range(5)]
    for piece in pieces:
        one.write(piece)
    assert heard.written == b"".join(pieces[:4])
    turn.ends()
    assert heard.written == b"".join(pieces)


def test_without_an_outbox_nothing_waits() -> None:
    """For who has no event loop."""
    heard = FakeTransport()
    Outgoing(heard, None).write(b"a")
    assert heard.written == b"a"
