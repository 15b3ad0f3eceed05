"""How the writer thread learns that there is something to do."""

import threading

from orchestra_core.storage.bell import Bell


def test_the_window_ends_when_there_is_a_batch() -> None:
    """A consumer in an endless window wakes at the batch size, not before and not never."""
    bell = Bell(batch=3, window=1000.0)
    heard: list[int] = []

    def consume() -> None:
        bell.listen()
        heard.append(bell.heard)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for _ in range(3):
        bell.ring()
    consumer.join(10)
    assert heard == [3]


def test_haste_and_closing_end_a_wait() -> None:
    """Neither `hurry` nor `close` is lost when it comes before the wait."""
    bell = Bell(batch=3, window=1000.0)
    bell.ring()
    bell.hurry()
    bell.listen()
    assert bell.heard == 1
    bell.close()
    bell.listen()
    assert bell.heard == 1


def test_a_wait_for_nothing_ends_by_its_timeout() -> None:
    """Without a ring the consumer gets its turn for other things, and has heard nothing."""
    bell = Bell(batch=3, window=1000.0)
    bell.listen(0.0)
    assert bell.heard == 0


def test_every_ring_is_heard_under_contention() -> None:
    """A producer at full speed and a consumer thread: the consumer ends with all of them, and not by a timeout."""
    bell = Bell(batch=50, window=1000.0)
    total = 50_000

    def consume() -> None:
        while bell.heard < total:
            bell.listen()

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for _ in range(total):
        bell.ring()
    bell.hurry()
    consumer.join(30)
    assert not consumer.is_alive()
    assert bell.heard == total
