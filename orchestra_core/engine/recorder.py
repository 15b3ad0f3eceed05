"""The flight recorder of this engine: where it writes, and what of the configuration it follows."""

from collections.abc import Awaitable, Callable

from orchestra_core import __version__
from orchestra_core.background.recorder import Recorder, header
from orchestra_core.background.recording_files import DIRECTORY, RecordingFiles
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording.ring import Bounds


def flight_recorder(
    config: Callable[[], Config],
    clock: Clock,
    lately: Callable[[float], tuple[Snapshot, int]],
    say: Callable[[str, str, str, str], None],
    beside: Callable[[], Awaitable[bytes]],
) -> Recorder:
    """`say` publishes what cannot be recorded; `beside` is what each part of it holds beside the states."""

    def bounds() -> Bounds | None:
        wanted = config().recorder
        return Bounds(wanted.minutes * 60, wanted.bytes) if wanted.enabled else None

    started = clock.wall()
    # Tells the lives of engines apart, and names no machine.
    engine = f"{int(started * 1000):x}"
    return Recorder(
        RecordingFiles(config().paths.state_dir / DIRECTORY, engine),
        header(__version__, engine, started),
        clock=clock,
        snapshot=lately,
        bounds=bounds,
        beside=beside,
        problem=lambda told: say("engine.recorder", "recorder", told, "warning"),
    )
