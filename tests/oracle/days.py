"""Pregnancies and their dates, feeding, phases, and how long an episode lasts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from .facts import FOREVER, Calendar, Chart, Record, Version, timelines

TERM: Final = 280
LONGEST: Final = 308
VIABLE: Final = 140
FEEDING: Final = frozenset({"exclusive", "mixed"})


@dataclass(frozen=True)
class Interval:
    """One stretch over which a rule holds. `steps` are the severities in time, the first from `began` on."""

    began: datetime
    ended: datetime
    steps: tuple[tuple[datetime, str], ...]

    def holds(self, when: datetime) -> bool:
        return self.began <= when < self.ended


@dataclass(frozen=True)
class Feed:
    """How the child is fed over some days: `lapsed` where no report ended it."""

    feeding: str
    since: date
    until: date | None
    reported: datetime
    recorded: datetime


@dataclass
class Pregnancy:
    """One pregnancy with its episode [start, end)."""

    records: list[Record]
    day_zero: date
    dated: bool
    ended_on: date | None
    lost: bool
    calendar: Calendar
    feeds: list[Feed]
    end: datetime = FOREVER

    @property
    def start(self) -> datetime:
        return self.calendar.midnight(self.day_zero)

    @property
    def delivery(self) -> date:
        """The day of delivery, or the last one that it can be; the end of a pregnancy that was lost."""
        return self.ended_on or self.day_zero + timedelta(days=LONGEST)

    @property
    def delivered_at(self) -> datetime:
        """When pregnancy is over: the midnight of delivery, or the one after a loss."""
        return self.calendar.midnight(self.delivery + timedelta(days=1 if self.lost else 0))

    def within(self, when: datetime) -> bool:
        return self.start <= when < self.end

    def dated_within(self, when: datetime, first: int, after_delivery: int) -> bool:
        """Whether a day lies from LMP+first to delivery+after_delivery, and in the episode."""
        if not self.within(when):
            return False
        day = self.calendar.day(when)
        if not self.dated and first > 0 and day < self.delivery:
            return False
        reached = not self.dated or (day - self.day_zero).days >= first
        latest = self.delivery if self.lost else self.delivery + timedelta(days=after_delivery)
        return reached and day <= latest

    def before_delivery(self, when: datetime) -> bool:
        return self.start <= when < min(self.delivered_at, self.end)

    def lactating(self, day: date) -> bool:
        return any(f.feeding in FEEDING and _covers(f, day) for f in self.feeds) and not self.lost

    def weanings(self) -> list[date]:
        """The days of a reported weaning: none after feeding."""
        if self.lost:
            return []
        return [
            later.since
            for earlier, later in pairwise(self.feeds)
            if later.feeding == "none" and self._fed_before(later) and later.since >= self.delivery
        ]

    def _fed_before(self, none: Feed) -> bool:
        fed = [f for f in self.feeds if f.since < none.since and f.feeding != "unknown"]
        if not fed or fed[-1].feeding not in FEEDING:
            return False
        return (none.since - fed[-1].since).days <= 730

    def phase(self, when: datetime) -> str:
        """T1 T2 T3 PPE LAC WEAN PPN, PRE before the episode, else unknown."""
        day = self.calendar.day(when)
        gestation = (day - self.day_zero).days
        if gestation < 0:
            return "PRE"
        if day < self.delivery or (self.lost and day <= self.delivery):
            return self._trimester(gestation)
        if self.lost or self.ended_on is None:
            return "unknown"
        if (day - self.delivery).days <= 42:
            return "PPE"
        return self._late(day)

    def _trimester(self, gestation: int) -> str:
        if not self.dated or gestation >= LONGEST:
            return "unknown"
        if gestation <= 97:
            return "T1"
        return "T2" if gestation <= 195 else "T3"

    def _late(self, day: date) -> str:
        if self.lactating(day):
            return "LAC"
        weaned = [w for w in self.weanings() if w <= day]
        reported = [f for f in self.feeds if f.since <= day and (f.until is None or day < f.until)]
        now = reported[-1].feeding if reported else "unknown"
        if now != "none":
            return "unknown"
        if weaned and (day - weaned[-1]).days <= 365:
            return "WEAN"
        return "PPN"

    def stretches(self) -> list[tuple[date, date]]:
        """Stretches of lactation from delivery on; a gap of 14 days at most is bridged."""
        joined: list[tuple[date, date]] = []
        for feed in self.feeds:
            if feed.feeding not in FEEDING or self.lost:
                continue
            since, until = max(feed.since, self.delivery), feed.until or date.max
            if until <= self.delivery:
                continue
            if joined and (since - joined[-1][1]).days <= 14:
                joined[-1] = (joined[-1][0], until)
            else:
                joined.append((since, until))
        return joined


def _covers(feed: Feed, day: date) -> bool:
    return feed.since <= day and (feed.until is None or day < feed.until)


def feeds(chart: Chart) -> list[Feed]:
    """All feeding reports in force, in time; each lasts until the next, feeding at most 730 days."""
    reports = [(stretch.began, stretch.version) for timeline in timelines(chart, "lactation") for stretch in timeline]
    by_day: dict[date, Version] = {}
    for _, version in sorted(reports, key=lambda r: (r[0], r[1].order)):
        by_day[date.fromisoformat(version.get("since"))] = version
    days = sorted(by_day)
    made = []
    for i, since in enumerate(days):
        version = by_day[since]
        following = days[i + 1] if i + 1 < len(days) else None
        until = following
        if version.get("feeding") in FEEDING:
            lapses = since + timedelta(days=730)
            until = lapses if following is None else min(following, lapses)
        reported = max(chart.calendar.midnight(since), version.at("observed_at") or chart.calendar.midnight(since))
        made.append(Feed(version.get("feeding"), since, until, reported, version.recorded))
    return made


def pregnancies(chart: Chart) -> list[Pregnancy]:
    """The pregnancies of a person, first to last, none of which was refuted."""
    spans = []
    for record, version in chart.facts("pregnancy"):
        if version.get("status") == "refuted":
            continue
        zero, _ = _dating(chart.calendar, [(record, version)])
        if zero is not None:
            spans.append((zero, version.day("ended_on") or zero + timedelta(days=LONGEST), record))
    fed = feeds(chart)
    found = [_pregnancy(chart, group, fed) for group in _overlapping(spans)]
    found.sort(key=lambda p: p.day_zero)
    deceased = deceased_at(chart)
    for i, pregnancy in enumerate(found):
        following = found[i + 1].start if i + 1 < len(found) else FOREVER
        pregnancy.end = min(_episode_end(pregnancy, following), following, deceased)
    return found


def _overlapping(spans: list[tuple[date, date, Record]]) -> list[list[Record]]:
    groups: list[tuple[date, list[Record]]] = []
    for began, ended, record in sorted(spans, key=lambda s: (s[0], s[1], s[2].key)):
        if groups and began < groups[-1][0]:
            groups[-1] = (max(groups[-1][0], ended), [*groups[-1][1], record])
        else:
            groups.append((ended, [record]))
    return [records for _, records in groups]


def _ending(facts: Iterable[tuple[Record, Version]]) -> date | None:
    """The latest-recorded day on which a pregnancy ended."""
    ended = [(v.order, v.day("ended_on")) for _, v in facts if v.get("status") in {"delivered", "ended"}]
    said = [(order, day) for order, day in ended if day is not None]
    return max(said)[1] if said else None


def _dating(calendar: Calendar, facts: list[tuple[Record, Version]]) -> tuple[date | None, bool]:
    """Day 0 and whether a dating gave it."""
    ended = _ending(facts)
    newest = sorted((v for _, v in facts), key=lambda v: v.order, reverse=True)
    candidates = [d - timedelta(days=TERM) for v in newest if (d := v.day("estimated_due_date"))]
    aged = [v for v in newest if v.get("gestational_age_days") is not None]
    for version in sorted(aged, key=lambda v: (v.at("observed_at") or v.recorded, v.order)):
        seen = calendar.day(version.at("observed_at") or version.recorded)
        candidates.append(seen - timedelta(days=int(version.get("gestational_age_days"))))
    candidates += [d for v in newest if (d := v.day("last_menstrual_period"))]
    for zero in candidates:
        if ended is None or 0 <= (ended - zero).days <= LONGEST:
            return zero, True
    if ended is not None and any(v.get("status") == "delivered" for _, v in facts):
        return ended - timedelta(days=TERM), False
    return None, False


def _pregnancy(chart: Chart, records: list[Record], fed: list[Feed]) -> Pregnancy:
    facts = [(r, r.winner) for r in records]
    zero, dated = _dating(chart.calendar, facts)
    ended = _ending(facts)
    if zero is None:
        raise AssertionError("a pregnancy of dated records is dated")
    lost = ended is not None and dated and (ended - zero).days < VIABLE
    return Pregnancy(records, zero, dated, ended, lost, chart.calendar, fed)


def _episode_end(pregnancy: Pregnancy, following: datetime) -> datetime:
    """365 days after delivery or 730 after weaning, both days included; open while lactating."""
    midnight = pregnancy.calendar.midnight
    if pregnancy.lost:
        return midnight(pregnancy.delivery + timedelta(days=1))
    last = pregnancy.delivery + timedelta(days=366)
    weaned = set(pregnancy.weanings())
    for feed in pregnancy.feeds:
        if feed.since > last or midnight(feed.since) >= following:
            continue
        if feed.feeding in FEEDING and feed.until and feed.until > pregnancy.delivery:
            last = max(last, feed.until)
        if feed.since in weaned:
            last = max(last, feed.since + timedelta(days=731))
    return midnight(last)


def deceased_at(chart: Chart) -> datetime:
    """When the person died, as the latest-recorded version says; never otherwise."""
    said = [(v.order, v.at("deceased_at")) for _, v in chart.facts("patient")]
    known = [(order, died) for order, died in said if died is not None]
    return FOREVER if not known else max(known)[1]


def sweep(signs: Iterable[datetime], end_after: Callable[[datetime], datetime]) -> list[tuple[datetime, datetime]]:
    """Intervals of signs: each later sign prolongs while the interval runs, and begins anew after its end."""
    made: list[tuple[datetime, datetime]] = []
    for sign in sorted(set(signs)):
        if made and sign < made[-1][1]:
            made[-1] = (made[-1][0], end_after(sign))
        else:
            made.append((sign, end_after(sign)))
    return [(began, ended) for began, ended in made if began < ended]


def first_after(moments: Iterable[datetime], after: datetime, *, including: bool = False) -> datetime:
    """The first of some moments after an instant; never where there is none."""
    return min((m for m in moments if m > after or (including and m == after)), default=FOREVER)


def merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Overlapping spans as one."""
    joined: list[tuple[datetime, datetime]] = []
    for began, ended in sorted(spans):
        if began >= ended:
            continue
        if joined and began <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((began, ended))
    return joined
