"""What may be written down: secrets cut out, log lines whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.trust.journal import LINE_BYTES, line
from orchestra_core.trust.redaction import redact, redact_command


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect API key provided: sk-proj-abcdefgh1234.", "Incorrect API key provided: sk-…1234."),
        ("Authorization: Bearer abcdefghijkl1234", "Authorization: Bearer …1234"),
        ("ork-01020304-000102030405060708090a0b0c0d0e0f1011121314151617", "ork-…1617"),
        ("postgresql://me:hunter22@db/x", "postgresql://me:***@db/x"),
        ("GET /x?api_key=abcdefghijkl1234&b=1", "GET /x?api_key=…1234&b=1"),
        ('{"api_key": "abcdefghijkl1234"}', '{"api_key": "…1234"}'),
        ("hf_abcdefghijklmnop", "hf_…mnop"),
        ("bearer short", "bearer short"),
        ("a task-oriented risk-averse model", "a task-oriented risk-averse model"),
        ("http://127.0.0.1:8080/v1 did not answer", "http://127.0.0.1:8080/v1 did not answer"),
        ("req-1a2b3c-000001 failed", "req-1a2b3c-000001 failed"),
    ],
)
def test_what_looks_like_a_secret_is_cut(text: str, shown: str) -> None:
    """To its kind and its last four characters; other words stay."""
    assert redact(text) == shown


def test_a_known_secret_is_cut_whatever_it_looks_like() -> None:
    """Also where nothing in its shape gives it away."""
    assert redact("refused: correct horse battery", ["correct horse battery"]) == "refused: …tery"
    assert redact("refused: tiny", ["tiny"]) == "refused: …"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("serve --api-key hush --port 1", "serve --api-key *** --port 1"),
        ("serve --api-key=hush -v", "serve --api-key=*** -v"),
        ("serve --hf-token hush", "serve --hf-token ***"),
        ("serve --token --api-key hush", "serve --token *** ***"),
        ("serve key hush", "serve key hush"),
        ("serve --max-tokens 5 sk-abcdefgh1234", "serve --max-tokens 5 sk-…1234"),
    ],
)
def test_secrets_in_a_command_are_stars(command: str, shown: str) -> None:
    """What follows an option for a secret, whatever it is."""
    assert " ".join(redact_command(command.split())) == shown


def test_a_log_line_obeys_nobody() -> None:
    """Line ends, escapes, C1, bidi and separators come out as escapes, and it is still the same value."""
    hostile = "a\r\nb\x1b[2J\x85\x9b31m\u2028\u2029\u202e\ufeff\x7f\x00"
    written = line({"path": hostile})
    assert written.count(b"\n") == 1
    assert written.endswith(b"\n")
    assert all(32 <= byte < 127 for byte in written[:-1])
    assert json.loads(written) == {"path": hostile}


@given(st.dictionaries(st.sampled_from(["path", "who", "agent"]), st.text(max_size=5000)), st.integers())
def test_a_log_line_is_bounded_and_whole(fields: dict[str, str], number: int) -> None:
    """Whatever is in it: at most 2 KiB, one line, valid JSON."""
    written = line({**fields, "n": number % 1000})
    assert len(written) <= LINE_BYTES
    assert written.count(b"\n") == 1
    assert json.loads(written)["n"] == number % 1000


def test_lone_surrogates_are_written() -> None:
    """They have no UTF-8, and yet a path may be decoded to them."""
    assert json.loads(line({"path": "a\ud800b"})) == {"path": "a?b"}
