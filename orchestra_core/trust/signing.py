"""Signatures of what is sent to others: they know that it is from us, and when it was sent.

HMAC-SHA256 over the time, a full stop and the body, as hexadecimal digits. The time is in the signature so that an old
message cannot be sent again later as if it were new; whoever checks it refuses what is older than some minutes.
"""

import hmac
from hashlib import sha256


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of `x-orchestra-signature`. `timestamp` is Unix seconds, the value of `x-orchestra-timestamp`."""
    return "sha256=" + hmac.new(secret.encode(), b"%d." % timestamp + body, sha256).hexdigest()
