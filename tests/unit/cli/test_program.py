"""The command line without an engine: help, usage, configuration, safe output."""

import json
import re
import stat
from pathlib import Path

import pytest

from orchestra_core import __version__
from orchestra_core.cli.doctor.machine import check_machine
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.output import spell_json
from orchestra_core.cli.program import COMMANDS, Commands, execute, root
from orchestra_core.cli.spelling import pairs, seconds, size
from orchestra_core.cli.target import find_target

pytestmark = pytest.mark.usefixtures("home")


def test_help_names_every_command_without_importing_them(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists all commands and the exit codes."""
    assert execute(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert "Exit codes" in out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_every_listed_command_exists_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each name in the table leads to a command that explains itself."""
    assert isinstance(root, Commands)
    assert execute([name, "--help"]) == 0
    assert f"Usage: ai-orchestra {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["frob"],
        ["models", "--best-for", "cooking"],
        ["query"],
        ["query", "--prompt", " "],
        ["select"],
        ["version", "--format", "xml"],
    ],
)
def test_wrong_usage_is_code_2_on_stderr(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command, a missing or a wrong option is the caller's mistake."""
    assert execute(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage:" in err


def test_version_in_both_formats(capsys: pytest.CaptureFixture[str]) -> None:
    """Text for people, JSON for programs, the same version."""
    assert execute(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"ai-orchestra {__version__}")
    execute(["version", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == __version__
    assert told["build"].startswith(("pure Python", "compiled"))


def test_config_init_writes_a_private_file_that_passes_the_check(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """init, check and show work together, and init does not overwrite."""
    assert execute(["config", "init"]) == 0
    file = home / ".config" / "ai-orchestra" / "config.toml"
    assert capsys.readouterr().out == f"{file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert execute(["config", "check"]) == 0
    assert capsys.readouterr().out == f"ok: {file}\n"
    assert execute(["config", "init"]) == 1
    assert "--force" in capsys.readouterr().err
    assert execute(["config", "show", "--json"]) == 0
    shown = {entry["key"]: entry for entry in json.loads(capsys.readouterr().out)["settings"]}
    assert shown["server.port"] == {"key": "server.port", "value": "8080", "source": f"{file}:9"}


def test_config_check_tells_errors_with_lines(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error is on stderr with its line and code 1; as JSON it is a list."""
    (home / "ai-orchestra.toml").write_text("[server]\nprot = 1\n")
    assert execute(["config", "check"]) == 1
    assert f"{home}/ai-orchestra.toml:2: unknown key server.prot" in capsys.readouterr().err
    assert execute(["--config", "ai-orchestra.toml", "config", "check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_config_check_notes_files_that_are_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A note and no error: a disk may come later. A file that is there is not mentioned."""
    (home / "m.gguf").touch()
    (home / "ai-orchestra.toml").write_text(
        f'[[backends]]\nname = "mine"\nkind = "managed"\nfiles = {{ there = "{home}/m.gguf", gone = "/nope/m.gguf" }}\n'
    )
    assert execute(["config", "check"]) == 0
    told = capsys.readouterr().err
    assert "backend mine: /nope/m.gguf, the file of gone, is not there" in told
    assert "the file of there" not in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell gets a script that calls back the program."""
    assert execute(["completion", shell]) == 0
    assert f"_AI_ORCHESTRA_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_the_engine_is_looked_for_in_the_order_of_the_contract(home: Path) -> None:
    """--url, ORCHESTRATOR_URL, then (no socket answering) ORCHESTRATOR_HOST and API_PORT."""
    env = {
        "HOME": str(home),
        "ORCHESTRATOR_URL": "http://b:2/",
        "ORCHESTRATOR_HOST": "0.0.0.0",
        "API_PORT": "81",
    }
    assert find_target("http://a:1", None, env).url == "http://a:1"
    assert find_target(None, None, env).url == "http://b:2"
    assert find_target(None, "/tmp/e.sock", env).socket == "/tmp/e.sock"
    del env["ORCHESTRATOR_URL"]
    assert find_target(None, None, env).url == "http://127.0.0.1:81"
    assert (
        find_target(None, None, {"HOME": str(home), "ORCHESTRATOR_API_PORT": "82"}).url
        == "http://127.0.0.1:82"
    )
    assert find_target(None, None, {"HOME": str(home), "ORCHESTRATOR_HOST": "::1"}).url == "http://[::1]:8080"
    (home / "ai-orchestra.toml").write_text("[server]\nport = 83\n")
    assert find_target(None, None, {"HOME": str(home)}).url == "http://127.0.0.1:83"


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://h:99999"])
def test_an_address_that_cannot_be_is_wrong_usage(url: str) -> None:
    """A mistyped --url is told before anything is sent."""
    with pytest.raises(Failure) as caught:
        find_target(url, None, {})
    assert caught.value.code == 2


def test_json_is_escaped_where_a_terminal_would_obey() -> None:
    """Escape, C1 and bidi controls are escapes in the text and still the same value."""
    value = {"a": "x\x1b[2J\x9b\u202e€"}
    text = spell_json(value)
    assert not any(char in text for char in "\x1b\x9b\u202e")
    assert json.loads(text) == value


def test_values_unknown_are_dashes() -> None:
    """What is not known is never shown as zero."""
    assert (seconds(None), size(None), pairs({})) == ("-", "-", "-")
    assert (seconds(0.0123), seconds(2.34), size(999), size(4_900_000_000)) == (
        "12 ms",
        "2.3 s",
        "999 B",
        "4.9 GB",
    )


def test_memory_is_told_in_the_units_of_the_console() -> None:
    """Binary, as the gauges have it: decimal gigabytes would be seven per cent more of the same memory."""
    told = next(found for found in check_machine({}) if found.name == "memory")
    assert re.fullmatch(r"[\d.]+ [GM]iB of [\d.]+ GiB available", told.detail)
