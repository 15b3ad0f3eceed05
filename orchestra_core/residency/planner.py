"""What a load would take: whom it evicts, whom it waits for, or why it may not be. Changes nothing."""

from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.memory import Pressure, Quota
from orchestra_core.domain.result import Plan
from orchestra_core.residency.pool import Room
from orchestra_core.residency.tenant import Policy, Site, Tenant
from orchestra_core.residency.wording import gib, need_words, room_words

# With these nobody is served by waiting: the load is refused.
PERMANENT = frozenset(
    {
        "too_large",
        "quota",
        "copies",
        "group",
        "no_room",
        "unknown_memory",
        "unknown_need",
        "setback",
        "not_supported",
    }
)


class Force(IntEnum):
    """Who may be made to go: those idle for long enough; also busy ones; also those that have just come."""

    NONE = 0
    BUSY = 1
    YOUNG = 2


class Scene(msgspec.Struct, frozen=True, gc=False):
    """All that a plan depends on. `neighbours` are the models present on the same backend, `copies` the number of
    other endpoints where the same model is.
    """

    tenant: Tenant
    site: Site
    policy: Policy
    now: float
    neighbours: Sequence[Tenant] = ()
    copies: int = 0
    quota: Quota = Quota()
    setback: float = 0.0
    exhausted: bool = False
    operator: bool = False


class Refusal(msgspec.Struct, frozen=True, gc=False):
    code: str
    reason: str
    retry_after: float | None = None


class Shortfall:
    """What is missing for a load: bytes by promise and by measurement, and of the backend's quota bytes and places."""

    __slots__ = ("backend", "backend_bytes", "places", "promised", "used")

    def __init__(self, backend: str, promised: int, used: int, backend_bytes: int, places: int) -> None:
        self.backend = backend
        self.promised = promised
        self.used = used
        self.backend_bytes = backend_bytes
        self.places = places

    @property
    def met(self) -> bool:
        return self.promised <= 0 and self.used <= 0 and self.backend_bytes <= 0 and self.places <= 0

    def helped_by(self, tenant: Tenant) -> bool:
        if self.promised > 0 or self.used > 0:
            return True
        return tenant.endpoint.spec.backend == self.backend and (self.backend_bytes > 0 or self.places > 0)

    def give(self, tenant: Tenant, sign: int = 1) -> None:
        """Counts what the end of a model gives back; -1 takes that back."""
        holding = tenant.holding
        size = tenant.size
        self.promised -= sign * size
        self.used -= sign * (size if holding is None else min(holding.known, holding.bytes))
        if tenant.endpoint.spec.backend == self.backend:
            self.backend_bytes -= sign * size
            self.places -= sign


class Draft(msgspec.Struct, frozen=True, gc=False):
    """`begins`: it can be loaded now. Otherwise `evicts` must go first, or `waits_for` must finish."""

    plan: Plan
    begins: bool = False
    evicts: tuple[Tenant, ...] = ()
    waits_for: tuple[Tenant, ...] = ()
    hopeless: bool = False


def cost_of(victims: Iterable[Tenant]) -> float:
    """Expected seconds of loading these again for others within the next minute."""
    return sum(victim.cost() for victim in victims)


def missing(scene: Scene, *, returned: bool) -> Shortfall:
    """`returned`: counting what is on its way out as gone."""
    tenant, pool = scene.tenant, scene.site.pool
    size = wanted_bytes(tenant)
    backend = tenant.endpoint.spec.backend
    promised = used = 0
    if pool is not None and pool.total is not None:
        room = pool.room(scene.now)
        promised, used = size - room.unpromised, size - room.unused
        if returned:
            promised -= room.returning
            used -= room.returning
    quota = scene.quota
    there = [other for other in scene.neighbours if other is not tenant]
    in_bytes = 0 if quota.memory is None else size + sum(other.size for other in there) - quota.memory
    places = 0 if quota.loaded is None else len(there) + 1 - quota.loaded
    short = Shortfall(backend, promised, used, in_bytes, places)
    if returned:
        for other in scene.site.tenants.values():
            if other.leaving and other is not tenant:
                short.give(other)
    return short


def wanted_bytes(tenant: Tenant) -> int:
    """What is to be reserved for it: its need, or what is known at all."""
    endpoint = tenant.endpoint
    if endpoint.need is not None:
        return endpoint.need.bytes
    return endpoint.memory_bytes or endpoint.spec.size_bytes or 0


