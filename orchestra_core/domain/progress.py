"""How far a load or unload is, in words: what its backend says and the time it has taken, never the time it will."""

import re

_ELAPSED = re.compile(r"\s*\b\d+(\.\d+)? s$")


def progress_words(verb: str, said: str, seconds: float | None) -> str:
    """`loading 40 %, 12 s` of the verb, what the backend says (if anything), and the seconds it has taken.

    A backend that says how long it has taken repeats what is known better.
    """
    said = _ELAPSED.sub("", said).removeprefix(verb).strip(" ,")
    words = f"{verb}{' ' if said[:1].isdigit() else ', '}{said}" if said else verb
    return words if seconds is None or seconds < 1 else f"{words}, {seconds:.0f} s"
