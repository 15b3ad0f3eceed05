"""From the configured URL to a file, and the statements compiled from the tables."""

from pathlib import Path

import pytest
from sqlmodel import SQLModel

from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.location import locate
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.sqlite.rows import INSERT_ATTEMPT, INSERT_REQUEST
from orchestra_core.storage.tables import AttemptRow, RequestRow


def test_three_slashes_are_relative_and_four_absolute() -> None:
    """The URL forms of SQLAlchemy are understood."""
    assert locate("sqlite:///some/orchestra.db") == Path.cwd() / "some" / "orchestra.db"
    assert locate("sqlite:////srv/orchestra.db") == Path("/srv/orchestra.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:secret@[db/orchestra", "postgresql://user"),
        ("mysql://db/orchestra", "mysql"),
        ("sqlite://", "sqlite:///path"),
        ("sqlite:///", "sqlite:///path"),
        ("sqlite:///:memory:", "memory"),
        ("orchestra.db", "sqlite:///path"),
    ],
)
def test_other_urls_are_refused_with_what_to_do(url: str, said: str) -> None:
    """The message names the setting and what is expected, and never repeats a password."""
    with pytest.raises(StoreError) as caught:
        store_at(url)
    assert "storage.url" in caught.value.message
    assert said in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("statement", "table"), [(INSERT_REQUEST, RequestRow), (INSERT_ATTEMPT, AttemptRow)])
def test_insert_statements_follow_the_field_order(statement: str, table: type[SQLModel]) -> None:
    """A tuple in the order of the table's fields lands in the right columns."""
    columns = statement.split("(", 1)[1].split(")", 1)[0].replace('"', "").split(", ")
    assert columns == list(table.model_fields)
    assert statement.count("?") == len(columns)
