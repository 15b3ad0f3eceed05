"""Which answers may be given again: whole ones of the model that was asked, and no others."""

from typing import Any

import msgspec
import pytest

from orchestra_core.caching.rule import refusal
from orchestra_core.caching.stored import Stored, pack, unpack
from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Usage


def why(
    verdict: Verdict = Verdict.SUCCESS,
    finish: str | None = "stop",
    usage: Usage = Usage(5, 7),  # noqa: B008  frozen
    kind: Kind = Kind.CHAT,
    cap: int | None = None,
    **odd: bool,
) -> str:
    call = Call("r", kind, {}, 0.0, max_tokens=cap)
    flags: dict[str, Any] = {"degraded": False, "continued": False, "several": False}
    return refusal(call, Outcome(verdict, "b/m", usage=usage, finish=finish), **(flags | odd))


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call"])
def test_whole_answers_are_kept(finish: str) -> None:
    """The model came to its own end."""
    assert why(finish=finish) == ""


def test_an_embedding_has_no_end_to_come_to() -> None:
    """It is whole when it is there."""
    assert why(finish=None, kind=Kind.EMBEDDING) == ""


@pytest.mark.parametrize("verdict", [one for one in Verdict if one is not Verdict.SUCCESS])
def test_failures_are_never_kept(verdict: Verdict) -> None:
    """Of no kind."""
    assert why(verdict) == "failed"


def test_odd_answers_are_never_kept() -> None:
    """Of a lesser model, put together out of two, filtered, or ended for no reason given."""
    assert why(degraded=True) == "degraded"
    assert why(continued=True) == "continued"
    assert why(finish="content_filter") == "filtered"
    assert why(finish=None) == "cut"


@pytest.mark.parametrize(
    ("usage", "cap", "several", "kept"),
    [
        (Usage(5, 7), 7, False, True),
        (Usage(5, 7), 8, False, False),
        (Usage(5, 7), None, False, False),
        (Usage(5, 7, estimated=True), 7, False, False),
        (Usage(5, 7), 7, True, False),
    ],
)
def test_an_answer_is_cut_where_the_client_wanted_it_or_not_kept(
    usage: Usage, cap: int | None, several: bool, kept: bool
) -> None:
    """As long as the client allowed, by the backend's own count: it would be cut there again."""
    assert (why(finish="length", usage=usage, cap=cap, several=several) == "") is kept


def test_what_is_stored_comes_back_the_same() -> None:
    """Through bytes, as Redis keeps them; anything else is as if nothing were there."""
    stored = Stored("m", "b", "low", "d", "analysis", True, 5, Usage(5, 7), "stop", None, text="Ja, 日本")
    assert unpack(pack(stored)) == stored
    assert unpack(b"") is None
    assert pack(msgspec.structs.replace(stored, text="\ud800")) == b""
    assert unpack(pack(stored)[:-3]) is None
    assert unpack(b"\x93\x01\x02\x03") is None
