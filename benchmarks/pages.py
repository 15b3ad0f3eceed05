"""RESULTS.md is written by several benchmarks: each replaces its own chapter and leaves the others alone."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent / "RESULTS.md"


def publish(name: str, text: str, page: Path = PAGE) -> Path:
    """Puts a chapter between its two marks, at the end of the page if they are not there yet."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    chapter = f"{begin}{text.rstrip()}\n{end}"
    old = page.read_text() if page.exists() else ""
    if begin in old:
        before, _, rest = old.partition(begin)
        page.write_text(before + chapter + rest.partition(end)[2])
    else:
        page.write_text(f"{old.rstrip()}\n\n{chapter}" if old.strip() else chapter)
    return page
