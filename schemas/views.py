"""What the rules read: plain values that the chart derives from its facts.

Days are local days of the site. `phase` words: PRE, T1, T2, T3, PPE (early puerperium), LAC, WEAN, PPN, unknown.
"""

from bisect import bisect_right
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Final, Literal

import msgspec

from schemas.days import FOREVER
from schemas.definitions import Name
from schemas.facts import Fact

Phase = Literal["PRE", "T1", "T2", "T3", "PPE", "LAC", "WEAN", "PPN", "unknown"]

FED: Final = frozenset({"exclusive", "mixed"})


class FeedingSpan(msgspec.Struct, frozen=True):
    """Feeding in force on the days [since, until); `reported_at`: later of since's midnight and observed_at."""

    feeding: str
    since: date
    until: date
    fact: Fact


class Pregnancy(msgspec.Struct, frozen=True):
    """One pregnancy and its episode.

    `lmp` is day 0 as dated (None: undated, `start` is then ended_on - 280);
    `delivery` the recorded delivery (from day 140, whatever the outcome); `lost_on` an end before day 140;
    `until` the first day that is no longer pregnant (delivery; the day after a loss; else LMP + 308);
    `puerperium` the day that "delivery" means in rules: the delivery, else LMP + 308; None after an early loss;
    [began, ended) is the episode; `booked_at` the first record of status pregnant (observed_at, else recorded_at).
    """

    episode: str
    lmp: date | None
    start: date
    until: date
    began: datetime
    ended: datetime
    due: date | None = None
    delivery: date | None = None
    lost_on: date | None = None
    outcome: str | None = None
    booked_at: datetime | None = None
    weaned: date | None = None
    facts: tuple[Fact, ...] = ()

    @property
    def puerperium(self) -> date | None:
        """The delivery, or the day that stands for one."""
        return None if self.lost_on else self.until

    def holds(self, at: datetime) -> bool:
        """The instant is inside the episode."""
        return self.began <= at < self.ended

    def pregnant_on(self, day: date) -> bool:
        """Pregnant on the local day (the day of delivery is not)."""
        return self.start <= day < self.until

    def day(self, number: int) -> date | None:
        """The day `number` days after the dated LMP; None when undated."""
        return self.lmp + timedelta(days=number) if self.lmp else None


class Pregnancies(msgspec.Struct, frozen=True):
    """All pregnancies in order, and how children were fed (one timeline of all reports)."""

    episodes: tuple[Pregnancy, ...] = ()
    feedings: tuple[FeedingSpan, ...] = ()
    undated: tuple[Fact, ...] = ()
    """Winning versions that no date could place."""

    def at(self, at: datetime) -> Pregnancy | None:
        """The pregnancy whose episode contains the instant."""
        return next((p for p in self.episodes if p.holds(at)), None)

    def latest_start(self, day: date) -> Pregnancy | None:
        """The pregnancy that began last on or before the local day, its episode over or not."""
        return next((p for p in reversed(self.episodes) if p.start <= day), None)

    def feeding(self, day: date) -> str:
        """The feeding in force on a local day; `unknown` where none is."""
        return next((s.feeding for s in reversed(self.feedings) if s.since <= day < s.until), "unknown")

    def fed(self, day: date) -> bool:
        """Exclusive or mixed feeding is in force on the local day."""
        return self.feeding(day) in FED

    def phase(self, day: date) -> Phase:
        """The phase of a local day (docs/intervals.md, Phases)."""
        p = self.latest_start(day)
        if p is None or (p.lost_on and day > p.lost_on):
            return "PRE"
        if day < p.until:
            return _trimester(p, day)
        if p.delivery is None:
            return "unknown"
        return self._post_partum(p.delivery, day)

    def _post_partum(self, delivery: date, day: date) -> Phase:
        if (day - delivery).days <= EARLY_PUERPERIUM:
            return "PPE"
        if self.fed(day):
            return "LAC"
        weaned = self.weaned_by(delivery, day)
        if weaned is not None:
            return "WEAN" if (day - weaned).days <= WEANED_DAYS else "PPN"
        return "PPN" if self.feeding(day) == "none" and not self._ever_fed(delivery, day) else "unknown"

    def weaned_by(self, delivery: date, day: date) -> date | None:
        """The reported weaning (`since` of `none` after feeding) that holds on a local day, or None."""
        weaned, fed = None, False
        for span in self.feedings:
            if span.until <= delivery or span.since > day:
                continue
            if span.feeding in FED:
                fed, weaned = True, None
            elif span.feeding == "none" and fed and weaned is None:
                weaned = max(span.since, delivery)
        return weaned

    def _ever_fed(self, delivery: date, day: date) -> bool:
        return any(s.feeding in FED and s.until > delivery and s.since <= day for s in self.feedings)


