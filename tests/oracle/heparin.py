"""Exposed days of a drug: administered before dispensed before ordered, day by day; heparin courses and episodes."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from .codes import DRUGS
from .days import Pregnancy, deceased_at
from .facts import FOREVER, STOPS, Chart, Record, Version, instant, number, order_of, timelines

HEPARINS: Final = frozenset({"ufh", "lmwh"})
GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})
IU: Final = frozenset({"[IU]", "IU", "iu", "U", "[USP'U]", "UNT", "units", "unit"})
IU_PER_KG: Final = frozenset({"[IU]/kg"})
LARGEST_DAY: Final = 60_000
_FLUSH: Final = re.compile(r"flush|lock|catheter|line patency", re.IGNORECASE)


@dataclass(frozen=True)
class Day:
    """One exposed day: when it begins, its amount (None: unknown) and what the order in force says of it."""

    day: date
    begins: datetime
    amount: Fraction | None
    ordered: Fraction | None


@dataclass(frozen=True)
class Span:
    """A time in which one version of an order is active."""

    order: int
    version: Version
    record: Record
    began: datetime
    ended: datetime


@dataclass
class Episode:
    """A pregnancy episode, or a heparin episode outside one, with its own records."""

    kind: str
    start: datetime
    end: datetime
    records: list[Record]
    pregnancy: Pregnancy | None = None
    follows: bool = False
    counted: dict[str, list[date]] = field(default_factory=dict)

    def within(self, when: datetime) -> bool:
        return self.start <= when < self.end


def drug_of(event: Version) -> tuple[str, str]:
    """Name and class of the drug that an event speaks of."""
    code = event.get("drug")
    return DRUGS.get((code["system"], code["code"]), ("unknown", "unknown"))


def is_flush(version: Version) -> bool:
    """A flush or a lock, which is no exposure."""
    if drug_of(version)[1] == "flush":
        return True
    dose = version.get("dose")
    small = dose is not None and dose.get("unit") in IU and number(dose["value"]) <= 500
    said = f"{version.get('route') or ''} {version.get('drug').get('display') or ''}"
    return small and bool(_FLUSH.search(said))


def unclear(version: Version) -> bool:
    """Whether a heparin dose cannot be taken as it is written."""
    name, drug_class = drug_of(version)
    dose = version.get("dose")
    if dose is None or drug_class not in HEPARINS:
        return False
    unit, value = dose.get("unit"), number(dose["value"])
    if unit is None or (drug_class == "ufh" and unit == "mg"):
        return True
    if name == "enoxaparin" and unit in IU and not 1_000 <= value <= 20_000:
        return True
    each = value * (100 if name == "enoxaparin" and unit == "mg" else 1)
    return each * number(version.get("doses_per_day") or 1) > LARGEST_DAY


def active_spans(chart: Chart, wanted: Callable[[str, str], bool]) -> list[Span]:
    """When orders of a drug are active; one that is held, stopped, as needed or forbidden is not."""
    spans = []
    for i, timeline in enumerate(timelines(chart, "prescription")):
        for stretch in timeline:
            version = stretch.version
            if not wanted(*drug_of(version)) or not is_active(version) or is_flush(version):
                continue
            began = max(stretch.began, instant(version.get("starts_at")))
            ended = min(stretch.ended, version.at("ends_at") or FOREVER)
            if began < ended:
                spans.append(Span(i, version, stretch.record, began, ended))
    return spans


def is_active(version: Version) -> bool:
    return version.status == "active" and not version.get("do_not_perform") and not version.get("as_needed")


def given(chart: Chart, wanted: Callable[[str, str], bool]) -> list[tuple[Record, Version]]:
    """Doses of a drug that were given."""
    return [
        (r, v)
        for r, v in chart.facts("administration")
        if wanted(*drug_of(v)) and v.status in GIVEN and not is_flush(v)
    ]


def supplies(chart: Chart, wanted: Callable[[str, str], bool]) -> list[tuple[Record, Version, date, date]]:
    """Dispensed supplies with their first and last day; the order's hold or stop ends a supply."""
    found = []
    orders = _stops_by_placer(chart)
    for record, version in chart.facts("dispense"):
        if not wanted(*drug_of(version)) or version.status != "completed" or not version.get("days_supply"):
            continue
        dispensed = instant(version.get("dispensed_at"))
        first = chart.calendar.day(dispensed)
        last = first + timedelta(days=int(version.get("days_supply")) - 1)
        for ended in orders.get(order_of(record) or "", []):
            if ended >= dispensed:
                last = min(last, chart.calendar.day(ended - timedelta(microseconds=1)))
        if last >= first:
            found.append((record, version, first, last))
    return found


