"""What the router and people are told of memory.

The router's part runs every second over all models: the sums of a pool are made once, and each model is one look-up
in them. Only what rules of its own forbid is looked at one by one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.memory import Quota
from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.offer import Survey
from orchestra_core.residency.planner import no_room_words
from orchestra_core.residency.refusal import refusal, too_large, unknown_memory
from orchestra_core.residency.registry import Registry
from orchestra_core.residency.setbacks import Setbacks
from orchestra_core.residency.tenant import Policy, Site, Tenant
from orchestra_core.residency.turn import Look
from orchestra_core.residency.wording import quota_words

_ABSENT = Residency.ABSENT
Bar = tuple[str, str]


class Publisher:
    """Sets `barred` and `external` of all endpoints at one moment."""

    def __init__(
        self,
        registry: Registry,
        quotas: Mapping[str, Quota],
        setbacks: Setbacks,
        look: Look,
        policy: Policy,
        now: float,
    ) -> None:
        self._registry = registry
        self._quotas = {name: q for name, q in quotas.items() if q.memory is not None or q.loaded is not None}
        self._setbacks = frozenset(setbacks)
        self._look = look
        self._policy = policy
        self._now = now
        self._copies = Counter(
            t.endpoint.spec.model
            for t in registry.tenants.values()
            if t.rule.copies is not None and t.present
        )

    def publish(self) -> None:
        for site in self._registry.sites.values():
            if site.pool is None or site.pool.total is None:
                self._unmeasured(site)
            else:
                self._measured(site, Survey(site, self._policy, self._now))

    def _unmeasured(self, site: Site) -> None:
        for tenant in site.tenants.values():
            endpoint = tenant.endpoint
            absent = endpoint.residency is _ABSENT and endpoint.spec.loadable
            no = unknown_memory(site, tenant) if absent else None
            if absent and no is None and not self._is_plain(tenant):
                no = refusal(self._look(tenant, self._now, operator=False))
            endpoint.barred = None if no is None else (no.code, no.reason)
            endpoint.external = 0.0

    def _measured(self, site: Site, survey: Survey) -> None:
        assert site.pool is not None
        largest = (site.pool.total or 0) - site.pool.headroom
        free, cost = survey.free, survey.plain.cost
        all_plain = not self._quotas and not self._setbacks
        for tenant in site.tenants.values():
            endpoint = tenant.endpoint
            endpoint.external = 0.0
            endpoint.barred = None
            if endpoint.residency is not _ABSENT or not endpoint.spec.loadable:
                continue
            need = endpoint.need
            if need is None or tenant.ruled or not (all_plain or self._is_plain(tenant)):
                self._single(tenant, survey)
                continue
            size = need.bytes
            if size <= free:
                continue
            seconds = cost(size) if size <= largest else None
            if seconds is None:
                endpoint.barred = self._bar(tenant, survey)
            else:
                endpoint.external = seconds

    def _is_plain(self, tenant: Tenant) -> bool:
        """Whether its need and its pool alone decide."""
        return (
            not tenant.ruled
            and tenant.endpoint.spec.backend not in self._quotas
            and tenant.id not in self._setbacks
        )

    def _single(self, tenant: Tenant, survey: Survey) -> None:
        endpoint, need = tenant.endpoint, tenant.endpoint.need
        backend = endpoint.spec.backend
        quota = self._quotas.get(backend)
        if need is None or self._may_be_forbidden(tenant, need.bytes, quota, survey):
            no = refusal(self._look(tenant, self._now, operator=False))
            if no is not None:
                endpoint.barred = (no.code, no.reason)
                return
        assert need is not None
        offer = survey.offer(tenant.rule.group, backend, quota, self._registry.backends[backend].values())
        seconds = offer.cost(need.bytes)
        if seconds is not None:
            endpoint.external = seconds
        elif offer.lacks_memory(need.bytes):
            endpoint.barred = self._bar(tenant, survey)
        else:
            endpoint.barred = ("no_room", quota_words(backend))

    def _may_be_forbidden(self, tenant: Tenant, size: int, quota: Quota | None, survey: Survey) -> bool:
        """Cheaper than to look; what is not found here is not forbidden."""
        rule = tenant.rule
        if tenant.id in self._setbacks or (rule.memory is not None and size > rule.memory):
            return True
        if rule.copies is not None and self._copies[tenant.endpoint.spec.model] >= rule.copies:
            return True
        if quota is not None and (quota.loaded == 0 or (quota.memory is not None and size > quota.memory)):
            return True
        return bool(rule.group) and any(not rival.movable for rival in survey.groups.get(rule.group, ()))

    def _bar(self, tenant: Tenant, survey: Survey) -> Bar:
        """In words, of which only those about the pool change from one second to the next."""
        no = too_large(tenant.site, tenant)
        if no is not None:
            return no.code, no.reason
        need = tenant.endpoint.need
        if tenant.said is None or tenant.said[0] is not need:
            tenant.said = (need, no_room_words(tenant))
        return "no_room", f"{tenant.said[1]}, {survey.words}"


def view(sites: Iterable[Site], now: float) -> tuple[PoolView, ...]:
    """The pools there is a measurement or a configured size of, by name."""
    found = []
    for site in sites:
        pool = site.pool
        if pool is None or pool.total is None:
            continue
        room = pool.room(now)
        warning, full, critical = pool.watermarks.shares
        found.append(
            PoolView(
                name=site.name,
                total=room.total,
                free=room.free,
                reserved=room.reserved,
                used=room.used,
                foreign=room.foreign,
                headroom=room.headroom,
                returning=room.returning,
                pressure=room.pressure.name.lower(),
                source="configured" if room.used is None else "host",
                backends=tuple(sorted({t.endpoint.spec.backend for t in site.tenants.values()})),
                warning=warning,
                full=full,
                critical=critical,
            )
        )
    return tuple(sorted(found, key=lambda pool: pool.name))