EARLY_PUERPERIUM: Final = 42
WEANED_DAYS: Final = 365
_T2, _T3 = 98, 196


def _trimester(p: Pregnancy, day: date) -> Phase:
    if p.lmp is None:
        return "unknown"
    number = (day - p.lmp).days
    return "T1" if number < _T2 else "T2" if number < _T3 else "T3"


PREGNANCIES: Final[Name[Pregnancies]] = Name("pregnancies")


COURSE_GAP: Final = 7
"""Days apart that two exposed days of one course may be. Source: docs/evidence.md 2.5."""

Layer = Literal["administered", "dispensed", "ordered"]


class Stretch(msgspec.Struct, frozen=True):
    """Consecutive local days of one daily amount: first to last, inclusive; `last` None: no end is known.

    `amount` (IU a day for heparins, mg a day else) None: unknown. `begins`: the first day's beginning (first dose, or
    starts_at, else midnight). `floor`: the ordered amount of an administered day, which may be incomplete.
    `assumed`: the order gave no dose, the last known one stands for it.
    """

    first: date
    last: date | None
    begins: datetime
    amount: Decimal | None
    layer: Layer
    assumed: bool = False
    floor: Decimal | None = None
    facts: tuple[Fact, ...] = ()

    def covers(self, day: date) -> bool:
        """The stretch contains the day."""
        return self.first <= day and (self.last is None or day <= self.last)


_first = attrgetter("first")


class Ledger(msgspec.Struct, frozen=True):
    """The exposed days of one class of drugs: disjoint stretches in order."""

    stretches: tuple[Stretch, ...] = ()

    @property
    def open(self) -> bool:
        """Exposure has no known end."""
        return bool(self.stretches) and self.stretches[-1].last is None

    def index(self, day: date) -> int:
        """The place of the last stretch that began by a day; 0 where none did."""
        return max(bisect_right(self.stretches, day, key=_first) - 1, 0)

    def on(self, day: date) -> Stretch | None:
        """The stretch that covers a day, or None if the day is not exposed."""
        i = bisect_right(self.stretches, day, key=_first)
        return self.stretches[i - 1] if i and self.stretches[i - 1].covers(day) else None

    def last_by(self, day: date) -> date | None:
        """The last exposed day on or before a day."""
        i = bisect_right(self.stretches, day, key=_first)
        if not i:
            return None
        last = self.stretches[i - 1].last
        return day if last is None else min(last, day)

    def next_from(self, day: date) -> date | None:
        """The first exposed day on or after a day."""
        if self.on(day) is not None:
            return day
        i = bisect_right(self.stretches, day, key=_first)
        return self.stretches[i].first if i < len(self.stretches) else None

    def count(self, first: date, last: date) -> int:
        """How many days from first to last, inclusive, are exposed."""
        total = 0
        for s in self.stretches:
            low, high = max(s.first, first), last if s.last is None else min(s.last, last)
            total += max(0, (high - low).days + 1)
        return total

    def courses(self, gap: int) -> tuple[tuple[date, date | None], ...]:
        """(first, last) of courses: exposed days not more than `gap` days apart are one course."""
        made: list[tuple[date, date | None]] = []
        for s in self.stretches:
            if made and (before := made[-1][1]) is not None and (s.first - before).days <= gap:
                made[-1] = (made[-1][0], s.last)
            else:
                made.append((s.first, s.last))
        return tuple(made)


@cache
def ledger(drug_class: str) -> Name[Ledger]:
    """The exposure ledger of a class of drugs: `heparin_ufh`, `lmwh`, `glucocorticoid` ..."""
    return Name(f"ledger/{drug_class}")


class OrderSpan(msgspec.Struct, frozen=True):
    """One version of an order in force over [begins, ends); `ends` None: nothing known ends it.

    `status` is draft, active, on_hold, stopped or completed: only an active order is taken or done. `order` names the
    order that the version belongs to: one placer order number is one order, from any source.
    """

    fact: Fact
    begins: datetime
    ends: datetime | None
    status: str
    order: str

    @property
    def active(self) -> bool:
        """Something is taken or done under this version."""
        return self.status == "active"


