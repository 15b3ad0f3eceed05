"""What is alarming, and who is told, in the configuration."""

from pathlib import Path

import pytest

from orchestra_core.config import describe
from tests.unit.config.reading import problems, read

HOOK = '[[webhooks]]\nname = "chat"\nurl = "https://hooks.example.com/T123?sig=abc"\n'


def shown(home: Path, text: str, **env: str) -> dict[str, str]:
    return {key: value for key, value, _ in describe(read(home, text, **env))}


def test_everything_has_a_default(tmp_path: Path) -> None:
    """All rules are on, with the limits of the gauges; nobody but log and events is told."""
    config = read(tmp_path)
    alerts = config.alerts
    assert (alerts.off, alerts.memory_warning, alerts.memory_critical) == ((), 0.7, 0.9)
    assert (alerts.command, config.webhooks) == ((), ())


def test_limits_and_rules_are_taken_as_given(tmp_path: Path) -> None:
    """Sizes may have units; a rule is switched off by its name."""
    text = '[alerts]\noff = ["latency", "disk"]\ndisk_warning = "4GiB"\nerrors_window = 120\n'
    alerts = read(tmp_path, text + 'command = ["/bin/page", "-x"]\n').alerts
    assert (alerts.off, alerts.disk_warning, alerts.errors_window) == (("latency", "disk"), 4 * 2**30, 120)
    assert alerts.command == ("/bin/page", "-x")
    assert alerts.hold("errors") == 10.0
    assert alerts.hold("breakers") == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('off = ["latencies"]', "alerts.off is ['latencies']; it must be a list of names out of backends, breakers"),
        ("errors_warning = 0.6", "alerts.errors_warning (0.6) must be below alerts.errors_critical (0.5)"),
        ("latency_warning = 6", "alerts.latency_warning (6) must be below alerts.latency_critical (5)"),
        ("latency_warning = 1", "alerts.latency_warning is 1; it must be a number"),
        ("journal_critical = 0.1", "alerts.journal_warning (0.25) must be below alerts.journal_critical (0.1)"),
        ('disk_warning = "1MB"', "alerts.disk_critical (536870912) must be below alerts.disk_warning (1000000)"),
        ("errors_window = 301", "alerts.errors_window is 301; it must be a whole number from 1 to 300"),
        ("memory_seconds = -1", "alerts.memory_seconds is -1; it must be a number from 0 to 86400"),
        ('command = "page me"', "alerts.command is 'page me'; it must be a list of texts: a program"),
        ("command_seconds = 0", "alerts.command_seconds is 0; it must be a number"),
        ("memory_warnin = 0.5", "unknown key alerts.memory_warnin; did you mean \"memory_warning\"?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """With file, line, and what is allowed."""
    told = problems(tmp_path, f"[alerts]\n{text}")
    assert len(told) == 1
    assert told[0].startswith(f"FILE:2: {expected}")


def test_a_webhook_has_its_secret_from_the_environment(tmp_path: Path) -> None:
    """It is not shown, nor is what of its URL may be a password."""
    text = HOOK + 'secret_env = "HOOK_SECRET"\nevents = ["alert.fired"]\n'
    (webhook,) = read(tmp_path, text, HOOK_SECRET="s3cret").webhooks
    assert webhook.secret is not None
    assert webhook.secret.reveal() == "s3cret"
    assert (webhook.url, webhook.events) == ("https://hooks.example.com/T123?sig=abc", ("alert.fired",))
    seen = shown(tmp_path, text, HOOK_SECRET="s3cret")
    assert seen["webhooks.chat.url"] == "https://hooks.example.com/…"
    assert seen["webhooks.chat.secret"] == "(set)"
    everything = f"{seen}{webhook!r}{read(tmp_path, text, HOOK_SECRET='s3cret').alerts!r}"
    assert not [secret for secret in ("s3cret", "T123", "abc") if secret in everything]


def test_a_secret_that_is_not_set_is_told(tmp_path: Path) -> None:
    """What is sent is not signed then, and whoever checks it would refuse it."""
    config = read(tmp_path, HOOK + 'secret_env = "HOOK_SECRET"\n')
    assert config.webhooks[0].secret is None
    assert any("webhook chat: HOOK_SECRET is not set" in note for note in config.notes)


def test_a_webhook_is_called_by_its_host_unless_it_has_a_name(tmp_path: Path) -> None:
    """Two of one host need one."""
    text = '[[webhooks]]\nurl = "http://10.0.0.5:9000/x"\n'
    assert read(tmp_path, text).webhooks[0].name == "10.0.0.5"
    assert 'there is already a webhook named "10.0.0.5"' in problems(tmp_path, text * 2)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('url = "http://169.254.169.254/latest"', "no webhook can be there: 169.254.169.254 is link-local"),
        (
            'url = "http://metadata.google.internal/"',
            "no webhook can be there: metadata.google.internal is a cloud's",
        ),
        ('url = "http://[fd00:ec2::254]/"', "no webhook can be there"),
        ('url = "ftp://example.com/x"', "webhooks[0].url is 'ftp://example.com/x'; it must be http://host"),
        (
            'url = "https://user:pw@example.com/"',
            "webhooks[0].url is 'https://user:***@example.com/'; it must be",
        ),
        ('url = "https://example.com/#x"', "webhooks[0].url is"),
        ('url = "unix:///run/x.sock"', "webhooks[0].url is"),
        ('name = "chat"', "this webhook has no url"),
        ('url = "http://a.example/"\nevents = ["alert.frd"]', "webhooks[0].events is ['alert.frd']"),
        ('url = "http://a.example/"\nsecret_env = "A B"', "webhooks[0].secret_env is 'A B'"),
        ('url = "http://a.example/"\nsecret = "x"', "unknown key webhooks[0].secret"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """By the rules of backends: nothing is sent to a cloud's metadata service."""
    told = problems(tmp_path, f"[[webhooks]]\n{text}")
    assert len(told) == 1
    assert expected in told[0]


def test_a_single_table_of_webhooks_is_explained(tmp_path: Path) -> None:
    """As for backends."""
    assert "written [[webhooks]]" in problems(tmp_path, '[webhooks]\nurl = "http://a"')[0]


def test_a_command_is_shown_without_secrets(tmp_path: Path) -> None:
    """Of options that take one."""
    text = '[alerts]\ncommand = ["page", "--token", "abcdef123"]\n'
    assert shown(tmp_path, text)["alerts.command"] == "page, --token, ***"
