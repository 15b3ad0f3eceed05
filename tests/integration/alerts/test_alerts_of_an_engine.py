"""Alerts of a whole engine: fired, delivered, acknowledged, silenced, over, and what a restart makes of them."""

import hmac
import json
import os
import stat
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fakes.engine_here import EngineHere
from tests.fakes.receiver import Receiver
from tests.fakes.turns import settle, until

# More than this is in use on every machine.
LOUD = "memory_warning = 0.0001\nmemory_critical = 0.0002\nmemory_seconds = 0\nresolve_seconds = 0\n"
QUIET = "memory_warning = 0.9998\nmemory_critical = 0.9999\nmemory_seconds = 0\nresolve_seconds = 0\n"
ALONE = 'off = ["models", "backends", "disk"]\n'
ID = "memory:host"


def alerts(limits: str, more: str = "") -> str:
    return f"[alerts]\n{limits}{ALONE}{more}"


def kept(home: Path) -> Path:
    """What an engine that has ended left of its alerts."""
    (file,) = home.rglob("alerts.json")
    return file


async def listed(here: EngineHere, query: str = "") -> Any:
    answer = await here.get(f"/api/v1/alerts{query}")
    assert answer.status == 200
    return answer.json


async def fires(here: EngineHere) -> dict[str, Any]:
    """The one alert, once it fires."""
    await until(lambda: any(view.firing for view in here.engine.alerts.views))
    (alert,) = (await listed(here))["alerts"]
    return dict(alert)


async def test_an_alert_fires_is_listed_and_is_over(tmp_path: Path) -> None:
    """In the API, the snapshot and the events; a configuration read again moves the limits at once."""
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        alert = await fires(here)
        assert (alert["id"], alert["severity"], alert["state"]) == (ID, "critical", "firing")
        assert "used, limit 0%" in alert["message"]
        assert here.snapshot().alerts[0].id == ID
        assert here.told("alert.fired") == [f"critical: {alert['message']}"]
        assert (await listed(here))["firing"] == 1
        here.file.write_text(here.file.read_text().replace(LOUD, QUIET))
        await here.engine.reload()
        await until(lambda: bool(here.told("alert.resolved")))
        assert (await listed(here))["alerts"] == []
        (over,) = (await listed(here, "?all=1"))["alerts"]
        assert (over["state"], over["times"]) == ("resolved", 1)


async def test_an_alert_is_acknowledged(tmp_path: Path) -> None:
    """With a reason and who it was; a wrong id is answered with the right one, and a finished one refused."""
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        await fires(here)
        answer = await here.post(f"/api/v1/alerts/{ID}/ack", {"reason": "a test"})
        assert answer.status == 200
        assert (answer.json["acknowledged"], answer.json["acknowledged_reason"]) == ("local", "a test")
        assert here.told("alert.acknowledged") == ["acknowledged by local: a test"]
        assert (await fires(here))["acknowledged"] == "local"
        wrong = await here.post("/api/v1/alerts/memory:hots/ack", {})
        assert (wrong.status, wrong.json["error"]["code"]) == (404, "alert_not_found")
        assert f"did you mean {ID}?" in wrong.json["error"]["message"]


async def test_a_silence_is_kept_over_a_restart(tmp_path: Path) -> None:
    """Of a whole rule, with its end; nobody is told meanwhile, and who takes it back hears of what fires."""
    async with EngineHere(tmp_path, [], alerts(QUIET)) as here:
        answer = await here.post("/api/v1/alerts/memory/silence", {"seconds": 3600, "reason": "moving"})
        assert answer.status == 200
        assert (answer.json["target"], answer.json["by"], answer.json["reason"]) == (
            "memory", "local", "moving",
        )  # fmt: skip
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        alert = await fires(here)
        assert (alert["silenced_by"], alert["silenced_reason"]) == ("local", "moving")
        listing = await listed(here)
        assert (listing["firing"], listing["silences"]) == (0, [answer.json])
        assert here.told("alert.fired") == []
        ended = await here.post("/api/v1/alerts/memory/unsilence", {})
        assert ended.json == answer.json
        await until(lambda: bool(here.told("alert.fired")))
        again = await here.post("/api/v1/alerts/memory/unsilence", {})
        assert again.status == 404


async def test_what_fires_is_not_told_again_by_the_next_engine(tmp_path: Path) -> None:
    """It goes on with its acknowledgement; when it is over, that is told. The file is private."""
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        fired = (await fires(here))["fired"]
        await here.post(f"/api/v1/alerts/{ID}/ack", {})
    assert stat.S_IMODE(os.stat(kept(tmp_path)).st_mode) == 0o600
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        alert = await fires(here)
        assert (alert["fired"], alert["acknowledged"]) == (fired, "local")
        for _ in range(3):
            here.engine.alerts.look()
        assert here.told("alert.fired") == []
    async with EngineHere(tmp_path, [], alerts(QUIET)) as here:
        await until(lambda: bool(here.told("alert.resolved")))


