"""The Redis that keeps answers, where there is one."""

import time

from orchestra_core.cli.doctor.finding import Finding, fail, ok, warn
from orchestra_core.cli.spelling import size
from orchestra_core.config import Config
from orchestra_core.config.settings import hide_password

_SECONDS = 2.0


def check_redis(config: Config) -> list[Finding]:
    """Whether it answers, in what time, and whether it has a bound."""
    if config.storage.redis is None:
        return []
    from redis import Redis, RedisError  # noqa: PLC0415  an extra, and it costs the start

    shown = hide_password(config.storage.redis)
    try:
        with Redis.from_url(
            config.storage.redis, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as redis:
            redis.ping()
            began = time.perf_counter()
            found = redis.info("memory")
            elapsed = (time.perf_counter() - began) * 1000
    except (RedisError, OSError) as error:
        why = str(error) or type(error).__name__
        return [fail("redis", f"{shown}: {why}", "start it, or correct storage.redis")]
    bound, policy = int(found.get("maxmemory", 0)), found.get("maxmemory_policy", "")
    detail = f"{shown}, {elapsed:.1f} ms, {size(bound)} at most, {policy}"
    if not bound:
        return [
            warn("redis", f"{shown} has no maxmemory: only their age bounds answers", "set its maxmemory")
        ]
    if policy == "noeviction":
        return [
            warn("redis", f"{detail}: when it is full nothing is kept", "set maxmemory-policy allkeys-lru")
        ]
    return [ok("redis", detail)]
