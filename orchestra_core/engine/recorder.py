"""The flight recorder of this engine: where it writes, and what of the configuration it follows."""

from typing import TYPE_CHECKING

from orchestra_core import __version__
from orchestra_core.background.recorder import Recorder, header
from orchestra_core.background.recording_files import DIRECTORY, RecordingFiles
from orchestra_core.recording.ring import Bounds

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine


def flight_recorder(engine: "Engine") -> Recorder:
    """Of an engine that has its snapshots, and what lies beside them."""

    def bounds() -> Bounds | None:
        wanted = engine.config.recorder
        return Bounds(wanted.minutes * 60, wanted.bytes) if wanted.enabled else None

    def problem(told: str) -> None:
        engine.hub.publish("engine.recorder", "recorder", told, "warning")

    started = engine.clock.wall()
    # Tells the lives of engines apart, and names no machine.
    id = f"{int(started * 1000):x}"
    return Recorder(
        RecordingFiles(engine.config.paths.state_dir / DIRECTORY, id),
        header(__version__, id, started),
        clock=engine.clock,
        snapshot=engine.snapshots.lately,
        bounds=bounds,
        beside=engine.beside,
        problem=problem,
    )
