"""The event stream of an engine, and server-sent events in general."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.fakes.processes import PLAIN


class Happening:
    """An open event stream; once entered, nothing that happens is missed."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> "Happening":
        self._client = httpx.Client(timeout=httpx.Timeout(30, connect=5), **PLAIN)
        self._answer = self._client.send(
            self._client.build_request("GET", self._url, headers=self._headers), stream=True
        )
        assert self._answer.status_code == 200
        self._events = sse(self._answer.iter_lines())
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._client.close()

    def until(self, condition: Callable[[str, dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """The first thing from here on for which `condition` holds; AssertionError if it never does."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(httpx.ReadTimeout, StopIteration):
            while time.monotonic() < deadline:
                name, data = next(self._events)
                self.seen.append((name, json.loads(data)))
                if condition(*self.seen[-1]):
                    return self.seen[-1][1]
        raise AssertionError(f"not within {seconds:g} s; last seen: {json.dumps(self.seen[-3:])[:6000]}")

    def event(self, kind: str, subject: str = "", seconds: float = 30) -> dict[str, Any]:
        """The first event of this kind from here on, about this subject if one is given."""

        def wanted(name: str, value: dict[str, Any]) -> bool:
            return name == "event" and value["kind"] == kind and subject in ("", value["subject"])

        return self.until(wanted, seconds)


def sse(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """(event, data) of server-sent lines."""
    event, data = "message", []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif not line and data:
            yield event, "\n".join(data)
            event, data = "message", []