def choose(short: Shortfall, candidates: Sequence[Tenant]) -> list[Tenant]:
    """The fewest of the candidates, cheapest first, that make up for what is missing; as many as help."""
    picks: list[Tenant] = []
    for candidate in candidates:
        if short.met:
            break
        if short.helped_by(candidate):
            short.give(candidate)
            picks.append(candidate)
    for pick in reversed(picks[:-1]):  # a small one that a later large one made needless
        short.give(pick, -1)
        if short.met:
            picks.remove(pick)
        else:
            short.give(pick)
    return picks


def refusal(scene: Scene) -> Refusal | None:
    """What forbids the load whatever is evicted."""
    tenant = scene.tenant
    if not tenant.endpoint.spec.loadable:
        return Refusal("not_supported", f"{tenant.endpoint.spec.backend} cannot load models over its API")
    if scene.setback > 0 and not scene.operator:
        words = f"its last load failed; it is tried again in {scene.setback:.0f} s"
        return Refusal("setback", words, round(scene.setback, 1))
    return _unknown(scene) or _over_quota(scene) or _too_large(scene) or _rival(scene)


def _unknown(scene: Scene) -> Refusal | None:
    endpoint, pool = scene.tenant.endpoint, scene.site.pool
    if scene.operator:
        return None
    if pool is None:
        if endpoint.spec.kind is BackendKind.OLLAMA:  # it keeps within its memory by itself
            return None
        backend = endpoint.spec.backend
        words = f'how much memory {backend} has is not known: set memory = "24GB" for it in [[backends]]'
        return Refusal("unknown_memory", words)
    if pool.total is None:
        return Refusal("unknown_memory", f"the memory of {pool.name} has not been measured yet", 1.0)
    if endpoint.need is None:
        return Refusal("unknown_need", "how much memory it needs is not known; an operator may load it")
    return None


def _over_quota(scene: Scene) -> Refusal | None:
    need, rule, quota = scene.tenant.endpoint.need, scene.tenant.rule, scene.quota
    backend = scene.tenant.endpoint.spec.backend
    if rule.copies is not None and scene.copies >= rule.copies:
        return Refusal(
            "copies", f"it is loaded on {scene.copies} other backends, and its quota is {rule.copies}"
        )
    if quota.loaded is not None and quota.loaded <= 0:
        return Refusal("quota", f"{backend} may have no model loaded")
    if need is None:
        return None
    if rule.memory is not None and need.bytes > rule.memory:
        return Refusal("quota", f"needs {need_words(need)}, and its quota is {gib(rule.memory)} GiB")
    if quota.memory is not None and need.bytes > quota.memory:
        return Refusal("quota", f"needs {need_words(need)}, and {backend} may use {gib(quota.memory)} GiB")
    return None


def _too_large(scene: Scene) -> Refusal | None:
    need, pool = scene.tenant.endpoint.need, scene.site.pool
    if need is None or pool is None or pool.total is None:
        return None
    if need.bytes + pool.headroom > pool.total:
        kept = f", {gib(pool.headroom)} kept free" if pool.headroom else ""
        words = f"needs {need_words(need)}, and {pool.name} has {gib(pool.total)} GiB in all{kept}"
        return Refusal("too_large", words)
    if scene.exhausted:
        return Refusal("too_large", f"ran out of memory three times with {need_words(need)}")
    return None


def _rival(scene: Scene) -> Refusal | None:
    for rival in rivals(scene):
        if not rival.movable:
            how = "pinned" if rival.rule.pinned else "loaded for good"
            return Refusal(
                "group", f"{rival.id} is {how}, and only one of {scene.tenant.rule.group!r} may be"
            )
    return None


def rivals(scene: Scene) -> list[Tenant]:
    """Models of the same exclusive group that are there."""
    tenant = scene.tenant
    if not tenant.rule.group:
        return []
    return [
        other
        for other in scene.site.tenants.values()
        if other is not tenant and other.rule.group == tenant.rule.group and other.present
    ]


def draft(scene: Scene, force: Force = Force.NONE) -> Draft:
    """The plan of a load, and what of it can be done now."""
    if scene.tenant.settled:
        return Draft(Plan(fits=True, expected_seconds=0.0, expected_basis="measured"))
    no = refusal(scene)
    if no is not None:
        return Draft(
            _worded(scene, Plan(fits=False, code=no.code, reason=no.reason, retry_after=no.retry_after))
        )
    against = rivals(scene)
    leaving = [other for other in scene.site.tenants.values() if other.leaving and other is not scene.tenant]
    if missing(scene, returned=False).met and not against:
        return _clear(scene)
    must = [rival for rival in against if not rival.leaving]
    others = sorted((t for t in _within_reach(scene) if t not in must), key=Tenant.worth)
    ready = [t for t in others if _may_go(t, scene, force)]
    short = missing(scene, returned=True)
    for rival in must:
        short.give(rival)
    if all(_may_go(t, scene, force) for t in must):
        picks = must + choose(short, ready)
        if short.met:
            return _after(scene, picks, leaving)
        short = missing(scene, returned=True)
        for rival in must:
            short.give(rival)
    picks = must + choose(short, ready + [t for t in others if t not in ready])
    return _after(scene, picks, leaving, blocked=True) if short.met else _hopeless(scene, ready)


