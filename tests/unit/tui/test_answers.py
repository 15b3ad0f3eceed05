"""A playground answer: its numbers, and that model text stays text."""

from orchestra_tui.present.answer import Answer, facts, ticker
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.spans import Line, plain
from orchestra_tui.present.transcript import PROMPT_ROWS, Transcript


def transcript(answers: list[Answer], cells: int) -> list[Line]:
    return Transcript().lines(answers, cells, UNICODE)


def streamed() -> Answer:
    answer = Answer("why [b]?", "auto", sent=10.0)
    for index in range(5):
        answer.add(f"w{index} ", 10.5 + index * 0.25)
    return answer


def test_first_token_and_speed() -> None:
    """Time to the first token, then tokens a second after it."""
    answer = streamed()
    assert answer.first_token == 0.5
    assert answer.speed == 4.0
    answer.tokens, answer.engine_first = 9, 0.4
    assert answer.first_token == 0.4
    assert answer.speed == 8.0


def test_nothing_is_invented_before_it_is_known() -> None:
    """Without a token there is no first token and no speed."""
    answer = Answer("x", "auto", sent=1.0)
    assert answer.first_token is None
    assert answer.speed is None
    assert "waiting" in plain(transcript([answer], 40)[-1])


def test_markup_and_escapes_in_an_answer_are_shown_as_text() -> None:
    """Nothing a model says is interpreted."""
    answer = Answer("[red]p[/]", "auto", sent=0.0)
    answer.add("\x1b[2J[@click=app.exit]x[/]", 1.0)
    words = "\n".join(plain(row) for row in transcript([answer], 60))
    assert "[red]p[/]" in words
    assert "␛[2J[@click=app.exit]x[/]" in words


def test_code_has_its_own_tone() -> None:
    """A fenced block is told from prose, its fences included."""
    answer = Answer("p", "auto", sent=0.0)
    answer.add("text\n```py\nx = 1\n```\nmore", 1.0)
    tones = {plain(row).strip(): row[-1].tone for row in transcript([answer], 60)}
    assert tones["x = 1"] == tones["```py"] == tones["```"] == "code"
    assert tones["text"] == tones["more"] == ""


def test_an_answer_that_broke_off_has_no_more_to_come() -> None:
    """Its tokens were counted here and never reported, but they are all there is."""
    answer = streamed()
    answer.ended = "failed"
    pane = "\n".join(plain(row) for row in facts([answer], ["auto"], 40, 12.0, UNICODE))
    assert "so far" not in pane


def test_the_numbers_are_told_beside_or_below() -> None:
    """Model, backend, first token, speed and tokens are in the pane and in the narrow line."""
    answer = streamed()
    answer.model, answer.backend, answer.why = "m", "b", "shortest wait"
    pane = "\n".join(plain(row) for row in facts([answer], ["auto"], 40, 12.0, UNICODE))
    for words in ("running 2.0s", "0.50s", "4.0 tok/s", "5 so far", "shortest wait"):
        assert words in pane
    row = plain(ticker(answer, "auto", 78, 12.0, UNICODE))
    assert "m on b" in row
    assert "4.0 tok/s" in row


def test_an_unknown_cost_is_not_zero() -> None:
    """An answer that is done says what it cost, and where nobody knows, that."""
    answer = streamed()
    for ended, cost, told in (
        ("done", None, "cost        unknown"),
        ("done", 0.0, "cost        0"),
        ("", 0.0, None),
    ):
        answer.ended, answer.cost = ended, cost
        pane = [plain(row).strip() for row in facts([answer], ["auto"], 40, 12.0, UNICODE)]
        assert [row for row in pane if row.startswith("cost")] == ([told] if told else [])


def test_what_is_drawn_piece_by_piece_is_what_is_drawn_at_once() -> None:
    """However an answer is cut into pieces, its lines are the same in the end; code that is open stays code."""
    text = "one two three\n\n```py\n" + "x = 1\n" * 20 + "```\nend " + "word " * 30
    for step in (1, 3, 7, 50):
        answer, column = Answer("p", "auto", sent=0.0), Transcript()
        for start in range(0, len(text), step):
            answer.add(text[start : start + step], 1.0)
            drawn = column.lines([answer], 40, UNICODE)
        whole = Answer("p", "auto", sent=0.0)
        whole.add(text, 1.0)
        assert drawn == transcript([whole], 40)


def test_a_line_without_an_end_is_not_wrapped_from_its_beginning_each_time() -> None:
    """Of a megabyte in one line only the last part is drawn again; all of it is there."""
    answer, column = Answer("p", "auto", sent=0.0), Transcript()
    answer.add("word " * 200_000, 1.0)
    first = column.lines([answer], 80, UNICODE)
    answer.add("end", 2.0)
    again = column.lines([answer], 80, UNICODE)
    same = sum(old is new for old, new in zip(first, again, strict=False))
    assert same >= len(first) - 60
    assert sum(plain(row).count("word") for row in again) == 200_000


def test_a_pasted_prompt_is_not_repeated_whole() -> None:
    """Its first lines are, and how long it is."""
    answer = Answer("line\n" * 5000, "auto", sent=0.0)
    rows = [plain(row) for row in transcript([answer], 60)]
    assert len(rows) <= PROMPT_ROWS + 2
    assert "5001 lines, 25000 characters in all" in rows[PROMPT_ROWS]


def test_two_answers_stand_in_two_columns_of_numbers() -> None:
    """First token, speed, tokens and cost of both in one row each."""
    one, other = streamed(), streamed()
    one.ended, one.cost, other.engine_first, other.engine_total = "done", 0.002, 0.1, 2.1
    rows = [plain(row) for row in facts([one, other], ["a", "b"], 44, 12.0, UNICODE)]
    first = next(row for row in rows if row.startswith(" first token"))
    assert "0.50s" in first
    assert "0.10s" in first
    assert any(row.split()[:2] == ["cost", "0.002"] for row in rows)
    assert [row.split() for row in rows if row.startswith(" next asks")] == [
        ["next", "asks", "a"],
        ["next", "asks", "b"],
    ]


def test_what_an_answer_took_is_never_broken_in_the_middle() -> None:
    """Under a narrow column each number stays with its word."""
    answer = streamed()
    answer.model, answer.backend, answer.ended, answer.cost = "gemma3-270m", "local", "done", 0.0
    for cells in range(30, 100):
        rows = [plain(row) for row in transcript([answer], cells)]
        assert any("cost 0" in row for row in rows)
        assert any("first token 0.50s" in row for row in rows)
        assert all(len(row) <= cells for row in rows)


def test_an_answer_is_drawn_anew_with_other_signs() -> None:
    """Also one that has ended: signs of the kind before would be question marks."""
    answer, column = Answer("p", "auto", sent=0.0), Transcript()
    answer.ended = "done"
    column.lines([answer], 60, UNICODE)
    assert all(plain(row).isascii() for row in column.lines([answer], 60, ASCII))
