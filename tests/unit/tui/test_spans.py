"""Toned text: cutting, fitting and wrapping by cells."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestra_tui.present.spans import cut, cut_line, fit, line, pad, plain, span, width, wrap, wrapped

WORDS = st.text(alphabet=st.sampled_from("abc xyz模型é-_."), max_size=80)


@given(WORDS, st.integers(1, 40))
def test_cut_and_pad_keep_to_their_cells(value: str, cells: int) -> None:
    """A cut text is never wider than asked, a padded one exactly as wide."""
    assert cell_len(cut(value, cells)) <= cells
    assert cell_len(pad(value, cells)) == cells
    assert cell_len(pad(value, cells, right=True)) == cells


@given(WORDS, st.integers(2, 30))
def test_wrapping_loses_nothing_but_spaces(value: str, cells: int) -> None:
    """Each piece fits, and all letters are there in their order."""
    pieces = wrap(value, cells)
    assert all(cell_len(piece) <= cells for piece in pieces)
    assert "".join(pieces).replace(" ", "") == value.replace(" ", "")


def test_wrapping_keeps_the_indent_of_code() -> None:
    """A line that fits is taken as it is."""
    assert wrap("    return x", 20) == ("    return x",)


def test_fit_drops_the_least_important_first() -> None:
    """What does not fit goes by rank, and rank 0 never goes."""
    parts = [(0, line("name")), (2, line("least")), (1, line("more"))]
    assert plain(fit(parts, 40)) == "name  least  more"
    assert plain(fit(parts, 12)) == "name  more"
    assert plain(fit(parts, 5)) == "name"


@given(st.lists(WORDS, max_size=5), st.integers(1, 40))
def test_a_cut_line_fits(texts: list[str], cells: int) -> None:
    """Whatever spans a line has, cut it fits."""
    assert width(cut_line(line(*texts), cells)) <= cells


def test_foreign_text_is_sanitised_where_it_enters() -> None:
    """There is no way to put a control character into a line."""
    assert plain(line(span("\x1b[2J"), "b\nc")) == "␛[2Jb c"
    assert [plain(row) for row in wrapped("a\x07\nb", 20)] == ["a\\x07", "b"]


def test_long_names_break_at_their_joints() -> None:
    """A name longer than the line is broken after a hyphen, dot or slash where there is one."""
    assert wrap("sim-llama-3.3-70b-instruct", 22) == ("sim-llama-3.3-70b-", "instruct")
    assert wrap("x" * 30, 22) == ("x" * 22, "x" * 8)