def _stops_by_placer(chart: Chart) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for timeline in timelines(chart, "prescription"):
        placer = order_of(timeline[0].record) if timeline else None
        if placer:
            found[placer] = [s.began for s in timeline if s.version.status in STOPS | {"on_hold"}]
    return found


def exposure(
    chart: Chart, wanted: Callable[[str, str], bool], amount: Callable[[Version, date], Fraction | None]
) -> dict[date, Day]:
    """The exposed days of a drug up to the instant asked for; `amount` reads one dose."""
    ledger = _Ledger(chart, wanted, amount)
    first = ledger.first_day()
    found: dict[date, Day] = {}
    if first is None:
        return found
    day, today = first, chart.calendar.day(chart.at)
    while day <= today:
        exposed = ledger.on(day)
        if exposed is not None:
            found[day] = exposed
        day += timedelta(days=1)
    return found


class _Ledger:
    """The three layers of one drug."""

    def __init__(
        self,
        chart: Chart,
        wanted: Callable[[str, str], bool],
        amount: Callable[[Version, date], Fraction | None],
    ) -> None:
        self.calendar = chart.calendar
        self.amount = amount
        self.spans = active_spans(chart, wanted)
        self.supplies = supplies(chart, wanted)
        self.given = [v for _, v in given(chart, wanted)]
        self.not_given = {
            chart.calendar.day(instant(v.get("given_at")))
            for _, v in chart.facts("administration")
            if wanted(*drug_of(v)) and v.status == "not_done"
        }
        self.also_planned = {
            chart.calendar.day(instant(v.get("given_at")))
            for _, v in chart.facts("administration")
            if wanted(*drug_of(v)) and v.status == "on_hold"
        }

    def first_day(self) -> date | None:
        days = [self.calendar.day(s.began) for s in self.spans] + [s[2] for s in self.supplies]
        days += [self.calendar.day(instant(v.get("given_at"))) for v in self.given]
        return min(days, default=None)

    def on(self, day: date) -> Day | None:
        ordered_from, ordered = self._ordered(day)
        doses = [dose for v in self.given if (dose := self._dose(v, day)) is not None]
        if doses:
            amounts = [amount for _, amount in doses]
            total = sum((a for a in amounts if a is not None), Fraction(0))
            unknown = any(a is None for a in amounts)
            return Day(day, min(when for when, _ in doses), None if unknown else total, ordered)
        if day in self.not_given and day not in self.also_planned:
            return None
        supply = self._supplied(day)
        if supply is not None:
            return Day(day, supply[0], supply[1], ordered)
        return None if ordered_from is None else Day(day, ordered_from, ordered, ordered)

    def _dose(self, version: Version, day: date) -> tuple[datetime, Fraction | None] | None:
        began = instant(version.get("given_at"))
        ended = version.at("ends_at")
        midnight, next_midnight = self.calendar.midnight(day), self.calendar.midnight(day + timedelta(days=1))
        if version.get("rate") is not None and ended is not None:
            if began >= next_midnight or ended <= midnight:
                return None
            hours = Fraction((min(ended, next_midnight) - max(began, midnight)) / timedelta(seconds=1)) / 3600
            hourly = rate_per_hour(version)
            return max(began, midnight), None if hourly is None else hourly * hours
        if self.calendar.day(began) != day:
            return None
        return began, self.amount(version, day)

    def _supplied(self, day: date) -> tuple[datetime, Fraction | None] | None:
        covering = [s for s in self.supplies if s[2] <= day <= s[3]]
        if not covering:
            return None
        latest = max(covering, key=lambda s: (s[1].get("dispensed_at"), s[1].order))[1]
        begins = min(
            instant(v.get("dispensed_at")) if first == day else self.calendar.midnight(day)
            for _, v, first, _ in covering
        )
        return begins, self._daily(latest, day)

    def _ordered(self, day: date) -> tuple[datetime | None, Fraction | None]:
        midnight, next_midnight = self.calendar.midnight(day), self.calendar.midnight(day + timedelta(days=1))
        touching = [s for s in self.spans if s.began < next_midnight and s.ended > midnight]
        if not touching:
            return None, None
        latest: dict[int, Span] = {}
        started: dict[int, datetime] = {}
        for span in sorted(touching, key=lambda s: s.began):
            started.setdefault(span.order, span.began)
            latest[span.order] = span
        counted = list(latest.values())
        starting = [order for order, began in started.items() if began > midnight or self._begins(order, midnight)]
        if starting:
            counted = [
                s
                for s in counted
                if s.ended >= next_midnight
                or not any(o != s.order and started[o] >= started[s.order] for o in starting)
            ]
        amounts = [self._order_amount(s, day, midnight, next_midnight) for s in counted]
        known = [a for a in amounts if a is not None]
        total = sum(known, Fraction(0)) if len(known) == len(amounts) else None
        return max(midnight, min(started.values())), total

    def _begins(self, order: int, midnight: datetime) -> bool:
        """Whether an order starts exactly at a midnight."""
        own = [s for s in self.spans if s.order == order]
        return any(s.began == midnight for s in own) and not any(s.ended == midnight for s in own)

    def _order_amount(self, span: Span, day: date, midnight: datetime, next_midnight: datetime) -> Fraction | None:
        version = span.version
        if version.get("rate") is not None:
            hourly = rate_per_hour(version)
            seconds = (min(span.ended, next_midnight) - max(span.began, midnight)) / timedelta(seconds=1)
            return None if hourly is None else hourly * Fraction(seconds) / 3600
        if version.get("dose") is not None:
            return self._daily(version, day)
        return self._assumed(span, day)

    def _daily(self, version: Version, day: date) -> Fraction | None:
        each, times = self.amount(version, day), version.get("doses_per_day")
        return None if each is None or times is None else each * number(times)

    def _assumed(self, span: Span, day: date) -> Fraction | None:
        """The last known dose, for 14 days."""
        if (day - self.calendar.day(span.began)).days >= 14:
            return None
        earlier = [s for s in self.spans if s.began < span.began and s.version.get("dose") is not None]
        same = [s for s in earlier if s.order == span.order] or earlier
        if not same:
            return None
        last = max(same, key=lambda s: s.began).version
        each = self.amount(last, day)
        times = span.version.get("doses_per_day") or last.get("doses_per_day")
        return None if each is None or times is None else each * number(times)


