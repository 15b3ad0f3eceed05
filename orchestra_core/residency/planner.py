"""What a load would take: whom it evicts, whom it waits for, or why it may not be. Changes nothing."""

from collections.abc import Iterable, Sequence

import msgspec

from orchestra_core.domain.result import Plan
from orchestra_core.residency.refusal import refusal, rivals
from orchestra_core.residency.room import Room
from orchestra_core.residency.scene import Force, Ground, Scene, Shortfall, missing
from orchestra_core.residency.tenant import Site, Tenant
from orchestra_core.residency.wording import gib, need_words, quota_words, room_words

# Victims that spare others so many times as much waiting as the cheapest ones do are not taken lightly.
_DEAR = 2.0


class Draft(msgspec.Struct, frozen=True, gc=False):
    """`begins`: it can be loaded now. Otherwise `evicts` may be made to go for it now, and with them it fits, or it
    has to wait until `waits_for` may. `hopeless`: the end of all would not be enough.
    """

    plan: Plan
    begins: bool = False
    evicts: tuple[Tenant, ...] = ()
    waits_for: tuple[Tenant, ...] = ()
    hopeless: bool = False


def draft(scene: Scene) -> Draft:
    """The plan of a load, and what of it can be done now."""
    if scene.tenant.settled:
        return Draft(Plan(fits=True, expected_seconds=0.0, expected_basis="measured"))
    ground = Ground(scene.site, scene.now, scene.tenant)
    no = refusal(scene)
    if no is not None:
        plan = Plan(fits=False, code=no.code, reason=no.reason, retry_after=no.retry_after)
        return Draft(_worded(scene, ground, plan))
    against = rivals(scene.tenant)
    if not against and missing(scene, ground, returned=False).met:
        return _clear(scene, ground)
    must = [rival for rival in against if not rival.leaving]
    able, unable = _victims(scene, must)
    if all(may_go(rival, scene) for rival in must):
        picks, short = _pick(scene, ground, must, able)
        if short.met and not _too_dear(scene, ground, must, picks, able + unable):
            return _after(scene, ground, picks)
    picks, short = _pick(scene, ground, must, sorted(able + unable, key=Tenant.worth))
    return _after(scene, ground, picks, blocked=True) if short.met else _hopeless(scene, ground, short, able)


def _too_dear(
    scene: Scene, ground: Ground, must: Sequence[Tenant], picks: Sequence[Tenant], everybody: Sequence[Tenant]
) -> bool:
    """Whether to wait for models that may not go yet rather than give up those that may, as long as there is time.

    Otherwise what everybody uses goes whenever it is idle for a moment, since what hardly anybody uses has just come.
    """
    if scene.force is Force.YOUNG:
        return False
    cheapest, short = _pick(scene, ground, must, sorted(everybody, key=Tenant.worth))
    return short.met and _value(picks) > _DEAR * _value(cheapest)


def _value(victims: Iterable[Tenant]) -> float:
    """Seconds of waiting in every second that they spare."""
    return sum(victim.endpoint.demand * victim.load_seconds for victim in victims)


def may_go(tenant: Tenant, scene: Scene) -> bool:
    """Whether it may be unloaded now for this load."""
    if not tenant.settled or not tenant.endpoint.reachable or scene.now < tenant.stays:
        return False
    force, now = scene.force, scene.now
    if scene.operator and tenant.idle:
        return True
    if tenant.is_mature(now, scene.policy):
        return force >= Force.BUSY or tenant.idle
    if force < Force.YOUNG:
        return False
    # Half of the time at most goes into loading, however many wait for whatever.
    return tenant.idle or now - tenant.endpoint.ready_since >= max(
        tenant.load_seconds, scene.policy.swap_seconds
    )


def worst_first(tenants: Iterable[Tenant]) -> list[Tenant]:
    """Those that are there, the least worth keeping first."""
    return sorted((tenant for tenant in tenants if tenant.present), key=Tenant.worth)


def _victims(scene: Scene, must: Sequence[Tenant]) -> tuple[list[Tenant], list[Tenant]]:
    """All others whose end could help, in the same pool or on the same backend: who may go now, and who later."""
    order = scene.order
    if order is None or scene.neighbours:
        reach = {**scene.site.tenants, **{other.id: other for other in scene.neighbours}}
        order = worst_first(reach.values())
    able: list[Tenant] = []
    unable: list[Tenant] = []
    for other in order:
        if other is scene.tenant or other.leaving or not other.movable or other in must:
            continue
        (able if may_go(other, scene) else unable).append(other)
    return able, unable


def _pick(
    scene: Scene, ground: Ground, must: Sequence[Tenant], candidates: Sequence[Tenant]
) -> tuple[list[Tenant], Shortfall]:
    """Victims in the order given, and what is missing nevertheless."""
    short = missing(scene, ground, returned=True)
    for rival in must:
        short.give(rival, scene.site)
    picks = choose(short, candidates, scene.site)
    return [*must, *picks], short


def choose(short: Shortfall, candidates: Sequence[Tenant], site: Site) -> list[Tenant]:
    """The first of the candidates that make up for what is missing, without those that later ones made needless."""
    picks: list[Tenant] = []
    for candidate in candidates:
        if short.met:
            break
        if short.helped_by(candidate, site):
            short.give(candidate, site)
            picks.append(candidate)
    if short.met:
        for pick in picks[:-1]:
            short.give(pick, site, -1)
            if short.met:
                picks.remove(pick)
            else:
                short.give(pick, site)
    return picks


