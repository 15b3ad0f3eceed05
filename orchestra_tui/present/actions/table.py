"""All actions in the order in which help tells them."""

from orchestra_tui.present.actions import alerts, everywhere, lists, models, overview, playground, usage
from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    *lists.ACTIONS,
    *overview.ACTIONS,
    *models.ACTIONS,
    *playground.ACTIONS,
    *alerts.ACTIONS,
    *usage.ACTIONS,
    *everywhere.ACTIONS,
)


def of_view(view: str, place: str = "view") -> tuple[Action, ...]:
    """What can be done in a view, in the order of the table."""
    return tuple(
        action
        for action in ACTIONS
        if (not action.views or view in action.views) and action.place in (place, "both")
    )


def footer(view: str, place: str = "view") -> tuple[Action, ...]:
    return tuple(sorted((act for act in of_view(view, place) if act.rank), key=lambda act: act.rank))