def rate_per_hour(version: Version) -> Fraction | None:
    rate: dict[str, Any] = version.get("rate")
    return number(rate["value"]) if rate.get("unit") in {"[IU]/h", "IU/h", "U/h", "units/h"} else None


def heparin_dose(chart: Chart) -> Callable[[Version, date], Fraction | None]:
    """How many IU one heparin dose is."""

    known: dict[int, Fraction | None] = {}

    def amount(version: Version, day: date) -> Fraction | None:
        dose = version.get("dose")
        if dose is not None and dose.get("unit") in IU_PER_KG:
            return by_weight(version, day)
        if id(version.event) not in known:
            known[id(version.event)] = plain(version)
        return known[id(version.event)]

    def by_weight(version: Version, day: date) -> Fraction | None:
        weight = weight_on(chart, day)
        return None if weight is None else number(version.get("dose")["value"]) * weight

    def plain(version: Version) -> Fraction | None:
        dose = version.get("dose")
        if dose is None or unclear(version):
            return None
        name, _ = drug_of(version)
        value, unit = number(dose["value"]), dose.get("unit")
        if unit in IU:
            return value
        return value * 100 if unit == "mg" and name == "enoxaparin" else None

    return amount


def weight_on(chart: Chart, day: date) -> Fraction | None:
    """The latest body weight of a day or before it, in kg."""
    weights = [
        (instant(v.get("observed_at")), v)
        for _, v in chart.facts("measurement")
        if v.get("measure") == "body_weight" and chart.calendar.day(instant(v.get("observed_at"))) <= day
    ]
    if not weights:
        return None
    version = max(weights, key=lambda w: (w[0], w[1].order))[1]
    return number(version.get("value")) * (number("0.45359237") if version.get("unit") == "[lb_av]" else 1)


