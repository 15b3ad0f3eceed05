"""The sum that decides: what of a pool is promised, used by others, kept free, and left."""

import msgspec

from orchestra_core.domain.memory import Pressure

GIB = 1024**3


class Room(msgspec.Struct, frozen=True, gc=False):
    """One pool at one moment, in bytes.

    `reserved` is everything promised, `growing` what of it may not be in `used` yet, `returning` what was promised to
    models that have ended, `occupied` what they held.
    """

    total: int
    used: int | None
    foreign: int
    headroom: int
    reserved: int
    growing: int
    returning: int
    occupied: int
    pressure: Pressure

    @property
    def unpromised(self) -> int:
        """What the rule leaves for one more reservation; negative when it is broken."""
        return self.total - self.reserved - self.foreign - self.headroom

    @property
    def unused(self) -> int:
        """What measured use leaves; the same as `unpromised` where nobody measures."""
        if self.used is None:
            return self.unpromised
        return self.total - self.used - self.growing - self.headroom

    @property
    def free(self) -> int:
        """What a load may reserve now."""
        return max(0, min(self.unpromised, self.unused))
