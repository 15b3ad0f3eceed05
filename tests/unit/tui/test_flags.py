"""The console's own flags, from the command line to what is wrong with them."""

from pathlib import Path

import pytest

from orchestra_core.cli.program import execute
from orchestra_tui.__main__ import main


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a user who has none yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "config" / "ai-orchestra" / "console.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"view": "modles"}, "--view: there is no view 'modles'; did you mean 'models'?"),
        ({"theme": "norrd"}, "--theme: there is no theme 'norrd'; did you mean 'nord'?"),
    ],
)
def test_a_wrong_flag_is_said_before_anything_is_opened(
    wishes: dict[str, object], words: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the flag, and what was probably meant."""
    assert main("/nowhere/engine.sock", None, None, wishes=wishes) == 2
    assert words in capsys.readouterr().err


def test_a_wrong_setting_is_said_with_its_line(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The console does not open on a file that it does not understand; neither does the table of keys."""
    config.write_text("interval = 1\ntheme = 'x'\n[keys]\nquit = 'p'\n")
    assert main("/nowhere/engine.sock", None, None) == 2
    told = capsys.readouterr().err
    assert f"{config}:2: theme is 'x'" in told
    assert f"{config}:4: p is already the key of pause" in told
    assert execute(["--keys"]) == 2


def test_the_keys_are_printed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the ones that were changed; no terminal is needed for that."""
    config.write_text("[keys]\npause = 'f5'\n")
    assert execute(["--keys"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert any(row.startswith("*pause") and "f5" in row for row in rows)
    assert any(row.startswith(" model.load") and " L " in row for row in rows)


@pytest.mark.parametrize("flags", [["--interval", "60"], ["--interval", "x"], ["--no-mous"]])
def test_what_click_refuses_is_wrong_usage(flags: list[str]) -> None:
    """A value out of its range and a flag that does not exist end with code 2."""
    assert execute(flags) == 2
