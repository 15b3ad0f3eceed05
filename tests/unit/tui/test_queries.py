"""The filter language: what passes, what is said of a mistake, and that nothing typed can hold the console up."""

import re
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_tui.present.pattern import PLACES, Pattern, PatternError
from orchestra_tui.present.query import LONGEST, complete, parse

ROWS = {
    "qwen": ("qwen2.5-coder:7b box1 ready", {"model": "qwen2.5-coder:7b", "backend": "box1", "state": "ready",
             "tok/s": "41.2", "mem": "5.9G", "last": "8s", "status": "503", "error": ""}),
    "llama": ("llama3.2:3b box2 loading", {"model": "llama3.2:3b", "backend": "box2", "state": "loading",
              "tok/s": "–", "mem": "900M", "last": "12m", "status": "450", "error": "out of memory"}),
    "embed": ("nomic-embed box2 unloaded", {"model": "nomic-embed", "backend": "box2", "state": "unloaded",
              "tok/s": "250", "mem": "–", "last": "–", "status": "200", "error": ""}),
}  # fmt: skip


def passing(text: str) -> str:
    query = parse(text)
    return " ".join(name for name, (words, fields) in ROWS.items() if query.matches(words, fields))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "qwen llama embed"),
        ("box2", "llama embed"),
        ("BOX2 3b", "llama"),
        ("!box2", "qwen"),
        ("!", "qwen llama embed"),
        ("box2 !embed", "llama"),
        ("qwen2.5-coder:7b", "qwen"),
        ("llama3x2", ""),
        ("^(qwen|nomic)", "qwen embed"),
        ("!^(qwen|nomic)", "llama"),
        ("coder:\\d+b$|embed", "embed"),
        ("\\d{1,2}b\\s", "qwen llama"),
        ('"coder:7b box1"', "qwen"),
        ('"(qwen"', ""),
        ("state:ready", "qwen"),
        ("state:", "qwen llama embed"),
        ("state:!ready", "llama embed"),
        ("!state:ready", "llama embed"),
        ("!state:!ready", "qwen"),
        ("state:^load", "llama"),
        ("state:^(un)?load", "llama embed"),
        ("state:ready,unloaded", "qwen embed"),
        ("state:!ready,unloaded", "llama"),
        ("model:3b", "llama"),
        ("error:memory", "llama"),
        ("error:.+", "llama"),
        ("!error:.+", "qwen embed"),
        ("status:5", "qwen"),
        ("status:45", "llama"),
        ("status:0", ""),
        ("tok/s>20", "qwen embed"),
        ("tok/s>=41.2 tok/s<100", "qwen"),
        ("!tok/s>20", "llama"),
        ("tok/s=250", "embed"),
        ("tok/s>", "qwen llama embed"),
        ("mem>1g", "qwen"),
        ("mem<1g", "llama"),
        ("last<5m", "qwen"),
        ("last>=2m", "llama"),
    ],
)
def test_what_passes(text: str, expected: str) -> None:
    """Words, expressions, fields and comparisons let through what they say."""
    assert passing(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(qwen", "a ( without a )"),
        ("qwen)", "a ) without a ("),
        ("[qwen", "a [ without a ]"),
        ("*qwen", "nothing to repeat before *"),
        ("qwen\\", "a \\ at the end"),
        ("(q)\\1", "\\1 is not supported"),
        ("(?=q)", "(? is not supported"),
        ("q{3,1}", "repeats too often"),
        ("q{1", "a { without a }"),
        ("q{x}", "{} needs numbers"),
        ("[z-a]", "a range that runs backwards"),
        ("((q{9}){9}){9}", "too long"),
        ("state:(x", "a ( without a )"),
        ("tok/s>fast", "fast is not a number"),
        ("x" * 301, "only the first 300"),
    ],
)
def test_a_mistake_is_said_in_the_chip(text: str, words: str) -> None:
    """What cannot be read as meant is told, and looked for as it stands."""
    query = parse(text)
    assert words in query.mistake
    assert query.mistake in query.chip
    assert query.matches(text[:LONGEST] + " and more", {"state": "is (x", "tok/s": "3"})


