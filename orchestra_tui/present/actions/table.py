"""All actions in the order in which help tells them."""

from collections.abc import Mapping, Sequence

import msgspec

from orchestra_tui.present.actions import (
    alerts,
    backends,
    cost,
    drills,
    everywhere,
    lists,
    logs,
    models,
    overview,
    playground,
    throughput,
)
from orchestra_tui.present.actions.action import Action, sign
from orchestra_tui.present.actions.views import BY_NAME

ACTIONS: tuple[Action, ...] = (
    *lists.ACTIONS,
    *overview.ACTIONS,
    *models.ACTIONS,
    *drills.ACTIONS,
    *backends.ACTIONS,
    *logs.ACTIONS,
    *throughput.ACTIONS,
    *playground.ACTIONS,
    *alerts.ACTIONS,
    *cost.ACTIONS,
    *everywhere.ACTIONS,
)


Keymap = Mapping[str, Sequence[str]]
"""Other keys by the id of their action, as the terminal calls them."""


def of_view(view: str, place: str = "view", keymap: Keymap | None = None) -> tuple[Action, ...]:
    """What can be done in a view, in the order of the table; with the keys of the keymap."""
    return tuple(
        _remapped(action, keymap)
        for action in ACTIONS
        if (not action.views or view in action.views) and action.place in (place, "both")
    )


def elsewhere(view: str, key: str, keymap: Keymap | None = None) -> str:
    """Of a key that is none in a view, what it does in which others; empty where it is nowhere one."""
    if any(key in action.keys for action in of_view(view, "view", keymap)):
        return ""
    found = [
        action
        for each in ACTIONS
        if key in (action := _remapped(each, keymap)).keys and each.place != "prompt"
    ]
    if not found:
        return ""
    views = sorted(
        {BY_NAME[name].digit: BY_NAME[name].title for each in found for name in each.views}.items()
    )
    names = ", ".join(f"{digit} {title}" for digit, title in views)
    return f"{sign(key)} {found[0].label}: in {names}"


def _remapped(action: Action, keymap: Keymap | None) -> Action:
    keys = keymap.get(action.id) if keymap else None
    return msgspec.structs.replace(action, keys=tuple(keys), told="") if keys else action


def footer(view: str, place: str = "view", keymap: Keymap | None = None) -> tuple[Action, ...]:
    return tuple(sorted((act for act in of_view(view, place, keymap) if act.rank), key=lambda act: act.rank))
