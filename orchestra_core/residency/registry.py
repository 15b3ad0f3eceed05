"""Which models there are, in which pools, and what came and went there without us."""

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Rule
from orchestra_core.residency.pool import Pool
from orchestra_core.residency.tenant import Policy, Site, Tenant
from orchestra_core.residency.watermarks import Watermarks


class Registry:
    """Every tenant by id, by backend and by model."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.tenants: dict[str, Tenant] = {}
        self.sites: dict[str, Site] = {}
        self.backends: dict[str, dict[str, Tenant]] = {}
        self.models: dict[str, dict[str, Tenant]] = {}

    def join(self, endpoint: Endpoint, pool: str | None, rule: Rule, now: float) -> Tenant:
        """`pool` None: its backend's memory is not known."""
        site = self._unknown(endpoint.spec.backend) if pool is None else self.pool(pool)
        tenant = self.tenants.get(endpoint.id)
        if tenant is None:
            tenant = self.tenants[endpoint.id] = Tenant(endpoint, site, rule)
            site.tenants[endpoint.id] = tenant
            self.backends.setdefault(endpoint.spec.backend, {})[endpoint.id] = tenant
            self.models.setdefault(endpoint.spec.model, {})[endpoint.id] = tenant
        elif tenant.site is not site:
            self._move(tenant, site, now)
        if tenant.endpoint is not endpoint:
            _succeed(tenant, endpoint)
        tenant.govern(rule)
        reconcile(tenant, now)
        return tenant

    def leave(self, endpoint_id: str, now: float) -> None:
        """What it held counts until its memory is measured to be back; where nobody measures, its server is gone."""
        tenant = self.tenants.pop(endpoint_id, None)
        if tenant is None:
            return
        pool = tenant.site.pool
        if pool is not None and pool.used is None:
            pool.forget(endpoint_id)
        elif pool is not None:
            pool.release(endpoint_id, now)
        spec = tenant.endpoint.spec
        del tenant.site.tenants[endpoint_id]
        del self.backends[spec.backend][endpoint_id]
        del self.models[spec.model][endpoint_id]
        if not tenant.site.tenants and tenant.site.pool is None:
            self.sites = {key: site for key, site in self.sites.items() if site is not tenant.site}

    def configure(self, policy: Policy) -> None:
        self._policy = policy
        for site in self.sites.values():
            if site.pool is not None:
                site.pool.configure(
                    policy.warning, policy.evict, policy.critical, policy.headroom, policy.return_seconds
                )

    def pool(self, name: str) -> Site:
        site = self.sites.get(name)
        if site is None:
            policy = self._policy
            marks = Watermarks(policy.warning, policy.evict, policy.critical)
            site = self.sites[name] = Site(name, Pool(name, marks, policy.headroom, policy.return_seconds))
        return site

    def drop(self, name: str) -> None:
        site = self.sites.get(name)
        if site is not None and not site.tenants:
            del self.sites[name]

    def _unknown(self, backend: str) -> Site:
        key = f"?{backend}"  # a pool may have the name of a backend
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = Site(backend, None)
        return site

    def _move(self, tenant: Tenant, site: Site, now: float) -> None:
        old, holding = tenant.site.pool, tenant.holding
        if old is not None:
            old.forget(tenant.id)
        del tenant.site.tenants[tenant.id]
        tenant.site = site
        site.tenants[tenant.id] = tenant
        if site.pool is not None and holding is not None:
            site.pool.adopt(tenant.id, holding.bytes, now)


def _succeed(tenant: Tenant, endpoint: Endpoint) -> None:
    """A reload has put another object in the place of an endpoint: what is under way goes on there."""
    if tenant.loading or tenant.leaving:
        endpoint.residency = tenant.endpoint.residency
    if endpoint.residency is Residency.READY:
        endpoint.ready_since = tenant.endpoint.ready_since
    endpoint.took = tenant.endpoint.took
    tenant.endpoint = endpoint


def reconcile(tenant: Tenant, now: float) -> None:
    """Takes what a look at the backend said as it is, unless something of ours is under way."""
    endpoint, pool = tenant.endpoint, tenant.site.pool
    if tenant.loading or tenant.leaving:
        return
    ready = endpoint.residency is Residency.READY
    if ready:
        tenant.asked = tenant.speculated = None
        endpoint.ready_since = endpoint.ready_since or now
    if pool is None:
        return
    if endpoint.residency is Residency.ABSENT:
        pool.release(tenant.id, now)
        return
    if pool.held(tenant.id) is None:
        pool.adopt(tenant.id, max(tenant.wanted_bytes, endpoint.memory_bytes or 0), now)
    if ready:
        bound = None if endpoint.need is None else endpoint.need.bytes
        pool.settle(tenant.id, endpoint.memory_bytes, bound)
