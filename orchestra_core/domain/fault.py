"""What a backend did wrong, as the wire formats report it; `Verdict` decides what follows from it."""

import msgspec

from orchestra_core.domain.outcome import Verdict


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One classified refusal or failure of a backend.

    `status` is the HTTP status that came over the wire (200 for an error inside a stream) and `message`
    the backend's own words, neither sanitised nor shortened. `retry_after` is seconds.
    """

    verdict: Verdict
    status: int
    message: str
    retry_after: float | None = None


class WireError(Exception):
    """A backend's bytes that are an error, or that are not the format they claim to be."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault
