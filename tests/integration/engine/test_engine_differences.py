"""The state of a running engine, told as what has changed."""

import httpx
import msgspec

from orchestra_core.domain.difference import Following
from orchestra_core.domain.snapshot import Snapshot
from tests.fakes.happenings import sse


def test_the_stream_tells_what_has_changed(http: httpx.Client) -> None:
    """Who wants differences gets the whole state first, and then what is in each later one."""
    reader, seen, kinds = Following(), [], []
    with http.stream("GET", "/api/v1/events?snapshots=1&interval=0.5&differences=1") as answer:
        for name, data in sse(answer.iter_lines()):
            told = msgspec.json.decode(data)
            if name == "snapshot":
                seen.append(reader.whole(msgspec.convert(told, Snapshot)))
            elif name == "difference":
                seen.append(reader.changed(told))
            kinds += [name] if name != "event" else []
            if len(seen) == 3:
                break
    assert kinds == ["snapshot", "difference", "difference"]
    assert seen[0].uptime < seen[1].uptime < seen[2].uptime
    assert seen[0].sequence < seen[1].sequence < seen[2].sequence
