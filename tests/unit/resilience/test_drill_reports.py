"""The file with the reports of the last drills."""

import threading
from pathlib import Path

from orchestra_core.domain.drills import DrillReport
from orchestra_core.engine.drill_reports import DrillReports
from orchestra_core.resilience.drill_board import KEPT, Board


def report(number: int) -> DrillReport:
    return DrillReport(
        f"d-{number}", "be/m", "cut", "cut after 4 tokens", 1.0, 5.0, "done", "ann", "2026-11-23T10:00:00Z"
    )


async def test_what_is_kept_is_read_again_and_bounded(tmp_path: Path) -> None:
    """Newest first; of more than are kept the oldest are left out, and one more pushes out the last."""
    said: list[tuple[str, ...]] = []
    reports = [report(number) for number in range(KEPT + 5)]
    file = DrillReports(tmp_path / "state" / "drills.json", lambda *words: said.append(words))
    assert file.load() == []
    await file.keep(reports)
    board = Board(DrillReports(tmp_path / "state" / "drills.json", lambda *words: said.append(words)).load())
    assert list(board.reports) == reports[:KEPT]
    assert said == []


async def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    """It is put aside for people to look at, and an engine starts without it."""
    said: list[tuple[str, ...]] = []
    path = tmp_path / "drills.json"
    path.write_text("[{", "utf-8")
    assert DrillReports(path, lambda *words: said.append(words)).load() == []
    assert "put aside as drills.json.unreadable" in said.pop()[2]
    assert path.with_name("drills.json.unreadable").exists()
    path.mkdir()
    threads = []
    file = DrillReports(path, lambda *words: (said.append(words), threads.append(threading.current_thread())))
    await file.keep([report(1)])
    assert "a restart would forget the last reports" in said.pop()[2]
    assert threads == [threading.main_thread()]  # events are published there, and nowhere else
