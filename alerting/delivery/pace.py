"""How fast a receiver is told, and how long it is left alone when it fails.

Units: seconds; instants are those of a steady clock.
"""

from typing import Final

from alerting.delivery.settings import FileSettings, WebhookSettings

LONGEST_WAIT: Final = 3_600.0
"""However long a receiver asks to be left alone: it is not given up."""
_FAILING: Final = 3
"""Failures one after the other from which on it is the receiver that fails, and not one notice."""


def backoff(settings: WebhookSettings | FileSettings, attempts: int, draw: float) -> float:
    """How long to wait after so many failed attempts; `draw` (0 to 1) spreads it over the upper half."""
    whole = min(settings.retry_at_most, settings.retry_after * 2.0 ** min(attempts - 1, 30))
    return whole * (0.5 + 0.5 * draw)


class Pace:
    """How many messages may be under way, and from when on.

    Topic: a receiver that fails gets one message at a time until it takes one; one that is well, as many as it is set.
    """

    def __init__(self, settings: WebhookSettings | FileSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._opens_at = 0.0

    @property
    def most(self) -> int:
        """Messages that may be under way."""
        return 1 if self.is_failing else self._settings.parallel

    @property
    def is_failing(self) -> bool:
        """It has taken nothing for some time."""
        return self._failures >= _FAILING

    def shut_for(self, steady: float) -> float:
        """How long it is still left alone."""
        return max(0.0, self._opens_at - steady)

    def answered(self) -> None:
        """It took or refused something: it is well."""
        self._failures, self._opens_at = 0, 0.0

    def failed(self, steady: float, asked: float | None, draw: float) -> None:
        """It failed, and maybe asked to be left alone for a time."""
        self._failures += 1
        wait = min(asked or 0.0, LONGEST_WAIT)
        if self.is_failing:
            wait = max(wait, backoff(self._settings, self._failures - _FAILING + 1, draw))
        if wait:
            self._opens_at = max(self._opens_at, steady + wait)
