"""What a client asked for, in one shape whatever surface it came through."""

from enum import StrEnum

import msgspec

from orchestra_core.domain.caching import Wish
from orchestra_core.domain.outcome import Partial

# How often a streaming client that waits is told that it is not forgotten (reliability.md section 3).
TOLD_SECONDS = 15.0


class Kind(StrEnum):
    """The three inference verbs every backend is spoken to with."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"


class Task(StrEnum):
    CODE_GENERATION = "code_generation"
    TEXT_GENERATION = "text_generation"
    REASONING = "reasoning"
    ANALYSIS = "analysis"
    CONVERSATION = "conversation"
    CREATIVE = "creative"
    EMBEDDING = "embedding"
    VISION = "vision"


# Names the first version of the contract used; still accepted.
TASK_ALIASES = {"completion": Task.TEXT_GENERATION, "code": Task.CODE_GENERATION}


class Level(StrEnum):
    """A coarse grade, of a model's quality tier or of what a client requires."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Requirements(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a client wants of the choice. `max_cost` is in the currency of the configured prices.

    Stored with decisions, by the order of its fields.
    """

    speed: Level | None = None
    quality: Level | None = None
    max_tokens: int | None = None
    max_cost: float | None = None


NO_REQUIREMENTS = Requirements()


class Original(msgspec.Struct, frozen=True, gc=False):
    """A request as its client sent it. `body` says the same as a call as long as the call has these very `fields`."""

    body: bytes
    model: str
    fields: dict[str, object]


class Call(msgspec.Struct, frozen=True, gc=False):
    """One normalised inference request.

    `fields` is the body in OpenAI's shape without `model`, `stream` and `stream_options`; values are
    `msgspec.Raw` where the client's bytes can be passed on untouched. `deadline` and `received` are
    monotonic seconds. `model` None means that the engine chooses. `prompt_field` is what the client calls its
    prompt, for errors about it. `key` is whom fairness, limits and the ledger count it for: the id of the key it came
    with, else the peer's address. `so_far` is set on a call that goes on with an interrupted answer: all of it that
    the client has, which `fields` already carries as the beginning.
    `repeatable`: the same again is expected to get the same answer, which is so at temperature 0 and of embeddings;
    `cache` is what the client says of stored answers, None: nothing. A client that waits for a stream is told so every
    `told_seconds`. `original` is there where a backend may be sent the same bytes.
    """

    id: str
    kind: Kind
    fields: dict[str, object]
    received: float
    surface: str = "native"
    model: str | None = None
    task: Task | None = None
    stream: bool = False
    wants_usage: bool = False
    text: str = ""
    characters: int = 0
    max_tokens: int | None = None
    needs: frozenset[str] = frozenset()
    requirements: Requirements = NO_REQUIREMENTS
    deadline: float | None = None
    priority: int = 0
    prompt_field: str = "messages"
    key: str = ""
    so_far: Partial | None = None
    repeatable: bool = False
    cache: Wish | None = None
    told_seconds: float = TOLD_SECONDS
    original: Original | None = None


class Profile(msgspec.Struct, frozen=True, gc=False):
    """What the analyser makes of a call: all that the selector looks at. `deadline` is monotonic seconds."""

    task: Task
    kind: Kind
    input_tokens: int
    output_cap: int | None
    needs: frozenset[str]
    requirements: Requirements
    model: str | None
    inferred: bool
    deadline: float | None = None
