"""The table of keys in the README, between its two marks: `python -m tests.fakes.readme_keys` writes it anew."""

from pathlib import Path

from orchestra_tui.present.manual import markdown

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- keys: python -m tests.fakes.readme_keys -->\n", "\n<!-- end of keys -->"


def told() -> str:
    """What the README has now."""
    return README.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + markdown() + END + rest.partition(END)[2], "utf-8")
