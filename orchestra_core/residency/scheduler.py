"""Decides every load and unload. Whoever drives it carries out its `actions` and tells how they ended.

The rule holds by construction: a load begins in one place, `Turn`, with a reservation that `Pool.admit` has made.
The scheduler writes `residency`, `ready_since` and `took` of endpoints, their `memory_bytes` at the end of loads and
unloads, and `barred` and `external` in `publish`; the rest it only reads.
"""

from collections.abc import Sequence

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Pressure, Quota, Reading, Rule
from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.planner import draft
from orchestra_core.residency.publishing import Publisher, view
from orchestra_core.residency.refusal import PERMANENT
from orchestra_core.residency.registry import Registry, reconcile
from orchestra_core.residency.scene import Force, Scene
from orchestra_core.residency.setbacks import Setbacks
from orchestra_core.residency.tenant import Policy, Tenant
from orchestra_core.residency.turn import Load, Refuse, Turn, Unload

__all__ = ["PERMANENT", "Load", "Policy", "Refuse", "Scheduler", "Unload"]

_NO_QUOTA = Quota()
_NO_RULE = Rule()
# After an unload that did not work, the model is left where it is for so long.
_STAYS_SECONDS = 5.0
# So many deaths in a row with the same need, and it is taken to be too large.
_EXHAUSTED = 3


