"""The task that serves a connection: one for all its requests, none while it rests."""

import asyncio

from tests.fakes.one_connection import Connection
from tests.fakes.turns import settle

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_one_task_serves_all_requests_of_a_connection() -> None:
    """Three requests, two of them at once, are served in order by the same task."""
    seen = Connection()
    await seen.feed([GET])
    await seen.feed([GET + GET])

    assert seen.statuses == (200, 200, 200)
    assert len(seen.tasks) == 1


async def test_a_connection_that_rests_keeps_no_task() -> None:
    """Two seconds after its last answer it has none, and the next request is served all the same."""
    seen = Connection()
    await seen.feed([GET])
    (task,) = seen.tasks
    seen.loop.now += 2
    seen.protocol.expire(seen.loop.now)
    await settle(2)

    assert task.done()
    await seen.feed([GET])
    assert seen.statuses == (200, 200)


async def test_a_client_that_leaves_between_requests_leaves_no_task() -> None:
    """The task that waits for the next request ends with the connection."""
    seen = Connection()
    await seen.feed([GET])
    (task,) = seen.tasks
    seen.leave()
    await settle(2)

    assert task.done()


async def test_a_cancelled_request_takes_its_task_with_it() -> None:
    """What a handler makes of being cancelled is its answer; the next request has a task that nobody cancelled."""
    seen = Connection()
    seen.hold, seen.answers_cancelled = asyncio.Event(), True
    await seen.feed([GET])
    seen.protocol.cancel()
    await settle(4)
    first = list(seen.tasks)
    seen.hold = None
    await seen.feed([GET])

    assert seen.statuses == (200, 200)
    assert [task.done() for task in first] == [True]
    assert [task.cancelling() for task in seen.tasks if task not in first] == [0]
