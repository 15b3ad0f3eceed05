"""How much is recorded for a look back: the settings of `[recorder]`."""

import msgspec

from orchestra_core.config.fields import SIZE, SWITCH, Field, number

_LEAST = 1024 * 1024


class RecorderSettings(msgspec.Struct, frozen=True):
    """What is older than `minutes` goes, and the oldest where all takes more than `bytes` on disk."""

    enabled: bool = True
    minutes: float = 30.0
    bytes: int = 32_000_000


def _size(value: object) -> int:
    size = int(SIZE.read(value))
    if size < _LEAST:
        raise ValueError
    return size


RECORDER: dict[str, Field] = {
    "enabled": SWITCH,
    "minutes": number(1, 7 * 1440),
    "bytes": Field(_size, 'a size of at least 1 MiB, such as "32MB"'),
}