class Scheduler:
    """All pools and models of one engine. Never waits, never fails; times are monotonic seconds."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = Policy() if policy is None else policy
        self._registry = Registry(self.policy)
        self._quotas: dict[str, Quota] = {}
        self._setbacks = Setbacks()
        self._now = 0.0

    # What there is.

    def join(self, endpoint: Endpoint, pool: str | None, rule: Rule = _NO_RULE) -> None:
        """An endpoint that was seen, for the first time or again; `pool` None: its memory is not known.

        What was loaded or has gone without us is taken into account here.
        """
        self._registry.join(endpoint, pool, rule, self._now)

    def most(self, pool: str, now: float) -> int | None:
        """Bytes that a model alone in a pool may have; None where nobody has read it."""
        site = self._registry.sites.get(pool)
        if site is None or site.pool is None or site.pool.total is None:
            return None
        room = site.pool.room(now)
        return room.total - room.headroom - room.foreign

    def configure(self, policy: Policy) -> None:
        """A new policy, in effect at once for what is not begun."""
        self.policy = policy
        self._registry.configure(policy)

    def quota(self, backend: str, quota: Quota) -> None:
        """Replaces what a backend is allowed; an empty one allows everything."""
        if quota == _NO_QUOTA:
            self._quotas.pop(backend, None)
        else:
            self._quotas[backend] = quota

    def leave(self, endpoint_id: str, now: float) -> None:
        """An endpoint is no longer there for us; what it held counts until its memory is measured to be back."""
        self._at(now)
        self._registry.leave(endpoint_id, now)
        self._setbacks.forget(endpoint_id)

    def away(self, endpoint_id: str, now: float) -> None:
        """Its backend does not answer any more: where memory is measured, what the model held counts until that is
        back, or as foreign use. The next look at the backend takes it as it is then.
        """
        self._at(now)
        tenant = self._registry.tenants.get(endpoint_id)
        if tenant is None or tenant.site.pool is None or tenant.site.pool.used is None:
            return
        if not (tenant.loading or tenant.leaving):  # else that will end, and tell
            tenant.site.pool.release(endpoint_id, now)

    def read(self, pool: str, reading: Reading, now: float) -> Pressure:
        """Takes a measurement of a pool; tell what its models occupy (`memory_bytes`, `join`) before."""
        self._at(now)
        site = self._registry.pool(pool)
        assert site.pool is not None
        sizes = ((key, tenant.endpoint.memory_bytes) for key, tenant in site.tenants.items())
        return site.pool.read(reading, {key: size for key, size in sizes if size is not None}, now)

    def drop(self, pool: str) -> None:
        """A pool that is no longer measured and in which no models are any more."""
        self._registry.drop(pool)

    # What is wanted.

    def want(
        self,
        endpoint: Endpoint,
        now: float,
        *,
        speculative: bool = False,
        operator: bool = False,
        evicting: bool = False,
    ) -> Plan:
        """Somebody waits for the model. With a code of PERMANENT the plan is a refusal, and nothing was noted.

        Otherwise each call is paired with one `unwant`, when the waiter goes for whatever reason, served or not.
        A wish of an operator and a guess (`speculative`; `evicting`: idle models may go for it) have no waiter:
        they end with the load, or with an `unwant` while nobody waits.
        """
        self._at(now)
        tenant = self._of(endpoint)
        reconcile(tenant, now)
        plan = draft(self._look(tenant, now, operator=operator)).plan
        if speculative and (tenant.site.pool is None or tenant.site.pool.total is None):
            return Plan(
                fits=False, code="unknown_memory", reason="nothing is loaded ahead where memory is not known"
            )
        if plan.code in PERMANENT:
            return plan
        if (operator and tenant.settled) or (speculative and tenant.present):
            return plan
        if tenant.since is None and tenant.speculated is None:
            tenant.evicted.clear()
        if speculative:
            tenant.speculated = now
            tenant.bumping = evicting
        elif operator:
            tenant.asked = now if tenant.asked is None else tenant.asked
        else:
            tenant.waiters.append(now)
        return plan

    def unwant(self, endpoint: Endpoint, now: float, since: float | None = None) -> None:
        """A waiter goes: the one that came at `since`, if that is told, else the youngest."""
        self._at(now)
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is None:
            return
        if since is not None and since in tenant.waiters:
            tenant.waiters.remove(since)
        elif tenant.waiters:
            tenant.waiters.pop()
        else:
            tenant.asked = tenant.speculated = None
        if tenant.since is None:
            tenant.evicted.clear()
            tenant.hopeless = None

    def unguess(self, endpoint: Endpoint) -> None:
        """A guess is given up; who waits for the same model is not concerned."""
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is not None and not tenant.loading:
            tenant.speculated = None
            if tenant.since is None:
                tenant.evicted.clear()

    def unload(self, endpoint: Endpoint, now: float, patience: float, *, force: bool = False) -> bool:
        """An operator's wish. False, and nothing done, where it is not there or on its way, or busy without `patience`
        or `force`; `force` also ends a load that is under way.
        """
        self._at(now)
        tenant = self._of(endpoint)
        if tenant.leaving or not tenant.endpoint.spec.loadable:
            return False
        found = tenant.endpoint
        wanted = bool(found.inflight or found.waiting or tenant.waiters)
        ready = found.residency is Residency.READY and (not wanted or patience > 0 or force)
        if not ready and not (force and tenant.loading):
            return False
        tenant.patience = patience
        tenant.asked = tenant.speculated = None
        return True

    def frees(self, endpoint_id: str) -> int | None:
        """What is reserved for a model that is there; None: nothing, or nobody knows."""
        tenant = self._registry.tenants.get(endpoint_id)
        return tenant.size or None if tenant is not None and tenant.present else None

    def plan(self, endpoint: Endpoint, now: float, action: str = "load", *, operator: bool = False) -> Plan:
        """What a load or unload would do. Changes nothing."""
        tenant = self._of(endpoint)
        if action == "unload":
            busy = () if tenant.idle or not tenant.settled else (tenant.id,)
            return Plan(frees_bytes=tenant.size or None, waits_for=busy, waiting=len(tenant.waiters))
        return draft(self._look(tenant, now, operator=operator)).plan

    # How it went.

    # An endpoint that has left meanwhile is not ours any more: nothing is noted of it.

    def loaded(self, endpoint: Endpoint, measured: int | None, now: float) -> None:
        """The load has ended well; `measured` bytes are what the model occupies."""
        self._at(now)
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is None:
            return
        found, pool = tenant.endpoint, tenant.site.pool
        if tenant.loading:
            found.took = now - tenant.begun
        tenant.loading = False
        tenant.asked = tenant.speculated = None
        tenant.evicted.clear()
        self._setbacks.loaded(endpoint.id)
        if measured is not None:
            found.memory_bytes = measured
        if not tenant.leaving:
            found.residency = Residency.READY
            found.ready_since = now
        if pool is not None:
            if pool.held(tenant.id) is None:
                pool.adopt(tenant.id, tenant.wanted_bytes, now)
            pool.settle(tenant.id, measured)

    def failed(self, endpoint: Endpoint, now: float, *, out_of_memory: bool = False) -> None:
        """The load has ended badly, and the model is left alone for a while. An aborted one says nothing of it."""
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is not None and not tenant.leaving:
            self._setbacks.failed(endpoint.id, now, out_of_memory=out_of_memory, needed=tenant.size)
        self._gone(tenant, now)

    def unloaded(self, endpoint: Endpoint, now: float) -> None:
        """It has ended as it should."""
        self._setbacks.forget(endpoint.id)
        self._gone(self._registry.tenants.get(endpoint.id), now)

    def lost(self, endpoint: Endpoint, now: float, *, out_of_memory: bool = False) -> None:
        """It has ended by itself; one that had not been there for long counts as one that could not be loaded."""
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is not None and now - tenant.endpoint.ready_since < self.policy.resident_seconds:
            self._setbacks.failed(
                endpoint.id, now, out_of_memory=out_of_memory, needed=tenant.size, died=True
            )
        else:
            self._setbacks.forget(endpoint.id)
        self._gone(tenant, now)

    def kept(self, endpoint: Endpoint, now: float, *, busy: bool = False) -> None:
        """The unload did not happen: the model is still there, or still being loaded.

        It is left alone for a while; not so where it was only `busy`, or those who come meanwhile would keep it so.
        """
        self._at(now)
        tenant = self._registry.tenants.get(endpoint.id)
        if tenant is not None:
            tenant.leaving = False
            tenant.stays = now if busy else now + _STAYS_SECONDS
            tenant.asked = tenant.asked if tenant.loading else None  # it is there, as wished
            tenant.endpoint.residency = Residency.LOADING if tenant.loading else Residency.READY

    def _gone(self, tenant: Tenant | None, now: float) -> None:
        self._at(now)
        if tenant is None:
            return
        tenant.loading = tenant.leaving = False
        tenant.asked = tenant.speculated = tenant.patience = None
        tenant.evicted.clear()
        tenant.endpoint.residency = Residency.ABSENT
        tenant.endpoint.memory_bytes = None
        if tenant.site.pool is not None:
            tenant.site.pool.release(tenant.id, now)

    # What to do.

    def actions(self, now: float) -> list[Load | Unload | Refuse]:
        """What begins now. To be called after anything above, and once a second."""
        self._at(now)
        turn = Turn(self.policy, now, self._look)
        return [action for site in self._registry.sites.values() for action in turn.take(site)]

    def publish(self, now: float) -> None:
        """Tells the router which absent models may not be loaded, and what loading the others costs."""
        self._at(now)
        Publisher(self._registry, self._quotas, self._setbacks, self._look, self.policy, now).publish()

    def view(self, now: float) -> tuple[PoolView, ...]:
        return view(self._registry.sites.values(), now)

    @property
    def pressure(self) -> Pressure:
        """The worst of all pools."""
        pools = (site.pool for site in self._registry.sites.values())
        return max((pool.watermarks.pressure for pool in pools if pool is not None), default=Pressure.CALM)

    def pressure_at(self, endpoint: Endpoint) -> Pressure:
        """How full the pool is that an endpoint's model would be in; calm where nobody knows."""
        pool = self._of(endpoint).site.pool
        return Pressure.CALM if pool is None else pool.watermarks.pressure

    def _at(self, now: float) -> None:
        self._now = max(self._now, now)

    def _of(self, endpoint: Endpoint) -> Tenant:
        tenant = self._registry.tenants.get(endpoint.id)
        return self._registry.join(endpoint, None, _NO_RULE, self._now) if tenant is None else tenant

    def _look(
        self,
        tenant: Tenant,
        now: float,
        *,
        operator: bool | None = None,
        force: Force = Force.NONE,
        claimed: int = 0,
        ahead: Sequence[int] = (),
        order: Sequence[Tenant] | None = None,
    ) -> Scene:
        spec = tenant.endpoint.spec
        quota = self._quotas.get(spec.backend, _NO_QUOTA)
        limited = quota.memory is not None or quota.loaded is not None
        beside = self._registry.backends[spec.backend].values() if limited else ()
        copies = self._registry.models[spec.model].values() if tenant.rule.copies is not None else ()
        setback = self._setbacks.of(tenant.id)
        return Scene(
            tenant=tenant,
            policy=self.policy,
            now=now,
            neighbours=beside,
            copies=sum(other.present and other is not tenant for other in copies),
            quota=quota,
            setback=self._setbacks.remaining(tenant.id, now),
            exhausted=setback is not None
            and setback.exhausted >= _EXHAUSTED
            and setback.needed == tenant.wanted_bytes,
            operator=tenant.asked is not None if operator is None else operator,
            force=force,
            claimed=claimed,
            ahead=ahead,
            order=order,
        )