async def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    """The engine starts, says so, and loses nothing but what nobody could have read."""
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        await fires(here)
    file = kept(tmp_path)
    file.write_bytes(file.read_bytes()[:-7])
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        assert "put aside as alerts.json.unreadable" in here.told("alert.memory")[0]
        await fires(here)
        assert here.told("alert.fired") != []


@pytest.mark.parametrize(
    ("body", "words"),
    [({"seconds": 0}, "seconds"), ({"seconds": 1e9}, "seconds"), ({}, "seconds"), ({"second": 1}, "second"),
     ({"seconds": "1h"}, "seconds"), ({"seconds": 1, "reason": 3}, "reason")],
)  # fmt: skip
async def test_a_silence_needs_a_time(tmp_path: Path, body: dict[str, object], words: str) -> None:
    """Between nothing and thirty days; anything else is refused, naming the field."""
    async with EngineHere(tmp_path, [], alerts(QUIET)) as here:
        answer = await here.post("/api/v1/alerts/memory/silence", body)
        assert (answer.status, answer.json["error"]["param"]) == (400, words)
        rule = await here.post("/api/v1/alerts/memry/silence", {"seconds": 5})
        assert (rule.status, "did you mean memory?" in rule.json["error"]["message"]) == (404, True)


async def test_webhooks_are_told_what_they_asked_for(tmp_path: Path) -> None:
    """Signed, with the alert and whose it is; the state of each delivery can be seen."""
    async with Receiver() as chat, Receiver() as pager:
        hooks = (
            f'[[webhooks]]\nname = "chat"\nurl = "{chat.url}"\nsecret_env = "HOOK"\n'
            f'[[webhooks]]\nname = "pager"\nurl = "{pager.url}?t=1"\nevents = ["alert.resolved"]\n'
        )
        here = EngineHere(tmp_path, [], alerts(LOUD, hooks), environ={"HOOK": "s3cret"})
        async with here:
            alert = await fires(here)
            (posted,) = await chat.get(1)
            told = posted.json
            assert (told["event"], told["alert"]["id"]) == ("alert.fired", ID)
            assert told["text"] == f"{ID} critical: {alert['message']}"
            assert told["engine"]["address"] == here.engine.address
            signed = posted.headers["x-orchestra-timestamp"].encode() + b"." + posted.body
            digest = hmac.new(b"s3cret", signed, sha256).hexdigest()
            assert posted.headers["x-orchestra-signature"] == f"sha256={digest}"
            await until(lambda: here.engine.alerts.deliveries[0].sent == 1)
            states = {each["name"]: each for each in (await listed(here))["deliveries"]}
            assert (states["chat"]["sent"], states["pager"]["sent"]) == (1, 0)
            here.file.write_text(here.file.read_text().replace(LOUD, QUIET))
            await here.engine.reload()
            await chat.get(2)
            (late,) = await pager.get(1)
            assert (late.path, late.json["event"]) == ("/hook?t=1", "alert.resolved")
            assert "x-orchestra-signature" not in late.headers


async def test_a_webhook_that_fails_for_good_is_told(tmp_path: Path) -> None:
    """As an event and in its state; nothing else waits for it."""
    async with Receiver() as chat:
        chat.status = 403
        hook = f'[[webhooks]]\nname = "chat"\nurl = "{chat.url}"\n'
        async with EngineHere(tmp_path, [], alerts(LOUD, hook)) as here:
            await until(lambda: bool(here.told("alert.undelivered")))
            assert here.told("alert.undelivered") == [
                "alert.fired was not delivered after one try: it answered 403"
            ]
            (state,) = (await listed(here))["deliveries"]
            assert (state["failed"], state["error"]) == (1, "it answered 403")


async def test_what_was_not_delivered_is_by_the_next_engine(tmp_path: Path) -> None:
    """With the id it had, once; an engine after that has nothing to deliver."""
    async with Receiver() as chat:
        hook = f'[[webhooks]]\nname = "chat"\nurl = "{chat.url}"\n'
        chat.status = 503
        async with EngineHere(tmp_path, [], alerts(LOUD, hook)):
            first = (await chat.get(1))[0].headers["x-orchestra-delivery"]
        chat.posted.clear()
        chat.status = 204
        async with EngineHere(tmp_path, [], alerts(LOUD, hook)) as here:
            (posted,) = await chat.get(1)
            assert posted.headers["x-orchestra-delivery"] == first
            await until(lambda: here.engine.alerts.deliveries[0].sent == 1)
        async with EngineHere(tmp_path, [], alerts(LOUD, hook)) as here:
            await fires(here)
            await settle()
            assert here.engine.alerts.deliveries[0].queued == 0
        assert len(chat.posted) == 1


