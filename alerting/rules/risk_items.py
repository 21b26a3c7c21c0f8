"""How the items of the risk-factor score S19 are derived.

Source: docs/intervals.md, Risk items; docs/evidence.md 7. Codes do not count; body mass index only as measured.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from alerting.judge import Judge
from alerting.rules.counting import counted, counts
from alerting.rules.density import low_z, scans, z_evidence
from alerting.rules.feeding import CONTINUOUS_LACTATION
from alerting.rules.fractures import FRACTURES, cited, in_episode
from alerting.rules.risk_score import RISK_ITEMS, RiskItems
from alerting.rules.vitamin_d import VITAMIN_D, Level
from schemas.definitions import Definition, Name, Reader, define, finding
from schemas.facts import Density, Fact, Measured, Risk
from schemas.intervals import Evidence, Interval, Intervals
from schemas.rulepack import RulePack
from schemas.tables import Tables
from schemas.views import EPISODES, PREGNANCIES, ledger, winners

_RISKS, _MASS, _DENSITY = winners("risk_factor"), winners("measurement/body_mass_index"), winners("bone_density")
_LMWH = ledger("lmwh")
_HEP_02, _SPN_02, _HIP_02, _SEC_04 = (finding(rule) for rule in ("HEP-02", "SPN-02", "HIP-02", "SEC-04"))
_TOLD: Final = ("prior_plo", "family_history", "smoking", "low_weight_gain")

_WORDS: Final = {"prior_plo": "prior PLO"}

_Said = tuple[datetime, bool, Evidence]
"""From an instant on the item is present or absent, and who said so."""


def _spans(said: Iterable[_Said]) -> Intervals:
    """The intervals in which an item is present, from what was said in the order of its time."""
    made: list[Interval] = []
    since: tuple[datetime, Evidence] | None = None
    for at, present, evidence in said:
        if present and since is None:
            since = (at, evidence)
        elif not present and since is not None:
            made.append(Interval(since[0], at, evidence=(since[1],)))
            since = None
    if since is not None:
        made.append(Interval(since[0], evidence=(since[1],)))
    return tuple(i for i in made if i.began < i.ended)


def _told(facts: tuple[Fact, ...], factor: str) -> Iterator[_Said]:
    for fact in facts:
        risk = fact.payload
        if isinstance(risk, Risk) and risk.factor == factor:
            yield (
                risk.observed_at,
                risk.present,
                _evidence(fact, _WORDS.get(factor, factor.replace("_", " ")), risk.observed_at),
            )


def _evidence(fact: Fact, what: str, at: datetime, value: Decimal | None = None, unit: str | None = None) -> Evidence:
    known = None if value is None else float(value)
    return Evidence(what, fact.record_id, fact.event_id, fact.source, known, unit, at)


def _fractured(chart: Reader) -> Iterator[_Said]:
    """Fractures of the findings SPN-02 and HIP-02, and those that a report calls old."""
    spine = tuple(f for i in chart[_SPN_02] for f in cited(i, chart[FRACTURES]))
    yield from ((i.began, True, i.evidence[0] if i.evidence else Evidence("fracture")) for i in chart[_SPN_02])
    hip = tuple(f for i in chart[_HIP_02] for f in cited(i, chart[FRACTURES]))
    old = tuple(f for f in chart[FRACTURES] if f.old and f.bone != "other_fracture")
    yield from ((f.at, True, f.evidence) for f in (*spine, *hip, *old))


def _fragility(chart: Reader) -> Intervals:
    said = (*_fractured(chart), *_told(chart[_RISKS], "prior_fragility_fracture"))
    return _spans(sorted(said, key=lambda s: s[0]))


def _latest(facts: tuple[Fact, ...], below: Decimal) -> Iterator[_Said]:
    for fact in facts:
        seen = fact.payload
        if isinstance(seen, Measured) and seen.value is not None and not seen.self_reported:
            mass = _evidence(fact, "body mass index", seen.observed_at, seen.value, "kg/m2")
            yield seen.observed_at, seen.value < below, mass


def _low_z(facts: tuple[Fact, ...], judge: Judge) -> Iterator[_Said]:
    """The latest Z-score of some named site is low, from each DXA on."""
    seen: list[tuple[Fact, Density]] = []
    for fact, dxa in scans(facts):
        seen.append((fact, dxa))
        low = low_z(judge, seen)
        yield dxa.performed_at, low is not None, z_evidence(*(low or (fact, dxa)))


def _deficient(levels: tuple[Level, ...], judge: Judge) -> Iterator[_Said]:
    for level in levels:
        low = level.low(judge)
        if low or level.repleted(judge):
            yield level.at, low, _evidence(level.facts[0], "25-OH vitamin D", level.at)


def _tier(chart: Reader) -> Intervals:
    """HEP-02 once begun in a pregnancy episode, to its end."""
    return tuple(
        Interval(i.began, p.ended, episode=p.episode, evidence=i.evidence)
        for p in chart[PREGNANCIES].episodes
        for i in in_episode(chart[_HEP_02], p)
    )


def _long_lmwh(chart: Reader, judge: Judge) -> Iterator[Interval]:
    """Low-molecular-weight heparin on as many days as HEP-06 counts, to the end of the episode."""
    exposure, calendar = chart[_LMWH], chart.calendar
    pregnancies = {(p.episode, p.began) for p in chart[PREGNANCIES].episodes}
    for count in counts(chart[EPISODES], exposure, calendar):
        if (count.episode, count.began) not in pregnancies:
            continue
        reached = (day for day in counted(exposure, count, calendar) if judge.at_least("exposed_days", day.days))
        if (day := next(reached, None)) is not None and day.begins < count.ended:
            shown = Evidence("low-molecular-weight heparin days", value=day.days, unit="d")
            yield Interval(max(day.begins, count.began), count.ended, episode=count.episode, evidence=(shown,))


def _asked(chart: Reader) -> Iterator[tuple[str, datetime]]:
    risks = (f.payload for f in chart[_RISKS])
    yield from ((r.factor, r.observed_at) for r in risks if isinstance(r, Risk))
    measured = (f.payload for f in chart[_MASS])
    yield from (
        ("low_body_mass_index", m.observed_at)
        for m in measured
        if isinstance(m, Measured) and m.value is not None and not m.self_reported
    )


def _items(chart: Reader, judges: dict[str, Judge]) -> Iterator[tuple[str, Intervals]]:
    yield "prior_fragility_fracture", _fragility(chart)
    for factor in _TOLD:
        yield factor, _spans(_told(chart[_RISKS], factor))
    yield "low_z_score", _spans(_low_z(chart[_DENSITY], judges["LAC-02"]))
    yield "low_body_mass_index", _spans(_latest(chart[_MASS], judges["LAC-01"].limit("body_mass_index")))
    yield "vitamin_d_deficiency", _spans(_deficient(chart[VITAMIN_D], judges["VIT-01"]))
    yield "ufh_tier", _tier(chart)
    yield "lmwh_days", tuple(_long_lmwh(chart, judges["HEP-06"]))
    yield "glucocorticoid", chart[_SEC_04]
    yield "long_lactation", chart[CONTINUOUS_LACTATION]


_READS: Final[tuple[Name[Any], ...]] = (
    _RISKS, _MASS, _DENSITY, VITAMIN_D, FRACTURES, _HEP_02, _SPN_02, _HIP_02, _SEC_04, _LMWH, EPISODES, PREGNANCIES,
    CONTINUOUS_LACTATION,
)  # fmt: skip


def definitions(pack: RulePack, _tables: Tables) -> Iterable[Definition[Any]]:
    """The items by the limits of the rules that state them."""
    judges = {rule: Judge(pack.rules[rule]) for rule in ("LAC-01", "LAC-02", "VIT-01", "HEP-06")}

    def items(chart: Reader) -> RiskItems:
        held_items = tuple((name, found) for name, found in _items(chart, judges) if found)
        asked: dict[str, datetime] = {}
        for name, at in _asked(chart):
            asked[name] = min(at, asked.get(name, at))
        return RiskItems(held_items, tuple(sorted(asked.items())))

    return (define(RISK_ITEMS, *_READS)(items),)
