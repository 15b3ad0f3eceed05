"""Files of a journal in memory, with a fault at any operation: an error, half a write, or the end of the process."""

from collections.abc import Callable
from errno import EBADF, EIO, ENOENT
from os import strerror
from pathlib import Path

from orchestra_core.storage.journal.files import Room


class Killed(BaseException):
    """The process ended here."""


Fault = Callable[[], None]


def failing(number: int) -> Fault:
    """The system answers with this error."""

    def fail() -> None:
        raise OSError(number, strerror(number))

    return fail


class MemoryRoom:
    """A file as memory; what is put there counts as a write."""

    def __init__(self, put: Callable[[int, bytes], None]) -> None:
        self._put = put

    def __setitem__(self, where: slice, data: bytes, /) -> None:
        self._put(where.start, data)

    def close(self) -> None:
        del self._put


class MemoryFiles:
    """`tree` outlives the process: give it to the files of the next one. `at(number, when, what)` is called `before`,
    in the `middle` (of a write) and `after` each operation, and may raise. `mapped`: files can be had as memory.
    """

    def __init__(self, tree: dict[Path, bytearray] | None = None, *, mapped: bool = False) -> None:
        self.tree: dict[Path, bytearray] = {} if tree is None else tree
        self.mapped = mapped
        self.at: Callable[[int, str, str], None] = lambda _number, _when, _what: None
        self.short = 0
        self.operations: list[str] = []
        self._open: dict[int, tuple[bytearray, int]] = {}
        self._locked: dict[Path, int] = {}
        self._next = 10

    def next_process(self) -> "MemoryFiles":
        """The same disk as another process sees it."""
        return MemoryFiles(self.tree, mapped=self.mapped)

    def _do(self, what: str, work: Callable[[], None]) -> None:
        number = len(self.operations)
        self.operations.append(what)
        self.at(number, "before", what)
        work()
        self.at(number, "after", what)

    def _handle(self, content: bytearray) -> int:
        self._next += 1
        self._open[self._next] = (content, 0)
        return self._next

    def _content(self, path: Path) -> bytearray:
        if path not in self.tree:
            raise OSError(ENOENT, strerror(ENOENT))
        return self.tree[path]

    def names(self, directory: Path) -> list[str]:
        self._do("names", lambda: None)
        return [path.name for path in self.tree if path.parent == directory]

    def lock(self, path: Path) -> int:
        if path in self._locked:
            raise BlockingIOError
        self._locked[path] = self._handle(bytearray())
        return self._locked[path]

    def create(self, path: Path) -> int:
        self._do("create", lambda: self.tree.__setitem__(path, bytearray()))
        return self._handle(self.tree[path])

    def reserve(self, fd: int, size: int) -> None:
        content = self._open[fd][0]
        self._do("reserve", lambda: content.extend(bytes(max(0, size - len(content)))))

    def map(self, fd: int, size: int) -> Room | None:
        content = self._open[fd][0]

        def put(start: int, data: bytes) -> None:
            assert start + len(data) <= size == len(content)
            self._open[fd] = (content, start)
            self.write(fd, data)

        return MemoryRoom(put) if self.mapped else None

    def cut(self, fd: int, size: int) -> None:
        content = self._open[fd][0]

        def cut() -> None:
            del content[size:]

        self._do("cut", cut)

    def size(self, path: Path) -> int:
        return len(self._content(path))

    def open(self, path: Path) -> int:
        self._do("open", lambda: None)
        return self._handle(self._content(path))

    def read(self, fd: int, size: int, offset: int) -> bytes:
        self._do("read", lambda: None)
        return bytes(self._open[fd][0][offset : offset + size])

    def write(self, fd: int, data: bytes) -> int:
        if fd not in self._open:
            raise OSError(EBADF, strerror(EBADF))
        number = len(self.operations)
        take = data[: self.short] if self.short else data

        def put() -> None:
            self._put(fd, take[: len(take) // 2])
            self.at(number, "middle", "write")
            self._put(fd, take[len(take) // 2 :])

        self._do("write", put)
        return len(take)

    def _put(self, fd: int, data: bytes) -> None:
        content, at = self._open[fd]
        content[at : at + len(data)] = data
        self._open[fd] = (content, at + len(data))

    def sync(self, path: Path) -> None:
        content = self._content(path)
        self._do("sync", lambda: None)
        if content is None:
            raise OSError(EIO, strerror(EIO))

    def rename(self, old: Path, new: Path) -> None:
        self._content(old)
        self._do("rename", lambda: self.tree.__setitem__(new, self.tree.pop(old)))

    def unlink(self, path: Path) -> None:
        self._content(path)
        self._do("unlink", lambda: self.tree.__delitem__(path))

    def close(self, fd: int) -> None:
        del self._open[fd]
        self._locked = {path: one for path, one in self._locked.items() if one != fd}