def heparin_ledger(chart: Chart, drug_class: str) -> dict[date, Day]:
    """The exposed days of UFH or of LMWH; more than 60,000 IU on a day is an unknown amount."""
    days = exposure(chart, lambda _, c: c == drug_class, heparin_dose(chart))
    return {d: Day(d, x.begins, _bounded(x.amount), _bounded(x.ordered)) for d, x in days.items()}


def _bounded(amount: Fraction | None) -> Fraction | None:
    return None if amount is None or amount > LARGEST_DAY else amount


def courses(days: Iterable[date], gap: int = 7) -> list[list[date]]:
    """Exposed days as courses: a gap is the difference of two exposed days."""
    made: list[list[date]] = []
    for day in sorted(days):
        if made and (day - made[-1][-1]).days <= gap:
            made[-1].append(day)
        else:
            made.append([day])
    return made


@dataclass
class Heparin:
    """The heparin of one chart and the episodes in which its days are counted."""

    ufh: dict[date, Day]
    lmwh: dict[date, Day]
    episodes: list[Episode]
    running: dict[tuple[date, date, int], tuple[list[Fraction], list[int]]] = field(default_factory=dict)

    def ledger(self, drug_class: str) -> dict[date, Day]:
        return self.ufh if drug_class == "ufh" else self.lmwh

    def mean(self, counted: list[date], place: int, last: int | None = None) -> Fraction | None:
        """Mean IU of UFH on the counted days up to one of them, or on its last days, unknown ones left out."""
        judged = self._at_least(counted, place, -1)
        first = 0 if last is None else max(0, place + 1 - last)
        sums, known = self._sums(counted)
        total, days = sums[place] - sums[first], known[place] - known[first]
        if judged is not None:
            total, days = total + judged, days + 1
        return total / days if days else None

    def _sums(self, counted: list[date]) -> tuple[list[Fraction], list[int]]:
        """Running sums of the known amounts before each day."""
        key = (counted[0], counted[-1], len(counted))
        if key not in self.running:
            sums, known = [Fraction(0)], [0]
            for place in range(len(counted)):
                amount = self._at_least(counted, place, 0)
                sums.append(sums[-1] + (amount or 0))
                known.append(known[-1] + (amount is not None))
            self.running[key] = (sums, known)
        return self.running[key]

    def _at_least(self, counted: list[date], place: int, side: int) -> Fraction | None:
        """A day's amount; the first of a course and the judged one at least the order's, else their neighbour's."""
        exposed = self.ufh[counted[place]]
        first = place == 0 or (counted[place] - counted[place - 1]).days > 7
        if exposed.amount is None or not (first or side):
            return exposed.amount
        if exposed.ordered is not None:
            return max(exposed.amount, exposed.ordered)
        beside = place + (1 if first else -1)
        if beside >= len(counted) or abs((counted[beside] - counted[place]).days) > 7:
            return exposed.amount
        return max(exposed.amount, self.ufh[counted[beside]].amount or Fraction(0))


