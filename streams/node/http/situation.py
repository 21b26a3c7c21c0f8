"""Who the patient is for a clinician who reads an alert: age, pregnancy, feeding, heparin; each as the chart has it."""

from collections.abc import Iterator
from datetime import date

from schemas.days import Calendar
from schemas.facts import Person
from schemas.views import FED, PREGNANCIES, Pregnancies, Pregnancy, ledger
from streams.chart.chart import Chart
from streams.node.http.words import day, number

_HEPARINS = {"heparin_ufh": "unfractionated heparin", "lmwh": "low-molecular-weight heparin"}
_FEEDING = {"exclusive": "breast-feeding", "mixed": "breast-feeding and other food", "none": "not breast-feeding"}


def situation(chart: Chart, calendar: Calendar, today: date) -> list[str]:
    """What is known of the patient today, in a few words each; what is not known is left out."""
    said = [*_person(chart, calendar, today), *_motherhood(chart.values[PREGNANCIES.key], today)]
    for drug_class, words in _HEPARINS.items():
        stretch = chart.values[ledger(drug_class).key].on(today)
        if stretch is not None:
            said.append(f"on {words}" if stretch.amount is None else f"on {words}, {number(stretch.amount)} IU a day")
    return said


def _person(chart: Chart, calendar: Calendar, today: date) -> Iterator[str]:
    known = [r.winner for r in chart.facts.by_group.get("patient", ()) if r.winner is not None]
    people = [f.payload for f in sorted(known, key=lambda f: f.rank) if isinstance(f.payload, Person)]
    born = next((p.birth_date for p in reversed(people) if p.birth_date), None)
    if born is not None:
        years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
        yield f"{years} years old"
    sex = next((p.sex for p in reversed(people) if p.sex), None)
    if sex is not None:
        yield sex
    died = chart.deceased_at()
    if died is not None:
        yield f"died on {day(calendar.local(died))}"


def _motherhood(known: Pregnancies, today: date) -> Iterator[str]:
    latest = known.latest_start(today)
    if latest is None:
        return
    if latest.pregnant_on(today):
        yield _week(latest, today)
        return
    if latest.lost_on is not None:
        yield f"a pregnancy ended on {day(latest.lost_on)}"
        return
    if latest.delivery is None:
        yield "a pregnancy without a record of the delivery"
        return
    days = (today - latest.delivery).days
    yield f"delivered on {day(latest.delivery)}, {days} {'day' if days == 1 else 'days'} ago"
    feeding = known.feeding(today)
    if feeding in _FEEDING and (feeding in FED or latest.weaned):
        yield _FEEDING[feeding]


def _week(pregnancy: Pregnancy, today: date) -> str:
    if pregnancy.lmp is None:
        return "pregnant"
    weeks, days = divmod((today - pregnancy.lmp).days, 7)
    return f"pregnant, {weeks} weeks and {days} days"
