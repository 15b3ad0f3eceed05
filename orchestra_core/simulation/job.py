"""One request inside the service-time model: what it will take, drawn from its id, and how far it is."""

from hashlib import blake2b
from math import exp
from statistics import NormalDist

from orchestra_core.simulation.spec import BackendSpec, ModelSpec
from orchestra_core.simulation.trace import Done, Failed, FaultKind, InjectedFault, Request, Timings, Why

_NORMAL = NormalDist()
_LENGTH_SIGMA = 0.6
_SHORTEST = 8
_LOSING = {FaultKind.ERROR: Why.ERROR, FaultKind.CUT: Why.CUT}


def draws(*key: object) -> tuple[float, float, float]:
    """Three independent standard normal numbers that depend on `key` alone, on any machine."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=24).digest()
    first, second, third = (
        _NORMAL.inv_cdf((int.from_bytes(digest[at : at + 8], "big") + 0.5) / 2**64) for at in (0, 8, 16)
    )
    return first, second, third


def lognormal(mean: float, sigma: float, normal: float) -> float:
    """A log-normal value of the given mean from a standard normal one."""
    return mean * exp(sigma * normal - sigma * sigma / 2)


class Job:
    """A request with its lengths and its own speed fixed. Work is in seconds of running alone."""

    __slots__ = (
        "cause",
        "emitted",
        "finish",
        "first_token",
        "limit",
        "loaded",
        "origin",
        "output",
        "per_token",
        "prefill",
        "prefilled",
        "request",
        "started",
        "submitted",
    )

    def __init__(
        self, request: Request, model: ModelSpec, backend: BackendSpec, seed: int, now: float
    ) -> None:
        prefill_noise, decode_noise, length_noise = draws(seed, backend.name, request.id)
        self.request = request
        if request.content:
            # The same on every backend and for every id: an answer that goes on elsewhere keeps its length.
            length_noise = draws(request.content)[2]
        self.output, self.finish = _length(request, model, length_noise)
        self.prefill = backend.overhead + (
            lognormal(request.prompt_tokens, backend.jitter, prefill_noise) / model.prefill_rate
        )
        self.per_token = lognormal(1.0, backend.jitter, decode_noise) / model.decode_rate
        self.limit = self.output
        self.cause: tuple[Why, str] | None = None
        self.submitted = now
        self.loaded = now
        self.started = now
        self.prefilled = now
        self.first_token = now
        self.origin = 0.0
        self.emitted = -1

    @property
    def service(self) -> float:
        """Seconds it takes alone, without queue and load."""
        return self.prefill + self.limit * self.per_token

    def meet(self, fault: InjectedFault, seed: int) -> None:
        """What a fault that loses requests does to this one; luck and place are drawn from its id."""
        luck, place, _ = draws(seed, "fault", self.request.id)
        if _NORMAL.cdf(luck) >= fault.probability:
            return
        tokens = (
            1 + int(_NORMAL.cdf(place) * max(0, self.output - 1)) if fault.anywhere else fault.after_tokens
        )
        self.fail_after(tokens, _LOSING[fault.kind], f"simulated {fault.kind}")

    def fail_after(self, tokens: int, why: Why, message: str) -> None:
        """It will end there instead, unless it is complete before."""
        if not tokens or tokens < self.output:
            self.limit, self.cause = tokens, (why, message)

    def next_point(self) -> float:
        """Its next milestone on the virtual clock: end of prefill, a token, or the end."""
        if self.emitted < 0:
            return self.origin + self.prefill
        return self.origin + self.prefill + self.next_token * self.per_token

    @property
    def next_token(self) -> int:
        """The number of tokens there will be at the next milestone."""
        if self.emitted == 0 or self.request.stream:
            return self.emitted + 1
        return self.limit

    def done(self, at: float) -> Done | Failed:
        """How it ended, having reached its limit."""
        if self.cause is not None:
            why, message = self.cause
            return Failed(self.request.id, at, why, message, self.limit)
        timings = Timings(self.submitted, self.loaded, self.started, self.prefilled, self.first_token, at)
        return Done(self.request.id, at, self.request.prompt_tokens, self.output, self.finish, timings)


def _length(request: Request, model: ModelSpec, noise: float) -> tuple[int, str]:
    """The length of what is still to come of the answer, and why it ends there."""
    if request.embedding:
        return 0, "stop"
    wanted = request.output_tokens
    if wanted is None:
        wanted = max(_SHORTEST, round(lognormal(model.output_mean, _LENGTH_SIGMA, noise)))
    wanted = max(0, wanted - request.position)
    room = max(1, model.context - request.prompt_tokens)
    cap = room if request.max_tokens is None else min(room, max(0, request.max_tokens))
    return (wanted, "stop") if wanted <= cap else (cap, "length")