async def test_a_webhook_never_goes_to_a_forbidden_address(tmp_path: Path) -> None:
    """What its name resolves to is checked when it is connected to, as for backends."""
    hook = '[[webhooks]]\nname = "chat"\nurl = "http://2852039166/latest"\n'  # 169.254.169.254
    async with EngineHere(tmp_path, [], alerts(LOUD, hook)) as here:
        await until(lambda: bool(here.engine.alerts.deliveries[0].error))
        assert "not allowed" in here.engine.alerts.deliveries[0].error


async def test_the_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """With the alert in its environment, and of the engine's own no more than it needs."""
    told = tmp_path / "told"
    script = (
        f"import json, os, sys; open({str(told)!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))"
    )
    command = f"command = {json.dumps([sys.executable, '-c', script, '$HOME; *'])}\n"
    async with EngineHere(tmp_path, [], alerts(LOUD, command)) as here:
        await until(lambda: here.engine.alerts.deliveries[0].sent == 1)
        arguments, environ = json.loads(told.read_text())
    assert arguments == ["$HOME; *"]
    assert (environ["ORCHESTRA_EVENT"], environ["ORCHESTRA_ALERT_ID"]) == ("alert.fired", ID)
    assert environ["ORCHESTRA_ALERT_SEVERITY"] == "critical"
    assert float(environ["ORCHESTRA_ALERT_VALUE"]) > 0
    ours = {name for name in environ if not name.startswith("ORCHESTRA_")}
    assert ours <= {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}


@pytest.mark.parametrize(
    ("command", "words"),
    [(["false"], "ended with exit code 1"), (["/no/such/program"], "cannot be started"),
     (["sleep", "60"], "was ended after 0.2 s"), (["sh", "-c", "kill -9 $$"], "ended with signal 9")],
)  # fmt: skip
async def test_a_command_that_fails_is_told(tmp_path: Path, command: list[str], words: str) -> None:
    """However it does, and the engine goes on."""
    more = f"command = {json.dumps(command)}\ncommand_seconds = 0.2\n"
    async with EngineHere(tmp_path, [], alerts(LOUD, more)) as here:
        await until(lambda: bool(here.told("alert.undelivered")))
        assert words in here.told("alert.undelivered")[0]
        assert (await listed(here))["deliveries"][0]["failed"] == 1


async def test_deliveries_follow_the_configuration(tmp_path: Path) -> None:
    """One that is taken out ends, one that stays keeps what it has counted."""
    async with Receiver() as chat, Receiver() as other:
        hook = f'[[webhooks]]\nname = "chat"\nurl = "{chat.url}"\n'
        async with EngineHere(tmp_path, [], alerts(LOUD, hook)) as here:
            await until(lambda: here.engine.alerts.deliveries[0].sent == 1)
            more = f'[[webhooks]]\nname = "other"\nurl = "{other.url}"\n'
            here.file.write_text(here.file.read_text() + more)
            assert (await here.engine.reload()).applied == ("webhooks",)
            assert [(each.name, each.sent) for each in here.engine.alerts.deliveries] == [
                ("chat", 1), ("other", 0),
            ]  # fmt: skip
            here.file.write_text(here.file.read_text().replace(hook, "").replace(LOUD, QUIET))
            await here.engine.reload()
            (posted,) = await other.get(1)
            assert posted.json["event"] == "alert.resolved"
            await settle()
            assert len(chat.posted) == 1


async def test_a_command_takes_what_it_started_with_it(tmp_path: Path) -> None:
    """Its time limit ends the children of the command as well."""
    pid = tmp_path / "pid"
    shell = f"sleep 60 & echo $! > {pid}.new; mv {pid}.new {pid}; wait"
    more = f"command = {json.dumps(['sh', '-c', shell])}\ncommand_seconds = 0.5\n"
    async with EngineHere(tmp_path, [], alerts(LOUD, more)) as here:
        await until(lambda: bool(here.told("alert.undelivered")))
        child = int(pid.read_text())
        await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


async def test_a_rule_that_is_switched_off_ends_its_alerts(tmp_path: Path) -> None:
    """With the next look at a configuration that was read again."""
    async with EngineHere(tmp_path, [], alerts(LOUD)) as here:
        await fires(here)
        here.file.write_text(here.file.read_text().replace('off = ["models"', 'off = ["memory", "models"'))
        assert (await here.engine.reload()).applied == ("alerts.off",)
        await until(lambda: bool(here.told("alert.resolved")))