def test_a_field_that_does_not_exist_is_a_word() -> None:
    """Names of models have colons; with the names of the fields known, a comparison of no field is just text."""
    assert passing("nope:7b") == ""
    assert passing("coder:7b") == "qwen"
    assert parse("a>b", ("state",)).mistake == ""
    assert parse("state>b", ("state",)).mistake == "b is not a number"
    assert parse("a>b", ("state",)).matches("so a>b is")


def test_fields_and_their_values_are_completed() -> None:
    """The last word becomes a field, and after the colon one of its values."""
    known = {"state": ["ready", "loading"], "status": [], "backend": ["box1", "two words"]}
    assert complete("qwen st", known) == "qwen state:"
    assert complete("!ba", known) == "!backend:"
    assert complete("state:l", known) == "state:loading"
    assert complete("state:!r", known) == "state:!ready"
    assert complete("x state:ready,lo", known) == "x state:ready,loading"
    assert complete("backend:two", known) is None
    assert complete("state:ready", known) is None
    assert complete("", known) is None
    assert complete("x ", known) is None
    assert complete("zz", known) is None
    assert complete("s" * 400, known) is None


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(.*)*x",
        ".*.*.*.*.*.*.*.*=",
        "(a|b|ab)*c",
        "(((((a*)*)*)*)*)*b",
        "(a?){30}a{30}",
        "(.*a){12}",
        "(((((){64}){64}){64}){64}){64}",
        "(" * 300,
        "[" * 300,
        "a{64}" * 60,
        '"' * 300,
        "!" * 300,
    ],
)
def test_hostile_expressions_take_no_time(text: str) -> None:
    """What would hold a backtracking matcher for years is answered for five hundred rows at once."""
    begun = process_time()
    query = parse(text)
    for number in range(500):
        query.matches("ab" * (number % 7) + "a" * 200, {})
    assert process_time() - begun < 5.0


@given(
    st.text(max_size=400), st.text(max_size=400), st.dictionaries(st.text(max_size=8), st.text(max_size=40))
)
def test_nothing_that_is_typed_raises(text: str, row: str, fields: dict[str, str]) -> None:
    """Any text is a filter, and any row passes or does not."""
    query = parse(text)
    assert query.matches(row, fields) in (True, False)
    assert bool(query) == bool(text[:LONGEST].strip())
    assert complete(text, {name: [value] for name, value in fields.items()}) != text or not text


PIECES = st.sampled_from(
    [*'ab*+?|()[]{}^$.\\,0123-!:<>= "dDwWsS', "state:", "tok/s", "{2}", "{,3}", "(?:", "[^a]", "(a|b)*"]
)


@given(st.lists(PIECES, max_size=40).map("".join), st.text("ab01 :.", max_size=60))
@settings(max_examples=300)
def test_no_heap_of_signs_raises(text: str, row: str) -> None:
    """Whatever signs come together, there is an answer."""
    assert parse(text).matches(row, {"state": row, "tok/s": row}) in (True, False)


ATOMS = st.sampled_from(["a", "b", "0", ".", "\\d", "\\w", "[ab]", "[^a]", "[a-c0]", "\\.", "-", "\\D", "A"])
TIMES = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"])
EXPRESSIONS = st.recursive(
    st.tuples(ATOMS, TIMES).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, TIMES).map(lambda pair: f"({pair[0]}){pair[1]}"),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, st.booleans(), st.booleans(), st.text("aAbBc01.- ", max_size=8))
@settings(max_examples=400)
def test_expressions_mean_what_they_mean_elsewhere(inner: str, begin: bool, end: bool, text: str) -> None:
    """A pattern finds what Python's `re` finds, whatever the case of letters."""
    expression = f"{'^' if begin else ''}({inner}){'$' if end else ''}"
    try:
        pattern = Pattern(expression)
    except PatternError:
        return  # too many places
    expected = re.search(expression.replace("$", "\\Z"), text, re.IGNORECASE | re.ASCII) is not None
    assert pattern.found(text) is expected
    assert len(pattern._takes) <= PLACES
