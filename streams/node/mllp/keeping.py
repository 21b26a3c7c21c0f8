"""How much is kept of messages that broke off: nobody answers for them, and whoever connects could send them.

Law: what a port scan or a sender that breaks off for ever leaves on the disk has a bound, in each hour and in all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.node.mllp.settings import MllpSettings

_HOUR = 3_600.0


@dataclass(slots=True)
class Allowance:
    """What a listener may still keep in this hour.

    Time: `clock` gives seconds of a steady clock.
    """

    settings: MllpSettings
    clock: Callable[[], float]
    _until: float = 0.0
    _parts: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def allows(self, size: int) -> bool:
        """Note that something is to be kept; False if that would be too much."""
        now = self.clock()
        if now >= self._until:
            self._until, self._parts, self._bytes = now + _HOUR, 0, 0
        if self._parts >= self.settings.parts_an_hour or self._bytes + size > self.settings.part_bytes_an_hour:
            return False
        self._parts += 1
        self._bytes += size
        return True
