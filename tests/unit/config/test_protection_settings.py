"""Keys, limits and rules of the web in the configuration, and files that others could write."""

import os
from pathlib import Path

import pytest

from orchestra_core.config import describe
from orchestra_core.domain.errors import ConfigError
from tests.unit.config.reading import OLLAMA, problems, read


def test_a_file_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    """The file can name commands to run, so a world-writable one is not read."""
    (tmp_path / "ai-orchestra.toml").write_text("")
    (tmp_path / "ai-orchestra.toml").chmod(0o666)
    with pytest.raises(ConfigError, match="chmod go-w"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o777, True), (0o1777, False), (0o755, False), (0o700, False)]
)
def test_a_file_that_others_can_replace_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    """Whoever may write the directory may put another file there, unless it is sticky."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf").chmod(mode)
    (tmp_path / "conf" / "c.toml").write_text("")
    if refused:
        with pytest.raises(ConfigError, match="replaced by others"):
            read(tmp_path, None, {"config": "conf/c.toml"})
    else:
        assert read(tmp_path, None, {"config": "conf/c.toml"}).server.port == 8080


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away to a group")
def test_a_group_of_others_is_others(tmp_path: Path) -> None:
    """Writable by a group that is not the owner's alone: the same refusal."""
    (tmp_path / "ai-orchestra.toml").write_text("")
    (tmp_path / "ai-orchestra.toml").chmod(0o664)
    assert read(tmp_path).server.port == 8080
    os.chown(tmp_path / "ai-orchestra.toml", 0, 1)
    with pytest.raises(ConfigError, match="chmod go-w"):
        read(tmp_path)


KEY = "[[keys]]\nname = 'a'\ndigest = 'sha256:" + "ab" * 32 + "'\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEY + KEY, "FILE:6: there is already a key with this digest"),
        (KEY.replace("name", "# name"), "FILE:1: this key has no name"),
        (KEY.replace("digest", "# digest"), "FILE:1: this key has no digest"),
        (KEY + "scopes = ['root']", "FILE:4: keys[0].scopes is ['root']; it must be a list of names out of"),
        (
            KEY + "requests_per_minute = -1",
            "FILE:4: keys[0].requests_per_minute is -1; it must be a whole number",
        ),
        (KEY + "expires = '90d'", "FILE:4: keys[0].expires is '90d'; it must be a date (its beginning, UTC)"),
        (KEY + "expires = 2027-01-31T12:00:00", "FILE:4: keys[0].expires is 2027-01-31 12:00:00; it must be"),
        ("keys = 1", "FILE:1: keys must be an array of tables"),
        ("[server]\nallowed_hosts = ['a b']", "FILE:2: server.allowed_hosts is ['a b']; it must be a list"),
        ("[server]\nallowed_hosts = ['*']", "FILE:2: server.allowed_hosts is ['*']; it must be a list"),
        (
            "[server]\ncors_origins = ['*']",
            "FILE:2: server.cors_origins is ['*']; it must be a list of origins",
        ),
        ("[server]\ncors_origins = ['null']", "FILE:2: server.cors_origins is ['null']; it must be"),
        (
            "[server]\ncors_origins = ['https://a/']",
            "FILE:2: server.cors_origins is ['https://a/']; it must be",
        ),
        (
            "[server]\nhost = '0.0.0.0'\nrequire_key = false",
            "FILE:3: server.require_key is false and server.host is 0.0.0.0",
        ),
        ("[limits]\nrequests_per_minute = 1.5", "FILE:2: limits.requests_per_minute is 1.5; it must be"),
        ("[logging]\nacces = 'x'", 'FILE:2: unknown key logging.acces; did you mean "access"?'),
        (
            OLLAMA.replace("127.0.0.1:11434", "169.254.169.254"),
            "FILE:4: no backend can be there: 169.254.169.254 is link-local",
        ),
        (
            OLLAMA.replace("127.0.0.1:11434", "metadata.google.internal"),
            "FILE:4: no backend can be there: metadata.google.internal is a cloud's metadata service",
        ),
        (OLLAMA.replace("127.0.0.1:11434", "0.0.0.0:1"), "FILE:4: no backend can be there: 0.0.0.0 is not"),
    ],
)
def test_what_is_wrong_with_protection_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """The same for keys, hosts, origins, limits and where backends are."""
    told = problems(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(expected)


def test_a_token_in_place_of_its_digest_is_not_repeated(tmp_path: Path) -> None:
    """It is an easy mistake, and the message goes to terminals and logs."""
    token = f"ork-01020304-{'5' * 48}"
    (told,) = problems(tmp_path, KEY.replace("sha256:" + "ab" * 32, token))
    assert "SHA-256 of the whole token" in told
    assert token not in told


def test_protection_is_read(tmp_path: Path) -> None:
    """Keys with the scopes they get by default, hosts, origins, limits, the access log under the state directory."""
    text = (
        "[server]\nhost = 'Gateway.lan'\nallowed_hosts = ['gw.lan:443', '[fd00::1]']\n"
        "cors_origins = ['https://app.example.com']\nrequire_key = true\n"
        "[limits]\ntokens_per_minute = 5\n[logging]\naccess = 'a.log'\n" + KEY
    )
    config = read(tmp_path, text, XDG_STATE_HOME="/state")
    assert config.server.host == "gateway.lan"
    assert config.server.allowed_hosts == ("gw.lan:443", "[fd00::1]")
    assert (config.server.cors_origins, config.server.require_key) == (("https://app.example.com",), True)
    assert (config.limits.requests_per_minute, config.limits.tokens_per_minute) == (0, 5)
    assert config.logging.access == Path("/state/ai-orchestra/a.log")
    (key,) = config.keys
    assert (key.id, key.name, key.scopes, key.declared) == ("abababab", "a", ("use",), True)
    assert read(tmp_path, "").server.require_key is None


@pytest.mark.parametrize("value", ["2027-01-15", "2027-01-15T00:00:00Z", "'2027-01-15'"])
def test_a_declared_key_may_expire(tmp_path: Path, value: str) -> None:
    """A date or time of TOML, or a text that is one; `config show` tells it."""
    config = read(tmp_path, f"{KEY}expires = {value}\n")
    assert [key.expires for key in config.keys] == [1_799_971_200.0]
    assert "abababab, use, until 2027-01-15T00:00:00.000Z" in [line[1] for line in describe(config)]


def test_an_environment_has_a_name_and_a_color(tmp_path: Path) -> None:
    """Both are as they are written; without them there are none, and anything may be changed."""
    plain = read(tmp_path, "").server
    assert (plain.environment, plain.environment_color, plain.read_only) == ("", "", False)
    text = "[server]\nenvironment = 'prod-a'\nenvironment_color = 'red'\nread_only = true\n"
    server = read(tmp_path, text).server
    assert (server.environment, server.environment_color, server.read_only) == ("prod-a", "red", True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("environment = 'a name'", "server.environment is 'a name'; it must be up to 24 letters"),
        (f"environment = '{'x' * 25}'", "it must be up to 24 letters"),
        ("environment_color = 'red'", "server.environment_color is the color of server.environment"),
        ("environment = 'a'\nenvironment_color = 'pink'", "it must be one of red, yellow, green, blue"),
        ("read_only = 1", "it must be true or false"),
    ],
)
def test_an_environment_that_cannot_be_shown_is_refused(tmp_path: Path, line: str, expected: str) -> None:
    """With the line and what it may be."""
    (told,) = problems(tmp_path, f"[server]\n{line}\n")
    assert expected in told