def episodes_of(chart: Chart, pregnancies: list[Pregnancy]) -> Heparin:
    """Pregnancy episodes, and heparin episodes outside them."""
    ufh, lmwh = heparin_ledger(chart, "ufh"), heparin_ledger(chart, "lmwh")
    heparin = Heparin(ufh, lmwh, [])
    for pregnancy in pregnancies:
        episode = Episode("pregnancy", pregnancy.start, pregnancy.end, pregnancy.records, pregnancy)
        for drug_class in HEPARINS:
            episode.counted[drug_class] = _counted_in_pregnancy(chart, heparin.ledger(drug_class), pregnancy)
        heparin.episodes.append(episode)
    heparin.episodes += _heparin_episodes(chart, heparin, pregnancies)
    heparin.episodes.sort(key=lambda e: e.start)
    return heparin


def _counted_in_pregnancy(chart: Chart, ledger: dict[date, Day], pregnancy: Pregnancy) -> list[date]:
    """The days of the episode, and the whole of a course that runs at the LMP."""
    counted = {d for d in ledger if pregnancy.within(chart.calendar.midnight(d))}
    for course in courses(ledger):
        if course[0] < pregnancy.day_zero <= course[-1]:
            counted |= {d for d in course if d < pregnancy.day_zero}
    return sorted(counted)


def _heparin_episodes(chart: Chart, heparin: Heparin, pregnancies: list[Pregnancy]) -> list[Episode]:
    midnight = chart.calendar.midnight
    both = {
        d: min(x.begins for x in (heparin.ufh.get(d), heparin.lmwh.get(d)) if x) for d in {*heparin.ufh, *heparin.lmwh}
    }
    outside = [d for d in both if not any(p.within(midnight(d)) for p in pregnancies)]
    made = []
    for run in courses(outside, 183):
        for piece in _cut(run, pregnancies):
            start, end = both[piece[0]], midnight(piece[-1] + timedelta(days=184))
            counted = {c: [d for d in piece if d in heparin.ledger(c)] for c in HEPARINS}
            follows = False
            for p in pregnancies:
                if p.end <= midnight(piece[0]) and _runs_over(both, chart.calendar.day(p.end), piece[0]):
                    start, follows = p.end, True
                    counted = {c: _taken_over(heparin.ledger(c), chart.calendar.day(p.end), piece) for c in HEPARINS}
            following = [p.start for p in pregnancies if p.start > midnight(piece[0])]
            end = min(end, *following, deceased_at(chart))
            records = _own_records(chart, {*counted["ufh"], *counted["lmwh"]})
            made.append(Episode("heparin", start, end, records, None, follows, counted))
    return made


def _own_records(chart: Chart, days: set[date]) -> list[Record]:
    """The records of heparin that speak of one of some days."""

    def wanted(_: str, drug_class: str) -> bool:
        return drug_class in HEPARINS

    first, following = chart.calendar.midnight(min(days)), chart.calendar.midnight(max(days) + timedelta(days=1))
    own = [s.record for s in active_spans(chart, wanted) if s.began < following and s.ended > first]
    own += [r for r, v in given(chart, wanted) if first <= instant(v.get("given_at")) < following]
    own += [r for r, _, start, last in supplies(chart, wanted) if start <= max(days) and last >= min(days)]
    return own


def _cut(run: list[date], pregnancies: list[Pregnancy]) -> list[list[date]]:
    """A run of days outside pregnancies, cut where a pregnancy lies between them."""
    pieces = [[run[0]]]
    for day in run[1:]:
        if any(pieces[-1][-1] < p.day_zero <= day for p in pregnancies):
            pieces.append([day])
        else:
            pieces[-1].append(day)
    return pieces


def _runs_over(days: Iterable[date], border: date, first: date) -> bool:
    """Whether one course has days before a border and goes on with the first day after it."""
    return any(course[0] < border <= first <= course[-1] for course in courses(days))


def _taken_over(ledger: dict[date, Day], border: date, piece: list[date]) -> list[date]:
    counted = {d for d in piece if d in ledger}
    for course in courses(ledger):
        if course[0] < border <= course[-1]:
            counted |= {d for d in course if d < border}
    return sorted(counted)
