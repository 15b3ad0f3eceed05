"""A terminal of its own for a program: a window of a private tmux server that reads nobody's configuration.

What a user does is typed into it, what a user sees is read off it. Nothing sleeps: whoever waits looks at the
window again and again until a deadline.
"""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
from rich.cells import cell_len

from tests.fakes.outside import wait_outside

# What a shell does: tells of the end, and is there for what is typed next.
SHELL = ("sh", "-c", '"$@"; echo "[ended $?]"; exec cat', "sh")
PATIENCE = 30.0


def missing() -> str:
    """Why there can be no such terminal here; empty if there can."""
    return "" if shutil.which("tmux") else "tmux is not installed"


class Terminal:
    """A program in a window of `size`, which outlives it. Use as a context manager.

    `more` are variables on top of a UTF-8 locale and 256 colours; with `jobs` it is started from a shell whose jobs it
    can be stopped and continued by.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        size: tuple[int, int] = (80, 24),
        *,
        more: Mapping[str, str] | None = None,
        jobs: bool = False,
    ) -> None:
        # The path of a socket may have some hundred bytes only: pytest's folders are too deep.
        self._folder = tempfile.TemporaryDirectory(prefix="term-")
        self._socket = str(Path(self._folder.name) / "tmux")
        self._environ = {
            **{name: value for name, value in environ.items() if name != "NO_COLOR"},
            "LANG": "C.UTF-8",
            "TERM": "screen-256color",
            **(more or {}),
        }
        self._argv = ["sh", "-i"] if jobs else [*SHELL, *argv]
        self._started_in = folder
        self._size = size

    def __enter__(self) -> "Terminal":
        columns, rows = self._size
        options = ["set-option -g status off", "set-option -s escape-time 10"]
        setup = [word for option in options for word in (*option.split(), ";")]
        window = ["new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows)]
        # As tmux has it; its own environment must not have it, or it would take itself for the one inside.
        environ = {**self._environ, "TMUX": f"{self._socket},0,0"}
        inherited = [f"{name}={value}" for name, value in environ.items()]
        try:
            self._tmux(*setup, *window, "-c", str(self._started_in), "env", "-i", *inherited, *self._argv)
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._tmux("kill-server")
        self._folder.cleanup()

    # -- what the user does

    def keys(self, *names: str) -> None:
        """Presses keys by name: `Enter`, `Escape`, `C-q`, `2`."""
        self._tmux("send-keys", "-t", "t", *names)

    def type(self, text: str) -> None:
        """Types text as it is."""
        self._tmux("send-keys", "-t", "t", "-l", "--", text)

    def resize(self, columns: int, rows: int) -> None:
        self._size = (columns, rows)
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    @property
    def pid(self) -> int:
        """Of the program."""
        [program] = psutil.Process(int(self._shown("#{pane_pid}"))).children()
        return program.pid

    def close(self) -> None:
        """The window is closed, as by a connection that is cut: what runs in it is told so by SIGHUP."""
        self._tmux("kill-session", "-t", "t")

    # -- what the user sees

    @property
    def text(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "t")

    @property
    def styled(self) -> str:
        """With the sequences of its colours."""
        return self._tmux("capture-pane", "-e", "-p", "-t", "t")

    @property
    def buffer(self) -> str:
        """What was copied last; empty where nothing was."""
        try:
            return self._tmux("show-buffer")
        except subprocess.CalledProcessError:
            return ""

    @property
    def rows(self) -> list[str]:
        return self.text.splitlines()

    @property
    def widest(self) -> int:
        """Cells of the widest row."""
        return max((cell_len(row) for row in self.rows), default=0)

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    @property
    def exit_code(self) -> int | None:
        """Of the program, None while it runs."""
        found = re.search(r"\[ended (\d+)\]", self.text)
        return int(found[1]) if found else None

    def is_restored(self) -> bool:
        """Whether the program gave the terminal back: its screen, the cursor, and the echo of what is typed."""
        self.type("typed")
        self.sees("typed")
        return self._shown("#{alternate_on} #{cursor_flag} #{mouse_any_flag}") == "0 1 0"

    def sees(self, words: str, seconds: float = PATIENCE) -> str:
        """Waits until `words` are in the window, and returns its text."""
        self.until(lambda: words in self.text, words, seconds)
        return self.text

    def sees_not(self, words: str, seconds: float = PATIENCE) -> str:
        """Waits until `words` are not in the window, and returns its text."""
        self.until(lambda: words not in self.text, f"an end of {words}", seconds)
        return self.text

    def row(self, words: str, *others: str, seconds: float = PATIENCE) -> str:
        """Waits for a row with all of these words, and returns it."""
        found: list[str] = []

        def look() -> bool:
            found[:] = [row for row in self.rows if all(word in row for word in (words, *others))]
            return bool(found)

        self.until(look, f"a row with {(words, *others)}", seconds)
        return found[0]

    def ended(self, seconds: float = PATIENCE) -> int:
        """Waits for the end of the program, and returns its exit code."""
        self.until(lambda: self.exit_code is not None, "an end of the program", seconds)
        code = self.exit_code
        assert code is not None
        return code

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        try:
            wait_outside(condition, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text}") from error

    def _shown(self, form: str) -> str:
        return self._tmux("display-message", "-p", "-t", "t", form).strip()

    def _tmux(self, *words: str) -> str:
        ran = subprocess.run(
            ["tmux", "-u", "-f", "/dev/null", "-S", self._socket, *words],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return ran.stdout
