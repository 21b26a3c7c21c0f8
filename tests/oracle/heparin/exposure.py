"""Exposed days of a drug: administered before dispensed before ordered, day by day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from tests.oracle.facts import FOREVER, STOPS, Chart, Record, Version, instant, number, order_of, timelines

from .doses import LARGEST_DAY, drug_of, heparin_dose, is_flush, rate_per_hour

GIVEN: Final = frozenset({"completed", "in_progress", "stopped"})


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


def heparin_ledger(chart: Chart, drug_class: str) -> dict[date, Day]:
    """The exposed days of UFH or of LMWH; more than 60,000 IU on a day is an unknown amount."""
    days = exposure(chart, lambda _, c: c == drug_class, heparin_dose(chart))
    return {d: Day(d, x.begins, _bounded(x.amount), _bounded(x.ordered)) for d, x in days.items()}


def _bounded(amount: Fraction | None) -> Fraction | None:
    return None if amount is None or amount > LARGEST_DAY else amount
