"""How much heparin counts on the day of a sign: exposed days of its episode, and of heparin before the pregnancy.

Source: docs/intervals.md HEP-05 (decided); docs/evidence.md 2.5.
"""

from datetime import date, datetime

import msgspec

from alerting.rules.counting import counts
from schemas.days import ONE_DAY
from schemas.definitions import Name, Reader
from schemas.views import EPISODES, Episodes, Ledger, Pregnancy


class Where(msgspec.Struct, frozen=True):
    """The episode that a sign falls in, and when that ends."""

    episode: str
    ended: datetime
    pregnancy: Pregnancy | None = None


def falls_in(episodes: Episodes, at: datetime) -> Where | None:
    """The pregnancy episode of an instant, else the heparin episode that began last; None: no heparin for long."""
    p = next((p for p in episodes.pregnancies if p.holds(at)), None)
    if p is not None:
        return Where(p.episode, p.ended, p)
    held = [h for h in episodes.heparin if h.holds(at)]
    return Where(held[-1].episode, held[-1].ended) if held else None


def episode_of(episodes: Episodes, at: datetime) -> str | None:
    """The identity of that episode."""
    found = falls_in(episodes, at)
    return found.episode if found is not None else None


class Exposure:
    """The exposed days of one class that count on the day of a sign."""

    def __init__(self, chart: Reader, name: Name[Ledger]) -> None:
        self.exposure = chart[name]
        self.heparin = chart[EPISODES].heparin
        self.counts = {(c.episode, c.began): c for c in counts(chart[EPISODES], self.exposure, chart.calendar)}

    def days(self, found: Where, day: date) -> int:
        """Exposed days up to a day, those of heparin episodes that ended before the LMP included."""
        own = [c for (episode, _), c in self.counts.items() if episode == found.episode]
        p = found.pregnancy
        if p is None:
            return sum(self.exposure.count(c.first, day) for c in own)
        own = [c for c in own if c.began == p.began]
        first = own[0].first if own else p.start
        before = sum(
            self.exposure.count(h.counts_from, min(h.last, first - ONE_DAY))
            for h in self.heparin
            if h.last is not None and h.last < p.start
        )
        return before + self.exposure.count(first, day)

    def since_last(self, day: date) -> int | None:
        """Days since the last exposed day."""
        last = self.exposure.last_by(day)
        return None if last is None else (day - last).days
