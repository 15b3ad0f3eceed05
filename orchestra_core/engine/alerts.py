"""Alerts of a running engine: what they are read from, and who is told of them."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import httpx

from orchestra_core import __version__
from orchestra_core.alerting.board import Change, Waiting
from orchestra_core.alerting.facts import Backlog, Disk, Facts
from orchestra_core.alerting.notice import Sender, document, level, message, variables
from orchestra_core.background.alert_store import AlertStore
from orchestra_core.background.alerting import Alerting
from orchestra_core.background.disks import read_disks
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.config import Config, WebhookSettings, process_environment
from orchestra_core.domain.alerts import AlertView, DeliveryView, SilenceView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.location import locate
from orchestra_core.upstream.alert_command import AlertCommand
from orchestra_core.upstream.webhook import Webhook

DISK_SECONDS = 10.0
Say = Callable[[str, str, str, str], None]


class Alerts:
    """`ledger` tells what waits for the database."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        client: httpx.AsyncClient,
        supervisor: Supervisor,
        say: Say,
        snapshot: Callable[[], Snapshot],
        ledger: Ledger,
    ) -> None:
        self._config = config
        self._clock = clock
        self._client = client
        self._supervisor = supervisor
        self._say = say
        self._snapshot = snapshot
        self._places = _places(config)
        self._ledger = ledger
        self._disks: tuple[Disk, ...] = ()
        self._webhooks: dict[WebhookSettings, tuple[Webhook, Callable[[], object]]] = {}
        self._command: tuple[AlertCommand, Callable[[], object]] | None = None
        self._alerting = Alerting(
            clock=clock,
            policy=lambda: self._config.alerts,
            facts=self._facts,
            tell=self._tell,
            say=say,
            store=AlertStore(config.paths.state_dir / "alerts.json"),
        )
        self.look = self._alerting.look
        self.acknowledge = self._alerting.acknowledge
        self.silence = self._alerting.silence
        self.unsilence = self._alerting.unsilence

    def start(self) -> None:
        """Takes over what an earlier engine kept, and begins to look."""
        waiting = self._alerting.load()
        self.configure(self._config)
        hooks = {settings.name: webhook for settings, (webhook, _) in self._webhooks.items()}
        for item in waiting:
            if item.name in hooks:
                hooks[item.name].put(item.kind, item.delivery, item.body.encode())
        self._supervisor.keep(self._alerting.run, "alerts")
        self._supervisor.keep(self._alerting.keep_writing, "writing down alerts")
        self._supervisor.keep(self._look_at_disks, "room on disks")

    def configure(self, config: Config) -> None:
        """Deliveries whose settings did not change go on with what waits in them; the others end or begin."""
        before, self._config = self._config, config
        for settings in [known for known in self._webhooks if known not in config.webhooks]:
            self._webhooks.pop(settings)[1]()
        for settings in config.webhooks:
            if settings not in self._webhooks:
                webhook = self._webhook(settings)
                task = self._supervisor.keep(webhook.run, f"webhook {settings.name}")
                self._webhooks[settings] = (webhook, task.cancel)
        alerts = config.alerts
        same = (alerts.command, alerts.command_seconds) == (
            before.alerts.command,
            before.alerts.command_seconds,
        )
        if self._command is not None and same:
            return
        if self._command is not None:
            self._command[1]()
            self._command = None
        if alerts.command:
            command = AlertCommand(
                alerts.command,
                alerts.command_seconds,
                environ=process_environment(),
                clock=self._clock,
                failed=self._undelivered,
            )
            self._command = (command, self._supervisor.keep(command.run, "alert command").cancel)

    def _webhook(self, settings: WebhookSettings) -> Webhook:
        return Webhook(
            settings.name,
            settings.url,
            None if settings.secret is None else settings.secret.reveal(),
            client=self._client,
            clock=self._clock,
            chance=random.Random().random,
            failed=self._undelivered,
        )

    def close(self) -> None:
        """Writes down what must outlive the engine; blocking, for its end."""
        self._alerting.flush(
            tuple(
                Waiting(webhook.name, kind, delivery, body.decode())
                for webhook, _ in self._webhooks.values()
                for kind, delivery, body in webhook.waiting
            )
        )

    # -- what alerts are read from

    def _facts(self) -> Facts:
        stats = self._ledger.stats()
        backlog = Backlog(stats.behind, stats.journal_limit, stats.dropped)
        return Facts(self._snapshot(), self._disks, backlog)

    async def _look_at_disks(self) -> None:
        while True:
            self._disks = await asyncio.to_thread(partial(read_disks, self._places))
            await asyncio.sleep(DISK_SECONDS)

    # -- who is told

    def _tell(self, change: Change) -> None:
        """The event stream and the log, and whoever else is configured; nothing here waits."""
        self._say(change.kind, change.view.id, message(change), level(change))
        snapshot = self._snapshot()
        sender = Sender(__version__, snapshot.address, snapshot.simulated)
        delivery = secrets.token_hex(8)
        for settings, (webhook, _) in self._webhooks.items():
            if change.kind in settings.events:
                at = rfc3339(self._clock.wall())
                webhook.put(change.kind, delivery, document(change, sender, delivery, at))
        if self._command is not None:
            self._command[0].put(change.kind, variables(change, sender))

    def _undelivered(self, name: str, why: str) -> None:
        self._say("alert.undelivered", name, why, "error")

    # -- what the surfaces ask

    @property
    def views(self) -> tuple[AlertView, ...]:
        return self._alerting.views

    @property
    def silences(self) -> tuple[SilenceView, ...]:
        return self._alerting.silences

    @property
    def deliveries(self) -> tuple[DeliveryView, ...]:
        views = [webhook.view() for webhook, _ in self._webhooks.values()]
        return tuple(views if self._command is None else [*views, self._command[0].view()])


def _places(config: Config) -> Mapping[str, Path]:
    """Where this engine writes, by what it keeps there; a database server has a disk of its own."""
    url, places = config.storage.url, {"state": config.paths.state_dir}
    return {**places, "database": locate(url)} if url.startswith("sqlite:") else places
