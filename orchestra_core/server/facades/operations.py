"""The native surface's looking and steering: health, models, metrics, snapshot, events, load and unload."""

from collections.abc import Mapping
from contextlib import aclosing

from orchestra_core.clock import rfc3339
from orchestra_core.domain.difference import Telling
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.events import Event
from orchestra_core.domain.principal import Scope
from orchestra_core.domain.result import Operation
from orchestra_core.domain.snapshot import BackendView, ModelView, Snapshot
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply
from orchestra_core.wire.native import event, read_load, read_unload

_GIB = 1024**3
_MIB = 1024**2
_YES = ("1", "true")


def size_text(size: int | None) -> str | None:
    """Bytes as people and the contract write them: `245MB`, `4.9GB`."""
    if size is None:
        return None
    return f"{size / _GIB:.1f}GB" if size >= _GIB else f"{size / _MIB:.0f}MB"


def uptime_text(seconds: float) -> str:
    minutes = int(seconds) // 60
    return f"{minutes // 60}h {minutes % 60}m" if minutes >= 60 else f"{minutes}m {int(seconds) % 60}s"


class Operations:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def live(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        reply(exchange, request_id, {"status": "alive"})

    async def ready(self, request: Request, exchange: Exchange, request_id: str) -> None:
        stopping = self._ports.refusing()
        if stopping is not None:
            exchange.keep_alive = False
            raise stopping
        snapshot = self._ports.snapshot()
        able = snapshot.status != "unhealthy"
        told = Scope.USE in request.principal.scopes
        reasons = list(snapshot.notices) if told and not able else []
        reply(exchange, request_id, {"ready": able, "reasons": reasons}, 200 if able else 503)

    async def health(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """Load balancers have no key: without one, where one is needed, the status and nothing else."""
        snapshot = self._ports.snapshot()
        status = 503 if snapshot.status == "unhealthy" else 200
        if Scope.USE not in request.principal.scopes:
            brief = {"status": snapshot.status, "timestamp": snapshot.now}
            reply(exchange, request_id, brief, status)
            return
        body = {
            "status": snapshot.status,
            "timestamp": snapshot.now,
            "version": snapshot.version,
            "services": _services(snapshot),
            "system": {
                "uptime": uptime_text(snapshot.uptime),
                "memory_usage": size_text(snapshot.engine_memory),
                "available_models": sum(view.status != "unavailable" for view in snapshot.models),
            },
            "simulated": snapshot.simulated,
            "notices": snapshot.notices,
        }
        reply(exchange, request_id, body, status)

    async def models(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        models = [_model(view) for view in self._ports.snapshot().models]
        active = sum(model["status"] == "running" for model in models)
        reply(exchange, request_id, {"models": models, "total": len(models), "active": active})

    async def metrics(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        totals = self._ports.snapshot().totals
        ended = totals.successful + totals.failed
        body = {
            "requests": {
                "total": totals.requests,
                "successful": totals.successful,
                "failed": totals.failed,
                "cancelled": totals.cancelled,
                "success_rate": round(100 * totals.successful / ended, 2) if ended else None,
            },
            "performance": {
                "avg_response_time_ms": _ms(totals.average_seconds),
                "requests_per_minute": round(totals.requests_per_minute, 2),
                "p50_ms": _ms(totals.p50),
                "p95_ms": _ms(totals.p95),
                "p99_ms": _ms(totals.p99),
                "first_token_p50_ms": _ms(totals.ttft_p50),
                "first_token_p95_ms": _ms(totals.ttft_p95),
                "failovers": totals.failovers,
            },
            "models": {
                "active": sum(view.status == "running" for view in self._ports.snapshot().models),
                "total_calls": totals.requests,
                "most_used": totals.most_used,
            },
            "tokens": {"prompt": totals.tokens_in, "generated": totals.tokens_out},
            "cost": totals.cost,
            "cost_unknown_requests": totals.cost_unknown,
            "currency": self._ports.snapshot().currency,
        }
        reply(exchange, request_id, body)

    async def prometheus(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        exchange.send(
            200,
            self._ports.metrics_text(),
            [("x-request-id", request_id)],
            content_type="text/plain; version=0.0.4; charset=utf-8",
        )

    async def snapshot(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        reply(exchange, request_id, self._ports.snapshot())

    async def events(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """SSE: events as they happen; with `?snapshots=1` also the whole state every `interval` seconds, with
        `&differences=1` most of the time only what has changed of it.

        It ends with the key it was asked with; a change of the keys is an event, so a silent one ends too.
        """
        interval, told = _wanted(request.arguments)
        exchange.start(200, [("x-request-id", request_id)])
        if request.method == "HEAD":
            exchange.finish()
            return
        async with aclosing(self._ports.events(interval)) as items:
            async for item in items:
                if not self._ports.still_welcome(request):
                    break
                exchange.write(_told(item, told))
                await exchange.drain()
        exchange.finish()

    async def load(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        wish = read_load(request.body)
        operation = self._ports.operate("load", name, wish.backend, dry_run=wish.dry_run)
        self._accepted(exchange, request_id, operation, wish.dry_run)

    async def unload(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        wish = read_unload(request.body)
        operation = self._ports.operate(
            "unload",
            name,
            wish.backend,
            dry_run=wish.dry_run,
            drain_seconds=wish.drain_seconds,
            force=wish.force,
        )
        self._accepted(exchange, request_id, operation, wish.dry_run)

    def _accepted(self, exchange: Exchange, request_id: str, operation: Operation, dry_run: bool) -> None:
        """What was begun, or with `dry_run` the same without a number: nothing was."""
        if not dry_run:
            reply(exchange, request_id, operation, 202)
            return
        body = {
            "action": operation.action,
            "model": operation.model,
            "backend": operation.backend,
            "plan": operation.plan,
            "dry_run": True,
        }
        reply(exchange, request_id, body)

    async def shutdown(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        reply(
            exchange, request_id, {"status": "stopping", "timestamp": rfc3339(self._ports.clock.wall())}, 202
        )
        self._ports.shutdown()


def _wanted(arguments: Mapping[str, str]) -> tuple[float, Telling | None]:
    """Seconds between snapshots, 0 means none; and what tells them as differences, where they are wanted so."""
    unknown = arguments.keys() - {"snapshots", "interval", "differences"}
    if unknown:
        raise InvalidRequest(
            f"unknown parameter {min(unknown)[:32]!r}; allowed: snapshots, interval, differences",
            param=min(unknown),
        )
    if arguments.get("snapshots", "0") not in _YES:
        return 0.0, None
    try:
        interval = float(arguments.get("interval", "1"))
    except ValueError:
        interval = 0.0
    if not 0.5 <= interval <= 10:
        raise InvalidRequest("`interval` is seconds between 0.5 and 10", param="interval")
    return interval, Telling() if arguments.get("differences", "0") in _YES else None


def _told(item: Snapshot | Event, telling: Telling | None) -> bytes:
    """One frame of the stream."""
    if isinstance(item, Event):
        return event("event", item)
    told = item if telling is None else telling.tell(item)
    return event("snapshot" if isinstance(told, Snapshot) else "difference", told)


def _services(snapshot: Snapshot) -> dict[str, str]:
    # What is wrong with it is in the snapshot; the contract knows four words here.
    database = "connected" if snapshot.database == "connected" else "unavailable"
    cache = snapshot.cache
    redis = "disabled" if cache.place != "redis" else "unavailable" if cache.problem else "connected"
    services = {"database": database, "redis": redis}
    for view in snapshot.backends:
        services[view.name] = "connected" if view.health == "up" else "unavailable"
    kinds: dict[str, list[BackendView]] = {}
    for view in snapshot.backends:
        kinds.setdefault(view.kind, []).append(view)
    for kind, views in kinds.items():
        services.setdefault(
            kind, "available" if any(view.health == "up" for view in views) else "unavailable"
        )
    services.setdefault("ollama", "disabled")
    return services


def _model(view: ModelView) -> dict[str, object]:
    return {
        "name": view.model,
        "status": view.status,
        "capabilities": view.tasks,
        "size": size_text(view.size_bytes),
        "last_used": view.last_used,
        "backend": view.backend,
        "endpoint": view.id,
        "residency": view.residency,
        "tier": view.tier,
        "context": view.context,
        "features": view.capabilities,
        "quantization": view.quantization,
        "price": view.price,
        "breaker": view.circuit,
        "speed": {
            "tokens_per_second": view.tokens_per_second,
            "first_token_seconds": view.first_token_seconds,
            "observations": view.speed_observations,
        },
        "calls": view.calls,
        "failed": view.failed,
        "inflight": view.inflight,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
