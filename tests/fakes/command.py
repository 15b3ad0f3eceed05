"""One command of the command line, run in this process against a scripted engine over a real socket."""

from typing import Any

import pytest

from orchestra_core.cli.program import execute
from tests.fakes.scripted_engine import Answer, scripted


class Ran:
    def __init__(self, code: int, out: str, err: str, asked: list[Any]) -> None:
        self.code, self.out, self.err, self.asked = code, out, err, asked


def run(capsys: pytest.CaptureFixture[str], answers: dict[tuple[str, str], Answer], *arguments: str) -> Ran:
    with scripted(answers) as engine:
        code = execute([*arguments, "--url", engine.url])
    out, err = capsys.readouterr()
    return Ran(code, out, err, engine.asked)