def _clear(scene: Scene, ground: Ground) -> Draft:
    if ground.pressed and ground.room is not None:
        words = f"{room_words(scene.site.name, ground.room)}: nothing is loaded while it is that full"
        return Draft(_worded(scene, ground, Plan(fits=True, code="pressure", reason=words)))
    if not _leaves_enough(scene, ground):
        return Draft(_worded(scene, ground, Plan(fits=True, code="turn", reason="older requests come first")))
    known = ground.measured and scene.tenant.endpoint.need is not None
    return Draft(_worded(scene, ground, Plan(fits=True if known else None)), begins=True)


def _leaves_enough(scene: Scene, ground: Ground) -> bool:
    """Whether older waiters could still be served beside it, if everything else that can be evicted was."""
    if not scene.ahead or not ground.measured:
        return True
    others = [t for t in scene.site.tenants.values() if t.present and t.movable and not t.leaving]
    most = min(ground.unpromised + ground.coming, ground.unused + ground.coming_used)
    room = most + sum(t.size for t in others)
    return scene.tenant.wanted_bytes + _at_once(scene.ahead, room) <= room


def _at_once(sizes: Sequence[int], room: int) -> int:
    """The most that these will have at once: one that does not fit beside those before it takes turns with them."""
    most = together = 0
    for size in sizes:
        together = together + size if together + size <= room else size
        most = max(most, together)
    return most


def _after(scene: Scene, ground: Ground, picks: Sequence[Tenant], *, blocked: bool = False) -> Draft:
    """The load fits when these are gone; `blocked`: some of them may not be made to go yet."""
    blocked = blocked or not _leaves_enough(scene, ground)
    waits = [pick for pick in picks if blocked and not may_go(pick, scene)]
    going = [pick for pick in picks if pick not in waits]
    leaving = [t.id for t in scene.site.tenants.values() if t.leaving and t is not scene.tenant]
    code, reason = _why_later(scene, ground, waits, blocked=blocked)
    plan = Plan(
        evicts=tuple(victim.id for victim in going),
        frees_bytes=sum(victim.size for victim in going) or None,
        fits=True,
        waits_for=(*leaving, *(other.id for other in waits)),
        code=code,
        reason=reason,
    )
    return Draft(_worded(scene, ground, plan), evicts=() if blocked else tuple(picks), waits_for=tuple(waits))


def _why_later(scene: Scene, ground: Ground, waits: Sequence[Tenant], *, blocked: bool) -> tuple[str, str]:
    if waits:
        return "busy", _waiting_words(waits, scene.now)
    if blocked:
        return "turn", "older requests come first"
    if ground.room is not None and ground.room.returning:
        return "returning", f"{gib(ground.room.returning)} GiB of models that have ended are not back yet"
    return "", ""


def _waiting_words(waits: Sequence[Tenant], now: float) -> str:
    words = []
    for other in waits:
        if not other.settled:
            words.append(f"{other.id} is being loaded")
        elif other.idle:
            words.append(f"{other.id} was loaded {now - other.endpoint.ready_since:.0f} s ago")
        else:
            words.append(f"{other.id} is busy")
    return ", ".join(words)


def _hopeless(scene: Scene, ground: Ground, short: Shortfall, able: Sequence[Tenant]) -> Draft:
    frees = sum(other.size for other in able)
    if short.promised > 0 or short.used > 0:
        words = f"{no_room_words(scene.tenant)}, {idle_words(scene.site.name, ground.room, frees)}"
    else:
        words = quota_words(short.backend)
    plan = Plan(fits=False, frees_bytes=frees or None, code="no_room", reason=words, retry_after=5.0)
    return Draft(_worded(scene, ground, plan), hopeless=True)


def no_room_words(tenant: Tenant) -> str:
    need = tenant.endpoint.need
    return "needs " + (f"{gib(tenant.wanted_bytes)} GiB" if need is None else need_words(need))


def idle_words(pool: str, room: Room | None, frees: int) -> str:
    known = f"{pool} has no room" if room is None else room_words(pool, room)
    return f"{known}; evicting everything idle frees {gib(frees)} GiB"


def _worded(scene: Scene, ground: Ground, plan: Plan) -> Plan:
    """The plan with the numbers of model and pool in it."""
    tenant, room, pool = scene.tenant, ground.room, scene.site.pool
    endpoint = tenant.endpoint
    plan = msgspec.structs.replace(
        plan,
        needs_bytes=tenant.wanted_bytes or None,
        need=endpoint.need,
        expected_seconds=round(tenant.load_seconds, 1),
        expected_basis="prior" if endpoint.took is None else "measured",
        waiting=len(tenant.waiters),
        pool="" if pool is None else pool.name,
    )
    if room is None:
        return plan
    return msgspec.structs.replace(
        plan,
        total_bytes=room.total,
        free_bytes=room.free,
        reserved_bytes=room.reserved,
        foreign_bytes=room.foreign,
        headroom_bytes=room.headroom,
    )
