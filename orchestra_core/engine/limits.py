"""Limits of budgets that an operator has set in place of the configured ones. They outlive the engine."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec.structs import replace

from orchestra_core.background import kept
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.domain.budgets import Budget, BudgetView
from orchestra_core.domain.errors import NotFound
from orchestra_core.pipeline.purse import Purse

Publish = Callable[[str, str, str, str], None]
_decoder = msgspec.json.Decoder(dict[str, Annotated[float, msgspec.Meta(ge=0)]])


class Limits:
    """By the name of the budget, in the file at `path`. What is kept of budgets that are not configured is not used."""

    def __init__(self, path: Path, say: Publish) -> None:
        self._path = path
        self._say = say
        self._set, problem = kept.load(path, _decoder, {}, "the configured limits are in effect")
        if problem:
            self._complain(problem)
        self._writing = asyncio.Lock()

    def _complain(self, what: str) -> None:
        self._say("budgets.limits", "budgets", what, "error")

    def over(self, configured: Iterable[Budget]) -> tuple[Budget, ...]:
        """The budgets with the limits that are in effect."""
        return tuple(
            replace(one, limit=self._set[one.name], configured=one.limit) if one.name in self._set else one
            for one in configured
        )

    def put(self, name: str, limit: float | None) -> None:
        """From now on; None: the configured one."""
        if limit is None:
            self._set.pop(name, None)
        else:
            self._set[name] = limit

    async def keep(self) -> None:
        """Writes them down; where that cannot be done they are in effect all the same, and it is said."""
        async with self._writing:
            content = msgspec.json.encode(self._set)
            try:
                await asyncio.to_thread(kept.replace, self._path, content)
            except OSError as error:
                self._complain(f"{self._path}: {error.strerror}; a restart would forget the limits set last")


class Setting:
    """An operator's word on a budget. `configured` are the budgets of the configuration."""

    def __init__(
        self,
        limits: Limits,
        purse: Purse,
        configured: Callable[[], tuple[Budget, ...]],
        say: Publish,
        supervisor: Supervisor,
    ) -> None:
        self._limits = limits
        self._purse = purse
        self._configured = configured
        self._say = say
        self._supervisor = supervisor

    async def __call__(self, name: str, limit: float | None, who: str) -> tuple[BudgetView, ...]:
        """How the budget stands with this limit (None: the configured one), for each key where each has one.

        What is spent or reserved already stays: with less than that nothing new passes, and nothing is ended.
        """
        budget = next((one for one in self._configured() if one.name == name), None)
        if budget is None:
            raise NotFound(f"there is no budget {name!r}", param="name")
        self._limits.put(name, limit)
        self._purse.configure(self._limits.over(self._configured()))
        what = f"its limit is {budget.limit:.12g} a {budget.period} again, as configured"
        if limit is not None:
            what = f"its limit is {limit:.12g} a {budget.period} now; configured is {budget.limit:.12g}"
        self._say("budgets.limit", name, f"{what} (by {who})", "info")
        await self._supervisor.finish(self._limits.keep(), "keeping limits of budgets")
        return tuple(view for view in self._purse.views() if view.name == name)
