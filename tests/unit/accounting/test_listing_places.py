"""The word that says where the next page begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.listing import Place, read, spell


@given(st.floats(allow_nan=False), st.integers(0, 2**63 - 1))
def test_a_place_comes_back_from_its_word(at: float, number: int) -> None:
    """To the last bit, and safe in a query string."""
    word = spell(Place(at, number))
    assert read(word) == Place(at, number)
    assert word.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "aaaa",
        "ä" * 22,
        "_" * 22,
        spell(Place(1.0, 2)) + "A",
        "f_8AAAAAAAAAAAAAAAAAAQ",
        "A" * 21 + "B",
        "A" * 11 + "!" + "A" * 11,
    ],
)
def test_anything_else_is_refused(word: str) -> None:
    """Nothing that was not made by `spell` is taken for a place: too short, too long, no number."""
    with pytest.raises(ValueError, match=f"^{word}$"):
        read(word)