def _within_reach(scene: Scene) -> list[Tenant]:
    """All whose end could help, now or later: in the same pool, or on the same backend."""
    return [
        other
        for other in {**scene.site.tenants, **{other.id: other for other in scene.neighbours}}.values()
        if other is not scene.tenant and other.present and other.movable and not other.leaving
    ]


def _may_go(tenant: Tenant, scene: Scene, force: Force) -> bool:
    if not tenant.settled:
        return False
    if force is Force.YOUNG:
        return True
    return tenant.is_mature(scene.now, scene.policy) and (force is Force.BUSY or tenant.idle)


def _pressed(scene: Scene) -> bool:
    pool = scene.site.pool
    return pool is not None and pool.watermarks.pressure is Pressure.CRITICAL


def _clear(scene: Scene) -> Draft:
    if _pressed(scene):
        pool = scene.site.pool
        assert pool is not None
        words = f"{room_words(pool.name, pool.room(scene.now))}: nothing is loaded while it is that full"
        return Draft(_worded(scene, Plan(fits=True, code="pressure", reason=words)))
    known = scene.site.pool is not None and scene.tenant.endpoint.need is not None
    return Draft(_worded(scene, Plan(fits=True if known else None)), begins=True)


def _after(
    scene: Scene, picks: Sequence[Tenant], leaving: Sequence[Tenant], *, blocked: bool = False
) -> Draft:
    """The load fits when these are gone; `blocked`: some of them may not be made to go yet."""
    waits = [pick for pick in picks if blocked and not _may_go(pick, scene, Force.NONE)]
    going = [pick for pick in picks if pick not in waits]
    plan = Plan(
        evicts=tuple(victim.id for victim in going),
        frees_bytes=sum(victim.size for victim in going) or None,
        fits=True,
        waits_for=tuple(other.id for other in (*leaving, *waits)),
        code="busy" if waits else "",
        reason=_waiting_words(waits, scene) if waits else "",
    )
    return Draft(_worded(scene, plan), evicts=() if blocked else tuple(picks), waits_for=tuple(waits))


def _waiting_words(waits: Sequence[Tenant], scene: Scene) -> str:
    words = []
    for other in waits:
        if not other.settled:
            words.append(f"{other.id} is being loaded")
        elif other.idle:
            words.append(f"{other.id} was loaded {scene.now - other.endpoint.ready_since:.0f} s ago")
        else:
            words.append(f"{other.id} is busy")
    return ", ".join(words)


def _hopeless(scene: Scene, ready: Sequence[Tenant]) -> Draft:
    need, pool = scene.tenant.endpoint.need, scene.site.pool
    frees = sum(other.size for other in ready)
    what = need_words(need) if need is not None else f"{gib(wanted_bytes(scene.tenant))} GiB"
    if pool is None or pool.total is None:
        words = (
            f"the quota of {scene.tenant.endpoint.spec.backend} is taken by models that may not be evicted"
        )
    else:
        words = f"needs {what}, {room_words(pool.name, pool.room(scene.now))}"
        words += f"; evicting everything idle frees {gib(frees)} GiB"
    plan = Plan(fits=False, frees_bytes=frees or None, code="no_room", reason=words, retry_after=5.0)
    return Draft(_worded(scene, plan), hopeless=True)


def _worded(scene: Scene, plan: Plan) -> Plan:
    """The plan with the numbers of model and pool in it."""
    tenant, pool = scene.tenant, scene.site.pool
    endpoint = tenant.endpoint
    room: Room | None = pool.room(scene.now) if pool is not None and pool.total is not None else None
    return msgspec.structs.replace(
        plan,
        needs_bytes=wanted_bytes(tenant) or None,
        need=endpoint.need,
        expected_seconds=round(tenant.load_seconds, 1),
        expected_basis="prior" if endpoint.took is None else "measured",
        waiting=len(tenant.waiters),
        pool="" if pool is None else pool.name,
        total_bytes=None if room is None else room.total,
        free_bytes=None if room is None else room.free,
        reserved_bytes=None if room is None else room.reserved,
        foreign_bytes=None if room is None else room.foreign,
        headroom_bytes=None if room is None else room.headroom,
    )
