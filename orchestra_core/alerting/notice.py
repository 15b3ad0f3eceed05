"""A change as it is delivered: a line, an object for a webhook, variables for a command."""

import msgspec

from orchestra_core.alerting.board import Change

# Of an event on the stream and in the log.
LEVELS = {"critical": "error", "warning": "warning", "info": "info"}


class Sender(msgspec.Struct, frozen=True):
    """Whose alerts these are."""

    version: str
    address: str
    simulated: bool


def level(change: Change) -> str:
    """How loud a change is: what eases or is over is no warning."""
    rises = change.kind in ("alert.fired", "alert.escalated")
    return LEVELS.get(change.view.severity, "info") if rises else "info"


def message(change: Change) -> str:
    """What is said beside the id of the alert."""
    view = change.view
    if change.kind == "alert.resolved":
        return f"over; it was {view.severity}: {view.message}"
    verb = {"alert.escalated": "became ", "alert.eased": "eased to "}.get(change.kind, "")
    return f"{verb}{view.severity}: {view.message}"


def document(change: Change, sender: Sender, delivery: str, at: str) -> bytes:
    """The body of a webhook. `text` is for chats, which show it as it is; `delivery` is the same in every retry."""
    simulated = "SIMULATED " if sender.simulated else ""
    return msgspec.json.encode(
        {
            "event": change.kind,
            "delivery": delivery,
            "at": at,
            "text": f"{simulated}{change.view.id} {message(change)}",
            "alert": change.view,
            "engine": sender,
        }
    )


def variables(change: Change, sender: Sender) -> dict[str, str]:
    """For the environment of a command. What is not known is empty."""
    view = change.view
    return {
        "ORCHESTRA_EVENT": change.kind,
        "ORCHESTRA_ALERT_ID": view.id,
        "ORCHESTRA_ALERT_RULE": view.rule,
        "ORCHESTRA_ALERT_SUBJECT": view.subject,
        "ORCHESTRA_ALERT_SEVERITY": view.severity,
        "ORCHESTRA_ALERT_STATE": view.state,
        "ORCHESTRA_ALERT_SINCE": view.fired or "",
        "ORCHESTRA_ALERT_MESSAGE": view.message,
        "ORCHESTRA_ALERT_VALUE": _number(view.value),
        "ORCHESTRA_ALERT_LIMIT": _number(view.limit),
        "ORCHESTRA_ENGINE": sender.address,
        "ORCHESTRA_SIMULATED": "true" if sender.simulated else "false",
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
