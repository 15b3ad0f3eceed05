"""Loads real models within a memory cgroup, as they come or as the scheduler allows: `GROUP GGUF ROOT planned|at-once`.

Joins the group first, so that it and its children share the group's limit. Prints what happened as JSON.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from orchestra_core.background.memory import HostMemory
from orchestra_core.domain.catalog import BackendKind, Endpoint, Residency
from orchestra_core.domain.memory import Reading
from orchestra_core.residency.estimate import Corrections, size_key
from orchestra_core.residency.scheduler import PERMANENT, Load, Policy, Scheduler, Unload
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed
from tests.integration.managed.places import Places, build

KIND = BackendKind.MANAGED
FACTS = BackendFacts("local", KIND)
SIZES = {"a": (512, 1), "b": (2048, 2), "c": (8192, 4), "d": (16384, 4)}
# Twice around, with the large ones one after the other.
WANTED = "abcdab"


def ignore(text: str) -> None:
    """Progress nobody looks at."""


async def at_once(managed: Managed, places: Places) -> dict[str, object]:
    """Every model is loaded beside the others, until one dies."""
    for name in SIZES:
        try:
            await managed.load(name, ignore)
        except ControlError as error:
            places.exhausted += [name] if error.out_of_memory else []
            return {"failed": error.message}
        if places.exits:
            break
    return {}


class Planned:
    """Models loaded and unloaded as the scheduler says. Its time is its own: a second for every step."""

    def __init__(self, managed: Managed) -> None:
        self.managed = managed
        self.host = HostMemory()
        self.scheduler = Scheduler(Policy(resident_seconds=0.0))
        self.corrections = Corrections()
        self.endpoints: dict[str, Endpoint] = {}
        self.now = 0.0
        self.seen: dict[str, object] = {"loads": 0, "unloads": 0, "together": 0, "refused": [], "peak": 0.0}

    async def look(self) -> None:
        for info in await self.managed.models():
            endpoint = self.endpoints.setdefault(info.name, Endpoint(describe(FACTS, info), info.residency))
            endpoint.memory_bytes = info.memory_bytes
            if endpoint.need is not None and info.memory_bytes is not None:
                predicted, size = endpoint.need.predicted, size_key(info)
                self.corrections.observe(KIND, endpoint.id, predicted, info.memory_bytes, size=size)
            endpoint.need = self.corrections.need(KIND, endpoint.id, info)
            self.scheduler.join(endpoint, "host")
        view = self.host.sample()
        self.scheduler.read("host", Reading(view.total, view.used), self.now)
        ready = sum(endpoint.residency is Residency.READY for endpoint in self.endpoints.values())
        self.seen["together"] = max(self.seen["together"], ready)
        self.seen["peak"] = max(self.seen["peak"], view.used / view.total)

    async def step(self) -> None:
        for action in self.scheduler.actions(self.now):
            if isinstance(action, Load):
                await self.managed.load(action.endpoint.spec.model, ignore)
                await self.look()
                self.scheduler.loaded(action.endpoint, action.endpoint.memory_bytes, self.now)
                self.seen["loads"] += 1
            elif isinstance(action, Unload):
                await self.managed.unload(action.endpoint.spec.model)
                self.scheduler.unloaded(action.endpoint, self.now)
                self.seen["unloads"] += 1
        self.now += 1.0
        await self.look()

    async def run(self) -> dict[str, object]:
        await self.look()
        for name in WANTED:
            endpoint = self.endpoints[name]
            plan = self.scheduler.want(endpoint, self.now)
            for _ in range(200):
                if endpoint.residency is Residency.READY or plan.code in PERMANENT:
                    break
                await self.step()
            if endpoint.residency is not Residency.READY:
                self.seen["refused"].append([name, plan.code, plan.reason])
            if plan.code not in PERMANENT:
                self.scheduler.unwant(endpoint, self.now)
        return self.seen


async def main(group: str, weights: str, root: str, how: str) -> None:
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    places = Places(Path(root))
    models = {
        name: ManagedModel(path=Path(weights), context=context, parallel=parallel, plain_chat=False)
        for name, (context, parallel) in SIZES.items()
    }
    managed = build(places, models)
    told = await (Planned(managed).run() if how == "planned" else at_once(managed, places))
    await managed.close()
    print(json.dumps({**told, "exits": [exit[0] for exit in places.exits], "exhausted": places.exhausted}))


asyncio.run(main(*sys.argv[1:]))
