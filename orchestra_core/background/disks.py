"""How much room there is where the engine writes."""

import os
from collections.abc import Mapping
from pathlib import Path

from orchestra_core.alerting.facts import Disk


def read_disks(places: Mapping[str, Path]) -> tuple[Disk, ...]:
    """Each file system once, by the first of its names; a place that is not there yet counts as its parent.

    Blocking: a disk of another machine may take its time.
    """
    found: dict[int, Disk] = {}
    for name, place in places.items():
        there = next((path for path in (place, *place.parents) if path.exists()), None)
        if there is None:
            continue
        try:
            device = os.stat(there).st_dev
            if device not in found:
                room = os.statvfs(there)
                found[device] = Disk(
                    name, str(place), room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
                )
        except OSError:
            continue  # what cannot be asked is not full
    return tuple(found.values())
