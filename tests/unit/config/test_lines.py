"""The line of each key in a TOML document."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.config.lines import find_lines

DOCUMENT = '''\
top = 1

[server]   # a comment with [brackets]
host = "a # no comment"
port = 1

[[backends]]
name = "one"
models = [
  "x", # ] "
  "y = 1",
]
[[backends]]
name = """
several = "lines"
[not.a.table]
"""
files = { "a:b" = "c", d = "e" }
url = 'x'

[models."llama3.2:3b"]
quality = "low"
a.b = 2
'''


def test_every_kind_of_key_is_found_at_its_line() -> None:
    """Plain, quoted, dotted and array keys are found, and strings or comments that look like keys are not."""
    lines = find_lines(DOCUMENT)
    tomllib.loads(DOCUMENT)
    assert lines == {
        ("top",): 1,
        ("server",): 3,
        ("server", "host"): 4,
        ("server", "port"): 5,
        ("backends",): 7,
        ("backends", 0): 7,
        ("backends", 0, "name"): 8,
        ("backends", 0, "models"): 9,
        ("backends", 1): 13,
        ("backends", 1, "name"): 14,
        ("backends", 1, "files"): 18,
        ("backends", 1, "url"): 19,
        ("models", "llama3.2:3b"): 21,
        ("models", "llama3.2:3b", "quality"): 22,
        ("models", "llama3.2:3b", "a"): 23,
        ("models", "llama3.2:3b", "a", "b"): 23,
    }


VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(
        ['"a"', "'b'", '"""x\ny = 1\n"""', "'''\n[t]\n'''", '["a", [1], # ]\n 2]', "{ k = 1 }", '"\\""', '""']
    ),
)
KEYS = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g-h"])
TABLES = st.lists(
    st.tuples(st.sampled_from(["[t1]", "[t2.x]", '[t3."y z"]']), st.dictionaries(KEYS, VALUES)), max_size=3
)


@given(TABLES)
def test_every_key_tomllib_reads_has_the_line_it_was_written_on(
    tables: list[tuple[str, dict[str, str]]],
) -> None:
    """For any document, each key of each table is reported on the line its text starts with that key."""
    unique = dict(tables)
    text = "".join(
        head + "\n" + "".join(f"{k} = {v}\n" for k, v in rows.items()) for head, rows in unique.items()
    )
    rows = text.split("\n")
    lines = find_lines(text)
    written = 0
    for head, entries in unique.items():
        path = next(path for path, line in lines.items() if rows[line - 1] == head)
        for key in entries:
            assert rows[lines[(*path, key.strip("\"'"))] - 1].startswith(f"{key} = ")
            written += 1
    assert written == sum(len(entries) for entries in unique.values())
