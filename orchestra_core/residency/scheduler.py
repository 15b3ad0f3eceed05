"""Decides every load and unload. Whoever drives it carries out its `actions` and tells how they ended.

The rule, by construction: a `Load` is returned only if its reservation fits under all others, foreign use and
headroom, in `Turn`. The scheduler writes `residency`, `ready_since` and `took` of endpoints, and `barred` and
`external` in `publish`; the rest it only reads.
"""

from collections.abc import Iterable

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Pressure, Quota, Reading, Rule
from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.planner import PERMANENT, Scene, draft, wanted_bytes
from orchestra_core.residency.pool import Pool
from orchestra_core.residency.publishing import publish, view
from orchestra_core.residency.setbacks import Setbacks
from orchestra_core.residency.tenant import Policy, Site, Tenant
from orchestra_core.residency.turn import Load, Refuse, Turn, Unload
from orchestra_core.residency.watermarks import Watermarks

__all__ = ["PERMANENT", "Load", "Policy", "Refuse", "Scheduler", "Unload"]

_NO_QUOTA = Quota()
_NO_RULE = Rule()


class Scheduler:
    """All pools and models of one engine. Never waits, never fails; times are monotonic seconds."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = Policy() if policy is None else policy
        self._tenants: dict[str, Tenant] = {}
        self._sites: dict[str, Site] = {}
        self._quotas: dict[str, Quota] = {}
        self._setbacks = Setbacks()
        self._now = 0.0

    # What there is.

    def join(self, endpoint: Endpoint, pool: str | None, rule: Rule = _NO_RULE) -> None:
        """An endpoint that was seen, for the first time or again; `pool` None: its memory is not known.

        What was loaded or has gone without us is taken into account here.
        """
        site = self._site(endpoint, pool)
        tenant = self._tenants.get(endpoint.id)
        if tenant is None:
            tenant = self._tenants[endpoint.id] = Tenant(endpoint, site, rule)
            site.tenants[endpoint.id] = tenant
        elif tenant.site is not site:
            self._move(tenant, site)
        tenant.endpoint = endpoint
        tenant.rule = rule
        self._reconcile(tenant)

    def _site(self, endpoint: Endpoint, pool: str | None) -> Site:
        # A pool may have the name of a backend.
        key = f"?{endpoint.spec.backend}" if pool is None else pool
        site = self._sites.get(key)
        if site is None:
            policy = self.policy
            marks = Watermarks(policy.warning, policy.evict, policy.critical)
            memory = None if pool is None else Pool(pool, marks, policy.headroom)
            site = self._sites[key] = Site(endpoint.spec.backend if pool is None else pool, memory)
        return site

    def _move(self, tenant: Tenant, site: Site) -> None:
        old, holding = tenant.site.pool, tenant.holding
        if old is not None:
            old.forget(tenant.id)
        del tenant.site.tenants[tenant.id]
        tenant.site = site
        site.tenants[tenant.id] = tenant
        if site.pool is not None and holding is not None:
            site.pool.reserve(tenant.id, holding.bytes)

    def _reconcile(self, tenant: Tenant) -> None:
        endpoint, pool = tenant.endpoint, tenant.site.pool
        if tenant.loading or tenant.leaving:
            return
        if endpoint.residency is Residency.ABSENT:
            self._release(tenant, self._now)
            return
        if endpoint.residency is Residency.READY and not endpoint.ready_since:
            endpoint.ready_since = self._now
        if pool is None:
            return
        if pool.held(tenant.id) is None:
            pool.reserve(tenant.id, wanted_bytes(tenant))
        if endpoint.residency is Residency.READY:
            bound = None if endpoint.need is None else endpoint.need.bytes
            pool.settle(tenant.id, endpoint.memory_bytes, bound)

    def quota(self, backend: str, quota: Quota) -> None:
        self._quotas[backend] = quota

    def leave(self, endpoint_id: str, now: float) -> None:
        """An endpoint is no longer there for us; what it held counts until its memory is measured to be back."""
        tenant = self._tenants.pop(endpoint_id, None)
        if tenant is not None:
            self._release(tenant, now)
            self._setbacks.succeeded(endpoint_id)
            del tenant.site.tenants[endpoint_id]

    def read(self, pool: str, reading: Reading, now: float) -> Pressure:
        """Takes a measurement of a pool; tell what its models occupy (`memory_bytes`, `join`) before."""
        self._now = max(self._now, now)
        site = self._sites.get(pool)
        if site is None:
            policy = self.policy
            marks = Watermarks(policy.warning, policy.evict, policy.critical)
            site = self._sites[pool] = Site(pool, Pool(pool, marks, policy.headroom))
        assert site.pool is not None
        known = {
            key: tenant.endpoint.memory_bytes
            for key, tenant in site.tenants.items()
            if tenant.endpoint.memory_bytes is not None
        }
        return site.pool.read(reading, known, now)

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
        self._now = max(self._now, now)
        tenant = self._of(endpoint)
        plan = draft(self._scene(tenant, now, operator=operator)).plan
        if plan.code in PERMANENT:
            return plan
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
        self._now = max(self._now, now)
        tenant = self._of(endpoint)
        if since is not None and since in tenant.waiters:
            tenant.waiters.remove(since)
        elif tenant.waiters:
            tenant.waiters.pop()
        else:
            tenant.asked = tenant.speculated = None

    def unload(self, endpoint: Endpoint, now: float, patience: float, *, force: bool = False) -> bool:
        """An operator's wish; False: not done, since it is busy (`patience` 0 and no `force`) or not there."""
        self._now = max(self._now, now)
        tenant = self._of(endpoint)
        if not tenant.settled or not (tenant.idle or patience > 0 or force):
            return False
        tenant.patient = patience
        tenant.asked = tenant.speculated = None
        return True

    def plan(self, endpoint: Endpoint, now: float, action: str = "load", *, operator: bool = False) -> Plan:
        """What a load or unload would do. Changes nothing."""
        tenant = self._of(endpoint)
        if action == "unload":
            busy = () if tenant.idle or not tenant.settled else (tenant.id,)
            return Plan(frees_bytes=tenant.size or None, waits_for=busy, waiting=len(tenant.waiters))
        return draft(self._scene(tenant, now, operator=operator)).plan

    # How it went.

    def loaded(self, endpoint: Endpoint, measured: int | None, now: float) -> None:
        """The load has ended well; `measured` bytes are what the model occupies."""
        self._now = max(self._now, now)
        tenant = self._of(endpoint)
        if tenant.loading:
            endpoint.took = now - tenant.begun
        tenant.loading = False
        tenant.asked = tenant.speculated = None
        tenant.evicted.clear()
        self._setbacks.succeeded(endpoint.id)
        if measured is not None:
            endpoint.memory_bytes = measured
        if not tenant.leaving:
            endpoint.residency = Residency.READY
            endpoint.ready_since = now
        pool = tenant.site.pool
        if pool is not None:
            if pool.held(tenant.id) is None:
                pool.reserve(tenant.id, wanted_bytes(tenant))
            pool.settle(tenant.id, endpoint.memory_bytes)

    def failed(self, endpoint: Endpoint, now: float, *, out_of_memory: bool = False) -> None:
        """The load has ended badly: its reservation goes as measured memory does, and it is left alone for a while."""
        tenant = self._of(endpoint)
        need = endpoint.need
        if not tenant.leaving:  # an aborted load says nothing about the model
            self._setbacks.failed(
                endpoint.id, now, out_of_memory=out_of_memory, needed=0 if need is None else need.bytes
            )
        self._gone(tenant, now)

    def unloaded(self, endpoint: Endpoint, now: float) -> None:
        self._gone(self._of(endpoint), now)

    def lost(self, endpoint: Endpoint, now: float) -> None:
        """It has ended by itself."""
        self._gone(self._of(endpoint), now)

    def kept(self, endpoint: Endpoint, now: float) -> None:
        """The unload did not happen: the model is still there."""
        self._now = max(self._now, now)
        tenant = self._of(endpoint)
        tenant.leaving = False
        endpoint.residency = Residency.READY

    def _gone(self, tenant: Tenant, now: float) -> None:
        self._now = max(self._now, now)
        tenant.loading = tenant.leaving = False
        tenant.asked = tenant.speculated = tenant.patient = None
        tenant.evicted.clear()
        tenant.endpoint.residency = Residency.ABSENT
        tenant.endpoint.memory_bytes = None
        self._release(tenant, now)

    def _release(self, tenant: Tenant, now: float) -> None:
        if tenant.site.pool is not None:
            tenant.site.pool.release(tenant.id, now)

    # What to do.

    def actions(self, now: float) -> list[Load | Unload | Refuse]:
        """What can begin now. To be called after anything above, and once a second."""
        self._now = max(self._now, now)
        turn = Turn(self.policy, now, self._scene)
        return [action for site in self._sites.values() for action in turn.take(site)]

    def publish(self, now: float) -> None:
        """Tells the router which absent models may not be loaded, and what loading the others costs."""
        publish(self._sites.values(), self._scene, now)

    def view(self, now: float) -> tuple[PoolView, ...]:
        return view(self._sites.values(), now)

    @property
    def pressure(self) -> Pressure:
        """The worst of all pools."""
        pools = (site.pool for site in self._sites.values())
        return max((pool.watermarks.pressure for pool in pools if pool is not None), default=Pressure.CALM)

    def _of(self, endpoint: Endpoint) -> Tenant:
        tenant = self._tenants.get(endpoint.id)
        if tenant is None:
            self.join(endpoint, None)
            tenant = self._tenants[endpoint.id]
        return tenant

    def _scene(self, tenant: Tenant, now: float, *, operator: bool | None = None) -> Scene:
        backend, model = tenant.endpoint.spec.backend, tenant.endpoint.spec.model
        setback = self._setbacks.of(tenant.id)
        return Scene(
            tenant=tenant,
            site=tenant.site,
            policy=self.policy,
            now=now,
            neighbours=tuple(
                self._present(t for t in self._tenants.values() if t.endpoint.spec.backend == backend)
            ),
            copies=sum(
                1
                for t in self._present(self._tenants.values())
                if t is not tenant and t.endpoint.spec.model == model
            ),
            quota=self._quotas.get(backend, _NO_QUOTA),
            setback=self._setbacks.remaining(tenant.id, now),
            exhausted=setback is not None
            and setback.exhausted >= 3
            and wanted_bytes(tenant) == setback.needed,
            operator=tenant.asked is not None if operator is None else operator,
        )

    @staticmethod
    def _present(tenants: Iterable[Tenant]) -> list[Tenant]:
        return [tenant for tenant in tenants if tenant.present]
