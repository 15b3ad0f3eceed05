"""What is said on the command line and chosen from the palette becomes something done."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual.app import SystemCommand

from orchestra_tui.present.actions import table
from orchestra_tui.present.commands import parse
from orchestra_tui.present.states import residency
from orchestra_tui.present.verbs.table import VERBS
from orchestra_tui.present.verbs.verb import Mistake
from orchestra_tui.screens.playground import PlaygroundScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import ViewScreen

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra

# More of them would make each key in the palette wait.
_MOST = 300


class Commanding:
    """Runs command lines and offers the palette's entries."""

    def __init__(self, app: "Orchestra") -> None:
        self._app = app

    def given(self, text: str) -> None:
        """A command line was entered."""
        command = parse(text, self._app.fresh().snapshot)
        if command is None:
            return
        if isinstance(command, Mistake):
            self._app.say(command.message, "warn")
        elif command.verb in ("model", "beside"):
            self._app.action_view("playground")
            self._app.call_after_refresh(self._choose, command.verb, command.target)
        elif command.call:
            self._app.call_later(self._run, command.call)
            if command.target:
                self._app.call_after_refresh(self._narrow, command.target)
        elif command.deed is not None:
            self._app.do(command.deed(self._app.fresh()))

    def offered(self, view: str) -> Iterator[SystemCommand]:
        """What the palette finds: the actions of a view, the views, the commands, every model and every backend."""
        for action in table.of_view(view, keymap=self._app.keymap):
            if action.palette and action.call:
                yield SystemCommand(
                    action.help.capitalize(), f"key {action.shown}", self._running(action.call)
                )
        snapshot, glyphs = self._app.fresh().snapshot, self._app.looks.glyphs
        for verb in VERBS:
            usage = verb.usage.replace("…", "..." if glyphs.ascii else "…")
            yield SystemCommand(f":{usage}", "command", self._beginning(verb.name))
        if snapshot is None:
            return
        models = [
            ("models", model.id, f"model, {residency(model, glyphs).word}") for model in snapshot.models
        ]
        backends = [("backends", each.name, f"backend, {each.health}") for each in snapshot.backends]
        for target, name, told in (*backends, *models)[:_MOST]:
            yield SystemCommand(name, told, self._finding(target, name))

    def _running(self, call: str) -> Callable[[], None]:
        def run() -> None:
            self._app.call_later(self._run, call)

        return run

    def _beginning(self, verb: str) -> Callable[[], None]:
        """The command line with the verb, for the words it takes."""

        def begin() -> None:
            if isinstance(self._app.screen, ViewScreen):
                self._app.screen.begin_command(f"{verb} ")

        def later() -> None:
            self._app.call_later(begin)

        return later

    def _finding(self, view: str, name: str) -> Callable[[], None]:
        def find() -> None:
            self._app.action_view(view)
            self._app.call_after_refresh(self._select, view, name)

        return find

    async def _run(self, call: str) -> None:
        await self._app.run_action(call, self._app.screen)

    def _narrow(self, text: str) -> None:
        """What follows the name of a view is a filter of it."""
        if isinstance(self._app.screen, TableScreen):
            self._app.screen.filter(text)

    def _select(self, view: str, name: str) -> None:
        """The one object in its list, with the filter gone that might hide it."""
        screen = self._app.screen
        if not isinstance(screen, TableScreen):
            return
        if view == "backends":
            screen.filter(f"backend:{name}")
        else:
            screen.filter("")
            screen.table.select(name)

    def _choose(self, verb: str, name: str) -> None:
        screen = self._app.screen
        if isinstance(screen, PlaygroundScreen):
            (screen.choose if verb == "model" else screen.beside)(name)
