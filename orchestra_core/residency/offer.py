"""What a pool has for any one more model, reckoned once for all that might come."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property

from orchestra_core.domain.memory import Quota
from orchestra_core.residency.planner import idle_words
from orchestra_core.residency.scene import Ground, gains
from orchestra_core.residency.tenant import Policy, Site, Tenant


class Offer:
    """Room, and victims in the order in which they would go, as a plan would find them.

    `rivals` must go whatever room there is. Where their backend has a `quota`, it counts like memory. An order of
    victims is kept to, so costs are at least those of a plan, which leaves out what later victims made needless.
    """

    def __init__(
        self,
        site: Site,
        ground: Ground,
        victims: Sequence[Tenant],
        *,
        rivals: Sequence[Tenant] = (),
        backend: str = "",
        quota: Quota | None = None,
        beside: Iterable[Tenant] = (),
    ) -> None:
        there = [tenant for tenant in beside if tenant.present and not tenant.leaving]
        order = [*rivals, *(victim for victim in victims if victim not in rivals)]
        order += [t for t in there if t.movable and t.site is not site]
        start = len(rivals)
        promised, used = ground.unpromised + ground.coming, ground.unused + ground.coming_used
        promises, uses, costs = [promised], [used], [0.0]
        for victim in order:
            more, known = gains(victim) if victim.site is site else (0, 0)
            promises.append(promises[-1] + more)
            uses.append(uses[-1] + known)
            costs.append(costs[-1] + victim.cost())
        self._promised, self._used, self._costs = promises[start:], uses[start:], costs[start:]
        self._places = 0
        self._bytes: list[int] | None = None
        if quota is not None:
            self._limit(quota, there, order, start, backend)

    def _limit(
        self, quota: Quota, there: Sequence[Tenant], order: Sequence[Tenant], start: int, backend: str
    ) -> None:
        """What the backend may still have after each victim: bytes, and from which one on a place."""
        size = (quota.memory or 0) - sum(tenant.size for tenant in there)
        count = 0 if quota.loaded is None else len(there) + 1 - quota.loaded
        sizes, places = [size], [count]
        for victim in order:
            ours = victim.endpoint.spec.backend == backend
            sizes.append(sizes[-1] + (victim.size if ours else 0))
            places.append(places[-1] - ours)
        self._bytes = sizes[start:] if quota.memory is not None else None
        self._places = next((at for at, left in enumerate(places[start:]) if left <= 0), len(order) + 1)

    def cost(self, size: int) -> float | None:
        """Expected seconds that making room for so many bytes costs others; None: there is none to be made."""
        victims = max(bisect_left(self._promised, size), bisect_left(self._used, size))
        victims = max(victims, self._places)
        if self._bytes is not None:
            victims = max(victims, bisect_left(self._bytes, size))
        return self._costs[victims] if victims < len(self._costs) else None

    def lacks_memory(self, size: int) -> bool:
        """Whether it is the pool that has no room to be made, and not the quota."""
        return size > self._promised[-1] or size > self._used[-1]


class Survey:
    """One pool at one moment, and its offers: one for most models, others for those with rivals or quotas."""

    def __init__(self, site: Site, policy: Policy, now: float) -> None:
        self._site = site
        self.ground = Ground(site, now)
        self.free = min(self.ground.unpromised, self.ground.unused)
        self.present = [tenant for tenant in site.tenants.values() if tenant.present]
        victims = sorted((t for t in self.present if t.movable and not t.leaving), key=Tenant.worth)
        able = [t for t in victims if t.idle and t.is_mature(now, policy) and now >= t.stays]
        self._idle = sum(t.size for t in able)
        self._victims = able + [t for t in victims if t not in able]
        self.plain = Offer(site, self.ground, self._victims)
        self._others: dict[tuple[str, str], Offer] = {}

    @cached_property
    def groups(self) -> dict[str, list[Tenant]]:
        """Those of exclusive groups that are there."""
        found: dict[str, list[Tenant]] = {}
        for tenant in self.present:
            if tenant.rule.group:
                found.setdefault(tenant.rule.group, []).append(tenant)
        return found

    def offer(self, group: str, backend: str, quota: Quota | None, beside: Iterable[Tenant]) -> Offer:
        rivals = [tenant for tenant in self.groups.get(group, ()) if not tenant.leaving]
        if not rivals and quota is None:
            return self.plain
        key = (group if rivals else "", backend if quota is not None else "")
        found = self._others.get(key)
        if found is None:
            found = self._others[key] = Offer(
                self._site,
                self.ground,
                self._victims,
                rivals=rivals,
                backend=backend,
                quota=quota,
                beside=beside,
            )
        return found

    @cached_property
    def words(self) -> str:
        return idle_words(self._site.name, self.ground.room, self._idle)
