"""What forbids a load whatever is evicted for it, in words that say what to do."""

import msgspec

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.residency.scene import Scene
from orchestra_core.residency.tenant import Site, Tenant
from orchestra_core.residency.wording import gib, need_words, no_gpu_words

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


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """`retry_after` seconds, where time may help."""

    code: str
    reason: str
    retry_after: float | None = None


UNKNOWN_NEED = Refusal(
    "unknown_need",
    'how much memory it needs is not known: say so by memory = "8GB" for it in [models], or load it by hand',
)


def refusal(scene: Scene) -> Refusal | None:
    tenant = scene.tenant
    if not tenant.endpoint.spec.loadable:
        return Refusal("not_supported", f"{tenant.endpoint.spec.backend} cannot load models over its API")
    if scene.setback > 0 and not scene.operator:
        words = f"its last load failed; it is tried again in {scene.setback:.0f} s"
        return Refusal("setback", words, round(scene.setback, 1))
    unknown = None if scene.operator else unknown_memory(scene.site, tenant) or _unknown_need(tenant)
    return (
        unknown or _over_quota(scene) or too_large(scene.site, tenant) or _exhausted(scene) or _rival(scene)
    )


def unknown_memory(site: Site, tenant: Tenant) -> Refusal | None:
    spec, pool = tenant.endpoint.spec, site.pool
    if pool is None:
        if spec.kind is BackendKind.OLLAMA:  # it keeps within its memory by itself
            return None
        words = f'how much memory {spec.backend} has is not known: set memory = "24GB" for it in [[backends]]'
        return Refusal("unknown_memory", words)
    if pool.total is None and pool.name.startswith("gpu:"):
        return Refusal("unknown_memory", no_gpu_words(pool.name, spec.backend))
    if pool.total is None:
        return Refusal("unknown_memory", f"the memory of {pool.name} has not been measured yet", 1.0)
    return None


def _unknown_need(tenant: Tenant) -> Refusal | None:
    return UNKNOWN_NEED if tenant.site.pool is not None and tenant.endpoint.need is None else None


def _over_quota(scene: Scene) -> Refusal | None:
    need, rule, quota = scene.tenant.endpoint.need, scene.tenant.rule, scene.quota
    backend = scene.tenant.endpoint.spec.backend
    if rule.copies is not None and scene.copies >= rule.copies:
        return Refusal(
            "copies",
            f"it is loaded on {scene.copies} other backends, and `copies` in [models] allows {rule.copies}",
        )
    if quota.loaded is not None and quota.loaded <= 0:
        return Refusal("quota", f"{backend} may have no model loaded")
    if need is None:
        return None
    if rule.memory is not None and need.bytes > rule.memory:
        return Refusal(
            "quota", f"needs {need_words(need)}, and `memory` in [models] allows {gib(rule.memory)} GiB"
        )
    if quota.memory is not None and need.bytes > quota.memory:
        return Refusal(
            "quota",
            f"needs {need_words(need)}, and `memory` of {backend} in [[backends]] allows {gib(quota.memory)} GiB",
        )
    return None


def too_large(site: Site, tenant: Tenant) -> Refusal | None:
    need, pool = tenant.endpoint.need, site.pool
    if need is None or pool is None or pool.total is None or need.bytes + pool.headroom <= pool.total:
        return None
    kept = f", {gib(pool.headroom)} of it kept free" if pool.headroom else ""
    words = f"needs {need_words(need)}, and {pool.name} has {gib(pool.total)} GiB in all{kept}"
    return Refusal("too_large", words)


def _exhausted(scene: Scene) -> Refusal | None:
    need = scene.tenant.endpoint.need
    if not scene.exhausted or need is None:
        return None
    return Refusal("too_large", f"ran out of memory three times in a row with {need_words(need)}")


def _rival(scene: Scene) -> Refusal | None:
    for rival in rivals(scene.tenant):
        if not rival.movable:
            how = "pinned" if rival.rule.pinned else "loaded for good"
            return Refusal(
                "group", f"{rival.id} is {how}, and only one of {scene.tenant.rule.group!r} may be"
            )
    return None


def rivals(tenant: Tenant) -> list[Tenant]:
    """Models of the same exclusive group that are there."""
    group = tenant.rule.group
    if not group:
        return []
    return [
        t for t in tenant.site.tenants.values() if t.rule.group == group and t is not tenant and t.present
    ]
