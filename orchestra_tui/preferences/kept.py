"""What the console remembers from one run to the next, in one JSON file that is written as a whole."""

import os
import tempfile
from pathlib import Path

import msgspec

COMMANDS = 200
LARGEST = 1024 * 1024


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """`views` has what each view wants to be as it was: its filter, order, window. Empty or 0: never chosen."""

    view: str = ""
    theme: str = ""
    interval: float = 0.0
    views: dict[str, dict[str, str]] = {}
    commands: tuple[str, ...] = ()


def read(path: Path) -> tuple[Kept, str]:
    """What is remembered, and a sentence where that cannot be read; then it begins anew."""
    try:
        if path.stat().st_size > LARGEST:
            return Kept(), f"{path} is too large to be what was remembered; starting anew"
        return msgspec.json.decode(path.read_bytes(), type=Kept), ""
    except FileNotFoundError:
        return Kept(), ""
    except OSError as error:
        return Kept(), f"what was remembered cannot be read: {error}"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Kept(), f"{path} is damaged ({error}); starting anew"


def write(path: Path, kept: Kept) -> str:
    """Replaces the file as a whole; returns why that is not possible, or nothing. Others may not read it: commands
    can have prompts in them."""
    kept = msgspec.structs.replace(kept, commands=kept.commands[-COMMANDS:])
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".console-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kept), indent=2))
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        return f"view, filters and commands are not remembered: {error}"
    return ""
