"""What a call needs, made out cheaply: its task where the client states none, and the length of its input.

The task is guessed from single English words and a few marks of source code: the cost is bounded whatever is
sent, and a wrong guess costs a little quality, never an error. Prompts in other languages are taken for
text_generation. Tokens are estimated without a tokeniser: English text and code come within about 30 %, and
what is billed is the backend's own count.
"""

from typing import Final

from orchestra_core.domain.call import Call, Kind, Profile, Task

# What is looked at of a long prompt: instructions stand at its start or its end. The words of 500 characters
# take about 10 µs, of the 80 µs that a request may cost in all.
_HEAD: Final = 200
_TAIL: Final = 300
_BYTES_PER_TOKEN: Final = 4.0
# Chat templates put a role and two separators around each turn.
_TEMPLATE_TOKENS: Final = 4

_WORDS: Final = {
    Task.CODE_GENERATION: """code function python javascript typescript java rust golang kotlin c++ c# php
        ruby sql bash regex refactor debug compile compiler unittest pytest api async html css react django
        script algorithm implement def #include bug traceback exception stacktrace dockerfile json""",
    Task.REASONING: """prove proof theorem lemma solve equation derive calculate integral derivative puzzle
        probability riddle logic logically deduce math mathematics geometry algebra combinatorics
        step-by-step""",
    Task.ANALYSIS: """summarize summarise summary tl;dr analyze analyse analysis compare contrast evaluate
        classify extract review sentiment critique assess interpret categorize categorise insights""",
    Task.CREATIVE: """poem story haiku lyrics song novel fiction limerick screenplay sonnet fairytale imagine
        creative slogan tagline rhyme""",
    Task.CONVERSATION: "hi hello hey thanks thank bye goodbye hiya",
}
# A member that is asked for by its class is looked up for 70 ns in Python 3.11; so on the whole path of a request.
_EMBEDDING: Final = Task.EMBEDDING
_VISION: Final = Task.VISION
_CONVERSATION: Final = Task.CONVERSATION
_CODE: Final = Task.CODE_GENERATION
_TEXT: Final = Task.TEXT_GENERATION
_EMBEDDING_KIND: Final = Kind.EMBEDDING
# A tie between tasks goes to the one listed first.
_TASK_OF: Final = {word.encode(): task for task, words in _WORDS.items() for word in words.split()}
_KNOWN: Final = frozenset(_TASK_OF)
# Marks that end a word become blanks, as other alphabets do ("?"), and capitals small: all in one pass.
_SPLITTING: Final = bytes(range(256)).lower().translate(bytes.maketrans(b",.?!", b"    "))
# A greeting is the whole of a short message, and only the start of a long one.
_GREETING_LENGTH: Final = 80


def analyze(call: Call) -> Profile:
    """What the selector looks at. Takes under 5 µs for a short prompt and not much over 10 µs for any."""
    task, kind, needs, text = call.task, call.kind, call.needs, call.text
    inferred = task is None
    if task is None:
        task = _infer(text, kind, needs)
    if task is _EMBEDDING:
        kind = _EMBEDDING_KIND
    elif task is _VISION and "vision" not in needs:
        needs |= {"vision"}
    wishes, cap = call.requirements, call.max_tokens
    if kind is _EMBEDDING_KIND:
        cap = 0
    elif cap is None or (wishes.max_tokens is not None and wishes.max_tokens < cap):
        cap = wishes.max_tokens
    return Profile(
        task,
        kind,
        estimate_tokens(text, call.characters),
        cap,
        needs,
        wishes,
        call.model,
        inferred,
        call.deadline,
    )


def estimate_tokens(text: str, characters: int) -> int:
    """Tokens of an input of so many characters, of which `text` is a sample; at least 1.

    Counts a token for 4 bytes of UTF-8, so that a Chinese character is 0.75 and an English word 1.2 tokens.
    """
    characters = max(characters, len(text))
    if not text.isascii():
        sample = text[-_TAIL:]
        characters = characters * len(sample.encode("utf-8", "surrogatepass")) // len(sample)
    return int(characters / _BYTES_PER_TOKEN) + _TEMPLATE_TOKENS


def _infer(text: str, kind: Kind, needs: frozenset[str]) -> Task:
    if kind is _EMBEDDING_KIND:
        return _EMBEDDING
    if "vision" in needs:
        return _VISION
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]} {text[-_TAIL:]}"
    return _infer_from_text(text)


def _infer_from_text(text: str) -> Task:
    """The task most of the telling words are of; a tie goes to the task listed first."""
    if "```" in text or "();" in text or "=> {" in text or "SELECT " in text:
        return _CODE
    telling = _KNOWN.intersection(text.encode("ascii", "replace").translate(_SPLITTING).split())
    if not telling:
        return _TEXT
    if len(telling) == 1:
        task = _TASK_OF[next(iter(telling))]
    else:
        votes = [_TASK_OF[word] for word in telling]
        task = max(_WORDS, key=votes.count)
    if task is _CONVERSATION and len(text) > _GREETING_LENGTH:
        return _TEXT
    return task
