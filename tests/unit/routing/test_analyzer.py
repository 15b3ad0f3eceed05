"""What is made of a call: its task, its size and its limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.call import Call, Kind, Requirements, Task
from orchestra_core.routing.analyzer import analyze, estimate_tokens


def call(text: str = "", **fields: Any) -> Call:
    plain: dict[str, Any] = {"id": "r", "kind": Kind.CHAT, "fields": {}, "received": 0.0}
    return Call(text=text, **({"characters": len(text)} | plain | fields))


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Write a Python function that reverses a list.", Task.CODE_GENERATION),
        ("what is wrong here?\n```\nfor i in x\n```", Task.CODE_GENERATION),
        ("Traceback (most recent call last):\n  File", Task.CODE_GENERATION),
        ("Prove that there are infinitely many primes.", Task.REASONING),
        ("Solve the equation 3x = 12.", Task.REASONING),
        ("Summarize the following text: the sea is deep", Task.ANALYSIS),
        ("Please compare these two offers", Task.ANALYSIS),
        ("A poem about the autumn, please", Task.CREATIVE),
        ("hello", Task.CONVERSATION),
        ("Hi! Thanks a lot!", Task.CONVERSATION),
        ("What is the capital of France?", Task.TEXT_GENERATION),
        ("Was ist die Hauptstadt von Frankreich?", Task.TEXT_GENERATION),
        ("", Task.TEXT_GENERATION),
        ("hello, " + "I would like to know more of the history of this town. " * 3, Task.TEXT_GENERATION),
        ("Summarize this: " + "the river runs to the sea " * 400, Task.ANALYSIS),
        ("the river runs to the sea " * 400 + "Summarize this.", Task.ANALYSIS),
        ("debug this sql query, then a poem", Task.CODE_GENERATION),
    ],
)
def test_the_task_is_inferred_from_the_text(text: str, task: Task) -> None:
    """Plain examples of each task, at the start or the end of long prompts too."""
    found = analyze(call(text))
    assert (task, True) == (found.task, found.inferred)


def test_a_stated_task_is_kept() -> None:
    """The client knows best."""
    found = analyze(call("write python code", task=Task.CREATIVE))
    assert (found.task, found.inferred) == (Task.CREATIVE, False)


@pytest.mark.parametrize(
    ("fields", "task", "kind", "needs"),
    [
        ({"kind": Kind.EMBEDDING}, Task.EMBEDDING, Kind.EMBEDDING, set()),
        ({"task": Task.EMBEDDING}, Task.EMBEDDING, Kind.EMBEDDING, set()),
        ({"needs": frozenset({"vision"})}, Task.VISION, Kind.CHAT, {"vision"}),
        ({"task": Task.VISION}, Task.VISION, Kind.CHAT, {"vision"}),
        ({"needs": frozenset({"tools"}), "text": "sql"}, Task.CODE_GENERATION, Kind.CHAT, {"tools"}),
    ],
)
def test_kind_and_needs_decide_the_task_and_the_other_way_round(
    fields: dict[str, Any], task: Task, kind: Kind, needs: set[str]
) -> None:
    """Embeddings and images are known by what is asked, and a stated task asks for them."""
    found = analyze(call(**fields))
    assert (task, kind, needs) == (found.task, found.kind, found.needs)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 200, 260),  # cl100k: 201
        ("自然言語処理は計算機科学の一分野である。" * 10, 120, 210),  # cl100k: about 200
        ("", 1, 10),
    ],
)
def test_tokens_are_estimated_within_a_third(text: str, low: int, high: int) -> None:
    """English and Japanese both come near what a tokeniser counts."""
    assert low <= estimate_tokens(text, len(text)) <= high


def test_all_characters_count_not_only_the_text_seen() -> None:
    """`text` may be a part of a conversation of `characters`."""
    assert estimate_tokens("short", 40_000) > 9_000


@given(st.text(max_size=3000), st.integers(0, 10**9))
def test_any_text_is_analysed(text: str, characters: int) -> None:
    """Nothing a client sends breaks the analysis, and the estimate is positive."""
    found = analyze(call(text, characters=characters))
    assert found.input_tokens >= 1
    assert found.task in Task


@pytest.mark.parametrize(
    ("asked", "limit", "cap"),
    [(None, None, None), (10, None, 10), (None, 20, 20), (10, 20, 10), (30, 20, 20)],
)
def test_the_smaller_limit_on_tokens_holds(asked: int | None, limit: int | None, cap: int | None) -> None:
    """A call and its requirements may both limit the answer."""
    found = analyze(call("x", max_tokens=asked, requirements=Requirements(max_tokens=limit)))
    assert cap == found.output_cap


def test_the_rest_is_passed_on() -> None:
    """Model, requirements and deadline reach the selector as they came; embeddings have no output."""
    wishes = Requirements(max_cost=1.0)
    found = analyze(
        call("x", model="m", requirements=wishes, deadline=5.0, kind=Kind.EMBEDDING, max_tokens=3)
    )
    assert ("m", wishes, 5.0, 0) == (found.model, found.requirements, found.deadline, found.output_cap)
