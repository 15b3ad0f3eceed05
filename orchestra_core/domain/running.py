"""A request that is being answered, as it is shown while it runs; names are those of the ledger's rows."""

import msgspec

# What it is at, in the order in which that usually comes; `shared` and `retrying` only some are ever at.
STATES = ("connecting", "budget", "queued", "loading", "retrying", "shared", "waiting", "streaming")


class RunningView(msgspec.Struct, frozen=True):
    """`at` is when it came (RFC 3339) and `age_ms` how long ago that is; `key_name` None: it came without a key.

    `state` is one of STATES: `waiting` is for the first token of what was sent, `streaming` is tokens coming in, also
    where the client gets them in one piece, `shared` for the answer to the same question of another request. `position`
    is its place in the queue or among those that wait for a load; `note` what its client is told meanwhile.
    `endpoints` are those it was sent to, in order, or stands before; `attempts` how many were begun. `tokens_out` None
    and `first_token_ms` None: none came yet, or the answer comes in one piece. `cancelling`: it was cancelled and ends.
    """

    id: str
    at: str
    age_ms: float
    key: str
    key_name: str | None
    surface: str
    kind: str
    task: str | None
    model_asked: str
    stream: bool
    state: str
    position: int | None = None
    note: str = ""
    model: str | None = None
    backend: str | None = None
    endpoints: tuple[str, ...] = ()
    attempts: int = 0
    tokens_out: int | None = None
    first_token_ms: float | None = None
    decision_id: str | None = None
    cancelling: bool = False
