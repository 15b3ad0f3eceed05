"""What the lists are about: the facets of models, breakers and alerts."""

from collections.abc import Callable

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present.glyphs import UNICODE
from orchestra_tui.present.listing import Facet, Subject
from orchestra_tui.present.models import under_way
from orchestra_tui.present.numbers import age, context, count, parameters, rate, seconds, since, size
from orchestra_tui.present.states import residency

# Of the calls since the engine started: a model that fails more often has a problem.
_FAILING = 0.05


def _idle(now: str, stamp: str | None) -> float | None:
    """Seconds since a stamp, whole: what is exported twice in a second should not differ."""
    passed = since(now, stamp)
    return None if passed is None else float(round(passed))


def _bytes(field: Callable[[ModelView], int | None], name: str, title: str) -> Facet:
    return Facet(name, lambda view, _: field(view), lambda view, _: size(field(view)), title, right=True)


def _model_problem(view: ModelView) -> bool:
    """Somebody should look: it is kept from work, or too much of its work fails. A failure now and then is none."""
    failing = view.failed > 0 and view.failed >= _FAILING * view.calls
    return bool(view.circuit != "closed" or view.status == "unavailable" or view.barred or failing)


MODELS = Subject(
    "Models",
    identity=lambda view: view.id,
    words=lambda view: (
        f"{view.model} {view.backend} {view.residency} {view.circuit} {residency(view, UNICODE).word}"
    ),
    problem=_model_problem,
    member=("models", "id"),
    facets=(
        Facet("model", lambda view, _: view.model, title="MODEL"),
        Facet(
            "state",
            lambda view, _: residency(view, UNICODE).word,
            lambda view, _: " ".join({residency(view, UNICODE).word: 0, view.residency: 0}),
            "STATE",
        ),
        Facet("backend", lambda view, _: view.backend, title="BACKEND"),
        Facet("status", lambda view, _: view.status),
        Facet("circuit", lambda view, _: view.circuit),
        _bytes(lambda view: view.memory_bytes, "mem", "MEM"),
        Facet(
            "ctx", lambda view, _: view.context or None, lambda view, _: context(view.context), "CTX", True
        ),
        Facet(
            "tok/s",
            lambda view, _: view.tokens_per_second,
            lambda view, _: rate(view.tokens_per_second),
            "TOK/S",
            True,
        ),
        Facet("run", lambda view, _: view.inflight - view.awaiting, title="RUN", right=True),
        Facet("slots", lambda view, _: view.slots),
        Facet("que", lambda view, _: view.waiting + view.awaiting, title="QUE", right=True),
        Facet(
            "last",
            lambda view, now: _idle(now, view.last_used),
            lambda view, now: age(since(now, view.last_used)),
            "LAST",
            True,
        ),
        _bytes(lambda view: view.need_bytes, "need", "NEED"),
        Facet(
            "ttft",
            lambda view, _: view.first_token_seconds,
            lambda view, _: seconds(view.first_token_seconds),
            "TTFT",
            True,
        ),
        Facet("calls", lambda view, _: view.calls, lambda view, _: count(view.calls), "CALLS", True),
        Facet("fail", lambda view, _: view.failed, lambda view, _: count(view.failed), "FAIL", True),
        _bytes(lambda view: view.size_bytes, "size", "SIZE"),
        Facet("quant", lambda view, _: view.quantization or None, title="QUANT"),
        Facet("tier", lambda view, _: view.tier, title="TIER"),
        Facet("params", lambda view, _: view.parameters, lambda view, _: parameters(view.parameters)),
        Facet("pool", lambda view, _: view.pool or None),
        Facet("pinned", lambda view, _: "yes" if view.pinned else "no"),
        Facet("can", lambda view, _: " ".join((*view.capabilities, *view.tasks)) or None),
        Facet("error", lambda view, _: view.barred or None),
        Facet("progress", lambda view, _: under_way(view) or None),
    ),
)


def _of(endpoint: str) -> tuple[str, str]:
    """Backend and model of an endpoint's id."""
    backend, _, model = endpoint.partition("/")
    return backend, model


BREAKERS = Subject(
    "Breakers",
    identity=lambda view: view.endpoint,
    words=lambda view: f"{view.endpoint} {view.state} {view.reason}",
    problem=lambda view: view.state != "closed",
    member=("breakers", "endpoint"),
    facets=(
        Facet("endpoint", lambda view, _: view.endpoint, title="ENDPOINT"),
        Facet("backend", lambda view, _: _of(view.endpoint)[0]),
        Facet("model", lambda view, _: _of(view.endpoint)[1]),
        Facet("state", lambda view, _: view.state, title="BREAKER"),
        Facet(
            "since", lambda view, _: float(round(view.since)), lambda view, _: age(view.since), "SINCE", True
        ),
        Facet("trips", lambda view, _: view.opened, title="TRIPS", right=True),
        Facet(
            "probe",
            lambda view, _: view.next_probe,
            lambda view, _: "" if view.next_probe is None else f"{view.next_probe:.0f}s",
            "PROBE",
            True,
        ),
        Facet("failures", lambda view, _: view.failures),
        Facet("tripped", lambda view, _: "yes" if view.tripped else "no"),
        Facet("error", lambda view, _: view.reason or None),
        Facet("recent", lambda view, _: view.recent or None),
    ),
)


def _standing(view: AlertView) -> str:
    """Its state, and what somebody has done about it."""
    said = ("silenced" if view.silenced else "", "acked" if view.acknowledged else "")
    return " ".join(word for word in (view.state, *said) if word)


_RANK = {"critical": 3, "warning": 2, "info": 1}


ALERTS = Subject(
    "Alerts",
    identity=lambda view: view.id,
    words=lambda view: f"{view.id} {view.message} {view.severity} {view.state}",
    problem=lambda view: view.firing,
    member=("alerts", "id"),
    facets=(
        Facet(
            "severity", lambda view, _: _RANK.get(view.severity, 0), lambda view, _: view.severity, "SEVERITY"
        ),
        Facet("state", lambda view, _: _standing(view), title="STATE"),
        Facet(
            "since",
            lambda view, now: _idle(now, view.since),
            lambda view, now: age(since(now, view.since)),
            "SINCE",
            True,
        ),
        Facet("alert", lambda view, _: view.id, title="ALERT"),
        Facet("rule", lambda view, _: view.rule),
        Facet("subject", lambda view, _: view.subject),
        Facet("what", lambda view, _: view.message, title="WHAT"),
        Facet("value", lambda view, _: view.value),
        Facet("limit", lambda view, _: view.limit),
        Facet("times", lambda view, _: view.times),
        Facet("by", lambda view, _: view.acknowledged or None),
    ),
)
