"""One line of the access or the audit log: JSON, bounded, and with nothing in it that a terminal obeys.

CVE-2020-7694 was a log that could be written to by a request's path.
"""

import re
from collections.abc import Mapping

import msgspec

LINE_BYTES = 2048
# JSON escapes C0 by itself; DEL, C1, bidi controls and line separators are legal in it and harmful in a log.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u180e\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]")
_LONGEST = 512


def line(fields: Mapping[str, object]) -> bytes:
    """The fields as one line with its end, at most LINE_BYTES long: texts are cut until it fits."""
    longest = _LONGEST
    while True:
        written = _render(fields, longest)
        if len(written) <= LINE_BYTES or longest < 8:
            return written
        longest //= 2


def _render(fields: Mapping[str, object], longest: int) -> bytes:
    cut = {name: _cut(value, longest) for name, value in fields.items()}
    text = msgspec.json.encode(cut).decode()
    return _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text).encode() + b"\n"


def _cut(value: object, longest: int) -> object:
    if not isinstance(value, str):
        return value
    # Lone surrogates have no UTF-8.
    value = value.encode("utf-8", "replace").decode()
    return value if len(value) <= longest else value[:longest] + "…"
