"""Things that happened, as the event stream and the console show them."""

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One thing that happened. `at` is wall-clock RFC 3339 UTC; `kind` is dotted, as `model.ready`.

    Kinds: engine.started, engine.stopping, engine.stalled, engine.recorder, backend.joined, backend.up, backend.down,
    backend.draining, backend.drained, backend.resumed, backend.left, model.planned, model.loading, model.progress,
    model.ready, model.unloading, model.evicted, model.absent, model.failed, model.refused, breaker.open,
    breaker.half_open, breaker.closed, request.failed, request.failover, request.cancelled, config.reloaded,
    config.invalid, config.failed, keys.changed, keys.expiring, keys.expired, alert.fired, alert.escalated,
    alert.eased, alert.resolved, alert.acknowledged, alert.silenced, alert.unsilenced, alert.undelivered,
    alert.memory.
    """

    at: str
    kind: str
    subject: str
    message: str
    level: str = "info"
