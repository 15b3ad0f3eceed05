"""A process that forks ledgers which kill themselves: `python -m tests.fakes.doomed_ledger`.

Each line of its input is a directory, the number of a file operation of the journal, and `before`, `middle` or `after`.
A child of it records a few requests there and is killed at that operation. What it had said until then is answered as
one line: `sent` and `answered`, as the backend and the client would know it, and `ended` if it was not killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.journal.files import Disk, Room
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
from tests.fakes.journals import begun
from tests.integration.storage.ledgers import request

REQUESTS = 9


class KillingRoom:
    """A real file as memory, in which one copy is killed."""

    def __init__(self, room: Room, put: Callable[[Callable[[bytes], int], bytes], int]) -> None:
        self._room = room
        self._put = put
        self.close = room.close

    def __setitem__(self, where: slice, data: bytes, /) -> None:
        at = where.start

        def copy(part: bytes) -> int:
            nonlocal at
            self._room[at : at + len(part)] = part
            at += len(part)
            return len(part)

        self._put(copy, data)


class KillingDisk(Disk):
    """The system's files until one operation, at which the process is killed."""

    def __init__(self, number: int, when: str) -> None:
        self._number = number
        self._when = when
        self.write = self._written

    def _at(self, when: str) -> None:
        if when == "before":
            self._number -= 1
        if self._number == 0 and when == self._when:
            os.kill(os.getpid(), signal.SIGKILL)

    def _written(self, fd: int, data: bytes) -> int:
        return self._put(lambda part: os.write(fd, part), data)

    def _put(self, take: Callable[[bytes], int], data: bytes) -> int:
        self._at("before")
        half = len(data) // 2 if self._number == 0 and self._when == "middle" else 0
        done = take(data[:half]) if half else 0
        self._at("middle")
        done += take(data[done:])
        self._at("after")
        return done

    def map(self, fd: int, size: int) -> Room | None:
        room = super().map(fd, size)
        return None if room is None else KillingRoom(room, self._put)

    def create(self, path: Path) -> int:
        self._at("before")
        fd = super().create(path)
        self._at("after")
        return fd

    def reserve(self, fd: int, size: int) -> None:
        self._at("before")
        super().reserve(fd, size)
        self._at("after")

    def cut(self, fd: int, size: int) -> None:
        self._at("before")
        super().cut(fd, size)
        self._at("after")

    def rename(self, old: Path, new: Path) -> None:
        self._at("before")
        super().rename(old, new)
        self._at("after")

    def unlink(self, path: Path) -> None:
        self._at("before")
        super().unlink(path)
        self._at("after")


def live(place: Path, disk: Disk) -> None:
    """Several segments, some removed; one request is sent first and never answered."""
    ledger = Ledger(
        f"sqlite:///{place}/orchestra.db",
        policy=Policy(window=0.0),
        bounds=Bounds(total=1 << 20, segment=1500),
        files=disk,
    )
    ledger.open()
    send(ledger, 0)
    for number in range(1, REQUESTS):
        send(ledger, number)
        ledger.record(request(number))
        say(f"answered {number} ")
        if number % 4 == 0:
            ledger.flush()
    asyncio.run(ledger.close())
    say("ended ")


def send(ledger: Ledger, number: int) -> None:
    """To a backend, as far as the journal can tell."""
    name = str(request(number)[0])
    ledger.begin((name, *begun(name)[1:]))
    say(f"sent {number} ")


def say(text: str) -> None:
    os.write(1, text.encode())


def main() -> None:
    for line in sys.stdin:
        place, number, when = line.split()
        child = os.fork()
        if child == 0:
            live(Path(place), KillingDisk(int(number), when))
            os._exit(0)
        os.waitpid(child, 0)
        say("\n")


if __name__ == "__main__":
    main()
