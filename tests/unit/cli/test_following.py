"""A load that is followed to its end, whatever that is."""

from collections.abc import Iterator

import msgspec
import pytest

from orchestra_core.cli.client import EngineClient, Target
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.following import follow
from orchestra_core.cli.options import Session
from tests.fakes.scripted_engine import model, snapshot

OPERATION = {"backend": "box", "model": "m"}


def seen(*residencies: str) -> Iterator[tuple[str, bytes]]:
    for residency in residencies:
        yield "snapshot", msgspec.json.encode(snapshot(model(residency, backend="box", name="m")))


def followed(*happening: tuple[str, bytes]) -> str:
    session = Session(False, None, None, None, None)
    client = EngineClient(Target("http://127.0.0.1:1"))
    with pytest.raises(Failure) as failed:
        follow(session, client, "load", OPERATION, iter(happening))
    return failed.value.message


def test_a_backend_that_goes_meanwhile_is_told() -> None:
    """A reload has removed it."""
    gone = "snapshot", msgspec.json.encode(snapshot())
    assert "box/m is no longer there" in followed(*seen("absent"), gone)
