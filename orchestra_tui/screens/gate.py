"""The one way to change the engine: read-only, connection, fresh state, confirmation, and all of it once more."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from orchestra_tui.asking.models import Operation
from orchestra_tui.engine import UNANSWERED, EngineError
from orchestra_tui.messages import SnapshotArrived
from orchestra_tui.present.deeds.deed import (
    Answer,
    Call,
    Deed,
    Planned,
    Question,
    Refusal,
    Risk,
    consider,
    result,
    sending,
    sent,
)
from orchestra_tui.present.environment import environment
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain
from orchestra_tui.screens.dialogs import ConfirmScreen

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra

# Of a deed on many things so many requests are under way at once.
AT_ONCE = 8
# The answers of those that worked, and of the others what they were about and why.
Outcome = tuple[list[Answer], list[tuple[str, str]]]
# Seconds after which, and again after as many, it is said how long an answer takes.
PATIENCE = 1.0
UNKNOWN = "; whether it was done is not known"


class Gate:
    """Does deeds, which are about what they were made for from the key press to the request."""

    def __init__(self, app: "Orchestra") -> None:
        self._app = app

    def do(self, deed: Deed) -> None:
        """Asks, or says why not; before it says so it looks whether the engine sees it differently."""
        fresh = self._app.fresh()
        asked = consider(deed, fresh)
        if isinstance(asked, Question):
            self._go(deed, asked)
        elif (
            deed.targets and not fresh.read_only and (fresh.link.live or fresh.link.state is LinkState.STALE)
        ):
            self._look_again(deed)
        else:
            self._app.say(asked.reason, "warn")

    def _go(self, deed: Deed, asked: Question) -> None:
        if asked.risk is not Risk.NONE:
            Asking(self._app, self, deed, asked).begin()
        elif asked.open:
            self._begin(deed, asked)
        else:
            self._look_again(deed)

    def _look_again(self, deed: Deed) -> None:
        self._app.say(f"{deed.verb}: asking the engine …", "muted")
        self._app.run_worker(self._again(deed), group="gate", exclusive=True)

    async def _again(self, deed: Deed) -> None:
        picture = await self.renewed(deed)
        if picture is None:
            return
        asked = consider(deed, picture)
        if isinstance(asked, Refusal):
            self._app.say(asked.reason, "warn")
        else:
            self._go(deed, asked)

    async def renewed(self, deed: Deed) -> Picture | None:
        """The state as the engine tells it now; None where it does not, which is said."""
        fresh = self._app.fresh()
        try:
            snapshot = await self._app.engine.fetch()
        except EngineError as error:
            self._app.say(f"{deed.verb}: {error.message}; nothing was sent", "warn")
            return None
        self._app.post_message(SnapshotArrived(snapshot))
        return msgspec.structs.replace(fresh, snapshot=snapshot, link=Link(LinkState.LIVE))

    def confirmed(self, deed: Deed, agreed: Question) -> None:
        """Acts, unless the state has moved on: then it says why not, or asks about what is more than was agreed."""
        asked = consider(deed, self._app.fresh())
        if isinstance(asked, Refusal):
            self._app.say(asked.reason, "warn")
        elif asked.beyond(agreed) or not asked.open:
            self._go(deed, asked)
        else:
            self._begin(deed, agreed)

    def _begin(self, deed: Deed, agreed: Question) -> None:
        self._app.say(sent(deed, sending(deed, agreed)))
        self._app.run_worker(self._act(deed, agreed), group="deeds")

    async def _act(self, deed: Deed, agreed: Question) -> None:
        """What has a plan is planned once more: what is done is what was agreed to."""
        if deed.learned is not None:
            deed = deed.learned(await self.planned(deed))
            asked = consider(deed, self._app.fresh())
            if isinstance(asked, Refusal):
                self._app.say(asked.reason, "warn")
                return
            if asked.beyond(agreed) or not asked.open:
                self._app.say(f"{deed.verb}: the plan has changed, nothing was sent", "warn")
                self._go(deed, asked)
                return
        calls = sending(deed, agreed)
        answers, failures = await self._watched(deed, calls)
        self._app.say(*result(deed, calls, answers, failures))

    async def _watched(self, deed: Deed, calls: Sequence[Call]) -> Outcome:
        """What came of it; while it takes long, how long it does is said."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        under_way = loop.create_task(self._send(calls))
        try:
            while not (await asyncio.wait({under_way}, timeout=PATIENCE))[0]:
                self._still(deed, calls, loop.time() - began)
            return under_way.result()
        finally:
            under_way.cancel()

    def _still(self, deed: Deed, calls: Sequence[Call], seconds: float) -> None:
        """How long it takes, unless something else was said meanwhile."""
        if plain(self._app.message).startswith(sent(deed, calls)):
            self._app.say(f"{sent(deed, calls)} {seconds:.0f} s")

    async def _send(self, calls: Sequence[Call]) -> Outcome:
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(call: Call) -> Answer | EngineError:
            async with slots:
                try:
                    return await self._app.engine.post(call.path, call.body, dict[str, Any])
                except EngineError as error:
                    return error

        came = await asyncio.gather(*(ask(call) for call in calls))
        answers = [each for each in came if not isinstance(each, EngineError)]
        failures = [
            (call.about, f"{each.message}{UNKNOWN if each.code == UNANSWERED else ''}")
            for call, each in zip(calls, came, strict=True)
            if isinstance(each, EngineError)
        ]
        return answers, failures

    async def planned(self, deed: Deed) -> list[Planned]:
        """What the engine would do as things are now, or its refusal, for each of the dry calls."""
        return list(await asyncio.gather(*(self._plan(call) for call in deed.dry)))

    async def _plan(self, call: Call) -> Planned:
        try:
            return Planned((await self._app.engine.post(call.path, call.body, Operation)).plan)
        except EngineError as error:
            return Planned(refusal=error.message)


class Asking:
    """One dialog from its opening to its answer; the plan of a deed is put in when it is there, and renewed."""

    def __init__(self, app: "Orchestra", gate: Gate, deed: Deed, asked: Question) -> None:
        self._app = app
        self._gate = gate
        self._deed = deed
        self._renewing = False
        fresh = app.fresh()
        where = environment(fresh.snapshot)
        self._screen = ConfirmScreen(
            deed.verb, asked, self._follow, fresh.glyphs, where, app.picture().position
        )

    def begin(self) -> None:
        self._app.push_screen(self._screen, self._answered)
        self._renew()

    def _follow(self, _picture: Picture) -> Question | Refusal:
        self._renew()
        return self._now()

    def _now(self) -> Question | Refusal:
        return consider(self._deed, self._app.fresh())

    def _renew(self) -> None:
        """Asks the engine for what is not known: the state where it is old, and the plan."""
        stale = self._app.fresh().link.state is LinkState.STALE
        if (stale or self._deed.learned is not None) and not self._renewing:
            self._renewing = True
            self._app.run_worker(self._renewed(stale=stale), group="plan")

    async def _renewed(self, *, stale: bool) -> None:
        if stale:
            await self._gate.renewed(self._deed)
        if self._deed.learned is not None:
            self._deed = self._deed.learned(await self._gate.planned(self._deed))
        self._renewing = False
        asked = self._now()
        if self._screen.is_current and isinstance(asked, Question):
            self._screen.put(asked)

    def _answered(self, answer: Question | Refusal | None) -> None:
        if isinstance(answer, Question):
            self._gate.confirmed(self._deed, answer)
        elif answer is None:
            self._app.say(f"{self._deed.verb} cancelled", "muted")
        else:
            self._app.say(answer.reason, "warn")
