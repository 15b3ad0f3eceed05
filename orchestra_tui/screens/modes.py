"""The screen of each view, by its name."""

from collections.abc import Callable

from orchestra_tui.screens.alerts import AlertsScreen
from orchestra_tui.screens.backends import BackendsScreen
from orchestra_tui.screens.cost import CostScreen
from orchestra_tui.screens.events import EventsScreen
from orchestra_tui.screens.models import ModelsScreen
from orchestra_tui.screens.overview import OverviewScreen
from orchestra_tui.screens.playground import PlaygroundScreen
from orchestra_tui.screens.requests import RequestsScreen
from orchestra_tui.screens.throughput import ThroughputScreen
from orchestra_tui.screens.view import ViewScreen

MODES: dict[str, Callable[[], ViewScreen]] = {
    "overview": OverviewScreen,
    "models": ModelsScreen,
    "backends": BackendsScreen,
    "requests": RequestsScreen,
    "throughput": ThroughputScreen,
    "playground": PlaygroundScreen,
    "alerts": AlertsScreen,
    "cost": CostScreen,
    "events": EventsScreen,
}
