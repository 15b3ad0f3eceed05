"""The views, each said once: its digit, names and what help says of it."""

import msgspec


class View(msgspec.Struct, frozen=True):
    """`short` is the tab where there is little room and the `:` command; `aliases` are other names of the command."""

    name: str
    digit: str
    short: str
    title: str
    about: str
    aliases: tuple[str, ...] = ()


VIEWS = (
    View(
        "overview",
        "1",
        "ov",
        "Overview",
        "Health, memory, traffic, problems and the last events. tab moves between the panes.",
        ("overview",),
    ),
    View(
        "models",
        "2",
        "mo",
        "Models",
        "Every model on every backend. The selection stays on its model while rows move.",
        ("models",),
    ),
    View(
        "backends",
        "3",
        "be",
        "Backends",
        "Each endpoint's breaker: closed lets calls through, open keeps them away until a probe.",
        ("backends", "breakers"),
    ),
    View(
        "throughput",
        "4",
        "tp",
        "Throughput",
        "Requests, tokens, latency and first tokens over time. The engine keeps a day of it, from its start.",
        ("throughput", "latency"),
    ),
    View(
        "requests",
        "5",
        "req",
        "Requests",
        "What runs now, above what has ended, newest first. Following, nothing is selected; j stops it.",
        ("requests", "log"),
    ),
    View(
        "playground",
        "6",
        "pg",
        "Playground",
        "Ask a model, or auto, and watch the answer arrive. Each prompt stands on its own.",
        ("playground",),
    ),
    View(
        "alerts",
        "7",
        "al",
        "Alerts",
        "What is wrong, and since when. Silenced alerts are dim: nobody is told of them.",
        ("alerts",),
    ),
    View(
        "cost",
        "8",
        "co",
        "Cost",
        "Budgets and where they lead, what was asked and what it cost. A + leaves out what has no known price.",
        ("cost", "usage", "us", "budgets"),
    ),
    View(
        "events",
        "9",
        "ev",
        "Events",
        "What the engine did and what operators did, with the command for it. enter goes to the object.",
        ("events", "audit"),
    ),
)
BY_NAME = {view.name: view for view in VIEWS}


def named(name: str) -> View | None:
    """The view of this name, digit, command or alias."""
    return next((view for view in VIEWS if name in (view.name, view.digit, view.short, *view.aliases)), None)
