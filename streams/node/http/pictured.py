"""Which of a chart's facts are worth a picture beside an alert: the heparin day by day, or the numbers it rests on."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from schemas.alerts import Alert, EvidenceItem
from schemas.days import Calendar
from schemas.facts import Density, Dose, Fact, Lab, Measured, Order, Supply, SymptomReport, clinical_time
from schemas.views import Stretch, ledger
from streams.chart.chart import Chart
from streams.chart.groups import group
from streams.node.http.picture import Picture, Row, bars, dots

_HEPARINS: Final[Mapping[str, str]] = {
    "heparin_ufh": "Unfractionated heparin, day by day",
    "lmwh": "Low-molecular-weight heparin, day by day",
}
LINES: Final[Mapping[str, frozenset[str]]] = {
    "drug/heparin_ufh": frozenset({"mean daily dose", "mean daily dose of the longer course"}),
    "symptom/back": frozenset({"back pain score"}),
    "symptom/hip": frozenset({"hip or groin pain score"}),
    "bone_density": frozenset({"Z-score", "latest Z-score of a site"}),
    "lab/25OHD": frozenset({"25-OH vitamin D reported in nmol/L", "25-OH vitamin D reported in ng/mL"}),
    "lab/CTX": frozenset({"CTX, premenopausal upper limit"}),
    "lab/NTX": frozenset({"serum NTX, premenopausal upper limit"}),
}
"""By group of facts the names of the limits that are of the same kind of number, so that a line may be drawn."""
_FEWEST: Final = 2
_MOST: Final = 60
_LONGEST: Final = timedelta(days=500)
_SLACK: Final = Decimal("0.001")


def pictured(alert: Alert, chart: Chart, calendar: Calendar, today: date) -> Picture | None:
    """The picture of an alert; None where a sentence says it as well."""
    for item, fact in _evidence(alert, chart):
        found = _of_drug(alert, chart, fact, today) or _series(alert, chart, item, fact, calendar)
        if found is not None:
            return found
    return None


def _evidence(alert: Alert, chart: Chart) -> Iterator[tuple[EvidenceItem, Fact]]:
    for item in alert.evidence:
        record = chart.facts.records.get((item.source or "", item.record_id or ""))
        if record is not None and record.winner is not None:
            yield item, record.winner


def _limits(alert: Alert, of_group: str, unit: str | None) -> list[tuple[str, Decimal]]:
    drawn = (each for each in alert.limits if each.name in LINES.get(of_group, ()) and each.unit == unit)
    return [(f"{each.name} ({each.flag})", Decimal(str(each.value))) for each in drawn]


# ---- heparin


def _of_drug(alert: Alert, chart: Chart, fact: Fact, today: date) -> Picture | None:
    """The exposed days of the heparin that a record of the evidence speaks of."""
    if not isinstance(fact.payload, Order | Dose | Supply) or fact.payload.drug_class not in _HEPARINS:
        return None
    stretches = chart.values[ledger(fact.payload.drug_class).key].stretches
    rows = _merged(s for s in stretches if (s.last or today) > today - _LONGEST and s.first <= today)
    if not rows:
        return None
    limits = _limits(alert, group(fact.payload), "[IU]/d")
    return bars(_HEPARINS[fact.payload.drug_class], "[IU]/d", rows, limits, today)


def _merged(stretches: Iterator[Stretch]) -> list[Row]:
    """Neighbouring days of one amount as one row."""
    rows: list[Row] = []
    for s in stretches:
        before = rows[-1] if rows else None
        if before and before.last and before.value == s.amount and s.first - before.last == timedelta(days=1):
            rows[-1] = Row(before.first, s.last, s.amount)
        else:
            rows.append(Row(s.first, s.last, s.amount))
    return rows


# ---- numbers


def _series(alert: Alert, chart: Chart, item: EvidenceItem, fact: Fact, calendar: Calendar) -> Picture | None:
    """Every number of the kind that a piece of evidence is, in its unit."""
    own, said = _number(fact), None if item.value is None else Decimal(str(item.value))
    if own is None or said is None or not own:
        return None
    times = Decimal(1) if _alike(said, own) else _as_reported(fact, said)
    if times is None:
        return None
    alike = (f for f in _winners(chart, group(fact.payload)) if _same_kind(f, fact))
    rows = [Row(day, day, n * times) for f in alike if (n := _number(f)) is not None and (day := _day(f, calendar))]
    if len(rows) < _FEWEST:
        return None
    title = f"{item.what[:1].upper()}{item.what[1:]}, each time it was recorded"
    return dots(title, item.unit or "", rows[-_MOST:], _limits(alert, group(fact.payload), item.unit))


def _alike(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= _SLACK * abs(other)


def _as_reported(fact: Fact, said: Decimal) -> Decimal | None:
    """How many of the laboratory's unit are one of ours, if that is what the evidence speaks in."""
    match fact.payload:
        case Lab(value=Decimal() as value, reported=Decimal() as reported) if value and _alike(said, reported):
            return reported / value
    return None


def _number(fact: Fact) -> Decimal | None:
    match fact.payload:
        case Lab(value=value) | Measured(value=value):
            return value
        case SymptomReport(score=score):
            return score
        case Density(z_score=z_score):
            return z_score
    return None


def _same_kind(one: Fact, other: Fact) -> bool:
    """Of one site, or of one quantity: a molar and a mass concentration share no axis."""
    match one.payload, other.payload:
        case Density(site=a), Density(site=b):
            return a == b
        case Lab(quantity=a), Lab(quantity=b):
            return a == b
    return True


def _winners(chart: Chart, of_group: str) -> list[Fact]:
    found = [record.winner for record in chart.facts.by_group.get(of_group, ()) if record.winner is not None]
    return sorted(found, key=lambda fact: (clinical_time(fact.payload) or fact.recorded_at, fact.key))


def _day(fact: Fact, calendar: Calendar) -> date:
    return calendar.day(clinical_time(fact.payload) or fact.recorded_at)
