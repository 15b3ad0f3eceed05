"""What goes into the service-time model and what comes out of it. Times are seconds of the caller's clock."""

from enum import StrEnum

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One piece of work. `id` also seeds its random draws, so the same id is served the same way.

    `output_tokens` None draws a length; `max_tokens` caps it. With `stream` every token is an event, without
    it only the end is. `embedding` is prefill alone. `keep_alive` seconds is how long the model stays after.
    `content`, where given, decides the drawn length in place of `id`; `position` tokens of the answer are part
    of the prompt already, and `output_tokens` counts them too.
    """

    id: str
    model: str
    prompt_tokens: int
    output_tokens: int | None = None
    max_tokens: int | None = None
    stream: bool = True
    embedding: bool = False
    keep_alive: float | None = None
    content: str = ""
    position: int = 0


class Why(StrEnum):
    """Why a request was not taken, or did not end well."""

    UNKNOWN_MODEL = "unknown_model"
    UNSUPPORTED = "unsupported"
    NOT_LOADED = "not_loaded"
    LOADING = "loading"
    QUEUE_FULL = "queue_full"
    CONTEXT = "context"
    DOWN = "down"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    CUT = "cut"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"


class Denial(msgspec.Struct, frozen=True):
    """A request or load that was turned away at once."""

    why: Why
    message: str


class FaultKind(StrEnum):
    """Ways to break a backend on purpose.

    `refuse`: takes no new connection. `hang`: accepts, but nothing gets on. `error`: new requests fail after
    `after_tokens` tokens. `slow`: everything takes `factor` times as long. `cut`: new requests lose their
    connection after `after_tokens` tokens. `crash`: dies now, and restarts after `seconds`. `blackhole`: new
    requests are refused at once with 503, and everything else looks well.
    """

    REFUSE = "refuse"
    HANG = "hang"
    ERROR = "error"
    SLOW = "slow"
    CUT = "cut"
    CRASH = "crash"
    BLACKHOLE = "blackhole"


class InjectedFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fault and how long it lasts: `seconds` None means until it is repaired.

    `error` and `cut` hit a request with `probability`; with `anywhere` at a token of its own, not `after_tokens`.
    """

    kind: FaultKind
    after_tokens: int = 0
    seconds: float | None = None
    factor: float = 10.0
    probability: float = 1.0
    anywhere: bool = False

    @property
    def at_once(self) -> bool:
        """Whether every request meets it before anything is done for it."""
        return not self.after_tokens and not self.anywhere and self.probability >= 1


class Timings(msgspec.Struct, frozen=True):
    """When what happened to one request; `loaded` equals `submitted` if its model was there already."""

    submitted: float
    loaded: float
    started: float
    prefilled: float
    first_token: float
    finished: float


class Started(msgspec.Struct, frozen=True):
    """A slot was taken and prefill began."""

    id: str
    at: float


class Tokens(msgspec.Struct, frozen=True):
    """Tokens `first` to `first + count - 1` (from 0) of a streamed answer; `at` is when the last was made."""

    id: str
    first: int
    count: int
    at: float


class Done(msgspec.Struct, frozen=True):
    """A request ended well. `finish` is `stop` or `length`."""

    id: str
    at: float
    prompt_tokens: int
    output_tokens: int
    finish: str
    timings: Timings


class Failed(msgspec.Struct, frozen=True):
    """A request that was taken and then lost, after `output_tokens` tokens."""

    id: str
    at: float
    why: Why
    message: str
    output_tokens: int = 0


class Loading(msgspec.Struct, frozen=True):
    """Memory was taken and the load began; it ends at `until`."""

    model: str
    at: float
    until: float


class Loaded(msgspec.Struct, frozen=True):
    model: str
    at: float


class LoadFailed(msgspec.Struct, frozen=True):
    model: str
    at: float
    message: str


class Unloaded(msgspec.Struct, frozen=True):
    """The model is gone; its memory is free now or a little later."""

    model: str
    at: float


class Doing(StrEnum):
    """Why the memory ended: the models here alone are too large for it (`own`), they are beside what others used when
    the last load began (`occupied`), or others took more since (`taken`).
    """

    OWN = "own"
    OCCUPIED = "occupied"
    TAKEN = "taken"


class OutOfMemory(msgspec.Struct, frozen=True):
    """The memory ended and the model was killed: `loading`, or with its requests."""

    model: str
    at: float
    doing: Doing
    loading: bool
    message: str


class Crashed(msgspec.Struct, frozen=True):
    """The server died: nothing is loaded, nothing runs."""

    at: float
    message: str


class Restarted(msgspec.Struct, frozen=True):
    at: float


class Repaired(msgspec.Struct, frozen=True):
    """An injected fault ended."""

    at: float
    kind: FaultKind


Event = (
    Started
    | Tokens
    | Done
    | Failed
    | Loading
    | Loaded
    | LoadFailed
    | Unloaded
    | OutOfMemory
    | Crashed
    | Restarted
    | Repaired
)
