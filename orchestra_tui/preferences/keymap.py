"""Other keys than the usual: what may be remapped, to what, and the table of keys."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from textual.keys import _character_to_key

from orchestra_tui.present.actions.action import Action, sign
from orchestra_tui.present.actions.table import ACTIONS, Keymap
from orchestra_tui.present.actions.views import VIEWS

_PLACES = {"view": ("view",), "prompt": ("prompt",), "both": ("view", "prompt")}


def remappable() -> dict[str, Action]:
    """Actions by id that have a key of their own; what a prompt does itself cannot be moved."""
    return {action.id: action for action in ACTIONS if action.keys and action.call}


def canonical(key: str) -> str:
    """A key as the terminal calls it: `?` is question_mark, `ctrl+?` ctrl+question_mark."""
    *modifiers, name = [key] if key == "+" else key.split("+")
    return "+".join([*modifiers, _character_to_key(name) if len(name) == 1 else name])


def mistakes(keymap: Keymap) -> Iterator[tuple[str, str]]:
    """What is wrong with it: pairs of the id concerned and a sentence."""
    known = remappable()
    for name, keys in keymap.items():
        if name not in known:
            yield name, f"there is no action {name!r}{nearest(name, known)}"
        elif not keys or not all(keys):
            yield name, f"{name} needs a key"
        elif known[name].mutates and not all(map(_changes, keys)):
            yield name, f"{name} changes the engine: its key must be an upper-case letter or ctrl+…"
    moved = {name: keys for name, keys in keymap.items() if name in known}
    told: set[tuple[str, str, str]] = set()
    for name, key, other, said in _conflicts(moved):
        if (name, key, other) not in told:
            told.add((name, key, other))
            yield name, said


def nearest(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """`; did you mean …?`, where one is near."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def listing(keymap: Keymap) -> str:
    """Every key as plain text: id, keys, views, what it does."""
    known = remappable()
    width = max(map(len, known))
    rows = []
    for action in known.values():
        keys = " ".join(sign(key) for key in keymap.get(action.id, action.keys))
        where = " ".join(view.digit for view in VIEWS if view.name in action.views) or "all"
        star = "*" if action.id in keymap else " "
        rows.append(f"{star}{action.id:<{width}}  {keys:<16}  {where:<10}  {action.help}")
    head = f" {'ACTION':<{width}}  {'KEYS':<16}  {'VIEWS':<10}  DOES"
    foot = ["* set in console.toml"] if keymap else []
    return "\n".join([head, *rows, *foot])


def _changes(key: str) -> bool:
    return key.startswith("ctrl+") or (len(key) == 1 and key.isupper())


def _conflicts(keymap: Keymap) -> Iterator[tuple[str, str, str, str]]:
    """Two actions on one key where both can be meant; said of the one that was moved."""
    for view in VIEWS:
        taken: dict[tuple[str, str], str] = {}
        here = [action for action in ACTIONS if not action.views or view.name in action.views]
        for action in sorted(here, key=lambda each: each.id in keymap):
            for key in keymap.get(action.id, action.keys):
                for place in _PLACES[action.place]:
                    other = taken.setdefault((place, canonical(key)), action.id)
                    if other != action.id and action.id in keymap:
                        said = f"{sign(key)} is already the key of {other} in {view.title}"
                        yield action.id, key, other, said