@cache
def orders(drug_class: str) -> Name[tuple[OrderSpan, ...]]:
    """The spans of all medication orders of a class, by order and time; a stop voids what it forestalls."""
    return Name(f"orders/{drug_class}")


CARE_ORDERS: Final[Name[tuple[OrderSpan, ...]]] = Name("care_orders")
"""The spans of all orders of bed rest, corset and exercise, by order, each order's in time."""


class SaidDose(msgspec.Struct, frozen=True):
    """One version of an order, dose or supply, and the amount a day that it comes to ([IU] for heparins, else mg).

    A dose comes to what was given on its local day up to and with it. `daily` None: unknown.
    """

    fact: Fact
    daily: Decimal | None = None


@cache
def said_doses(drug_class: str) -> Name[tuple[SaidDose, ...]]:
    """What was said of the doses of a class of drugs: every live version, by record and rank."""
    return Name(f"said_doses/{drug_class}")


class UnclearResult(msgspec.Struct, frozen=True):
    """A final result whose unit is in no table or whose size is implausible.

    `clarified_at`: when a version of the record that is not unclear was recorded; `next_at`: the collection of the next
    result of the analyte that converts. None: not yet.
    """

    fact: Fact
    clarified_at: datetime | None = None
    next_at: datetime | None = None


UNCLEAR: Final[Name[tuple[UnclearResult, ...]]] = Name("unclear")
"""The results that are or were unclear, by collection; the fold keeps them, so that clear results cost nothing."""


class HeparinEpisode(msgspec.Struct, frozen=True):
    """Heparin outside pregnancy: its days with gaps of at most 183 d, and 183 days of recent exposure."""

    episode: str
    first: date
    last: date | None
    began: datetime
    ended: datetime
    counts_from: date
    """The first day that counts: earlier than `first` where a course running at a pregnancy's end is taken over."""

    def holds(self, at: datetime) -> bool:
        """The instant is inside the episode."""
        return self.began <= at < self.ended


class Episodes(msgspec.Struct, frozen=True):
    """Which episode an instant belongs to."""

    pregnancies: tuple[Pregnancy, ...] = ()
    heparin: tuple[HeparinEpisode, ...] = ()

    def at(self, at: datetime) -> str:
        """The pregnancy episode that contains the instant, else the heparin episode, else the calendar-free one."""
        for p in self.pregnancies:
            if p.holds(at):
                return p.episode
        return next((h.episode for h in reversed(self.heparin) if h.holds(at)), NO_EPISODE)


NO_EPISODE: Final = "none"
EPISODES: Final[Name[Episodes]] = Name("episodes")


class Answer(msgspec.Struct, frozen=True):
    """A response that speaks to a rule's alert in an episode."""

    recorded_at: datetime
    action: str
    event_id: str
    reason: str | None = None
    until: datetime | None = None
    by: str = ""


class Answers(msgspec.Struct, frozen=True):
    """Responses by (rule, episode), in the order in which they win."""

    by_alert: dict[tuple[str, str], tuple[Answer, ...]] = {}

    def to(self, rule_id: str, episode: str) -> tuple[Answer, ...]:
        """The responses to one alert."""
        return self.by_alert.get((rule_id, episode), ())

    def closing(
        self,
        rule_id: str,
        episode: str,
        began: datetime,
        actions: frozenset[str],
        reasons: frozenset[str] | None = None,
    ) -> datetime:
        """When a counting response of these actions ended the alert that began then; FOREVER if none did.

        A later `reopen` takes a closing back. `reasons`: only with one of these coded reasons.
        """
        closed = FOREVER
        for answer in self.to(rule_id, episode):
            if answer.recorded_at < began:
                continue
            if answer.action == "reopen":
                closed = FOREVER
            elif closed == FOREVER and answer.action in actions and (reasons is None or answer.reason in reasons):
                closed = answer.recorded_at
        return closed


ANSWERS: Final[Name[Answers]] = Name("answers")


@cache
def labs(analyte: str) -> Name[tuple[Fact, ...]]:
    """The winning results of an analyte (payload Lab), by collected_at. Cancelled ones are not there."""
    return Name(f"labs/{analyte}")


@cache
def winners(group: str) -> Name[tuple[Fact, ...]]:
    """The winning version of each record of a group, by clinical time (without one: recorded_at), then key."""
    return Name(f"winners/{group}")
