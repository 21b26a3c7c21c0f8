"""Fragility fractures of the spine, pelvic ring and ribs, and a new pregnancy after one.

Source: docs/intervals.md SPN-02 and SPN-06; Kyvernitakis 2018 Osteoporos Int 29:135.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded
from alerting.rules.alert_runs import alert_runs, days_after_delivery
from alerting.rules.coded import CODED, Coded
from alerting.rules.fractures import FRACTURES, Fracture
from alerting.rules.injuries import SYMPTOMS, Injuries, injury_stated
from alerting.rules.studies import words
from alerting.rules.work_up import WORK_UP
from schemas.definitions import Reader, finding
from schemas.facts import Diagnosis, Risk, Study
from schemas.intervals import Evidence, Interval, Intervals, Sign
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

_REGIONS: Final = frozenset({"spine", "pelvis", "other"})
BONES: Final = frozenset({"vertebral_fracture", "sacral_fracture", "pelvic_fracture", "rib_fracture"})
_RISKS = winners("risk_factor")


# ---- SPN-02


def told(fracture: Fracture) -> str:
    """The fracture as the report or code has it: `Vertebral fracture T12, L1`, `Rib fracture (coded S22.3)`."""
    said = fracture.fact.payload
    if isinstance(said, Study):
        seen = next((f for f in said.findings if f.finding == fracture.bone and f.age != "old"), None)
        text = words(seen) if seen else fracture.bone.replace("_", " ")
        return text[0].upper() + text[1:]
    code = f" (coded {said.code})" if isinstance(said, Diagnosis) else ""
    return fracture.bone.replace("_", " ").capitalize() + code


def of_bones(chart: Reader, bones: frozenset[str], regions: frozenset[str]) -> tuple[Fracture, ...]:
    """The fractures of some bones, coded or seen in studies of some regions."""
    return tuple(
        f
        for f in chart[FRACTURES]
        if f.bone in bones and (not isinstance(f.fact.payload, Study) or f.fact.payload.region in regions)
    )


def _signs(chart: Reader, judge: Judge, p: Pregnancy, injuries: Injuries) -> Iterator[Sign]:
    most = judge.days("injury_days")
    for fracture in of_bones(chart, BONES, _REGIONS):
        if not p.holds(fracture.at):
            continue
        day = chart.calendar.day(fracture.at)
        judge.looks_at(day)
        recent = judge.condition("a fracture that is not called old", not fracture.old)
        if not judge.at_most("window_after_delivery", days_after_delivery(p, day)) or not recent:
            continue
        if judge.condition(f"no major injury reported 0-{most} d before", not injuries.explain(fracture.at, most)):
            details = (("fracture", told(fracture)), ("day", day.isoformat()))
            yield Sign(fracture.at, (fracture.evidence,), details)


def _spn_02(chart: Reader, judge: Judge) -> Intervals:
    episodes = chart[PREGNANCIES].episodes
    if not episodes:
        judge.out_of_scope("not in a pregnancy episode")
    if not of_bones(chart, BONES, _REGIONS):
        judge.condition("a fracture of the spine, pelvic ring or ribs", met=False)
        return ()
    injuries = Injuries(chart)
    made: list[Interval] = []
    for p in episodes:

        def closes(run: Sequence[Sign], p: Pregnancy = p) -> datetime:
            return _closed(chart, p.episode, run[0].at)

        made += alert_runs(_signs(chart, judge, p, injuries), closes, p.episode, p.ended)
    return tuple(made)


def _closed(chart: Reader, episode: str, began: datetime) -> datetime:
    """A plan and the whole work-up, or an override for trauma."""
    answers = chart[ANSWERS]
    planned = answers.closing("SPN-02", episode, began, frozenset({"plan"}))
    trauma = answers.closing("SPN-02", episode, began, frozenset({"override"}), frozenset({"trauma"}))
    return min(max(planned, chart[WORK_UP].complete(chart.calendar.day(began))), trauma)


def _asks_spn_02(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    missing = chart[WORK_UP].missing(chart.calendar.day(interval.began), now)
    yield from (f"{test} not resulted" for test in missing)
    plan = chart[ANSWERS].closing("SPN-02", interval.episode or "", interval.began, frozenset({"plan"}))
    if plan > now:
        yield "care plan not recorded"
    cited = {(e.source, e.record_id) for e in interval.evidence}
    found = [f for f in chart[FRACTURES] if f.fact.key in cited and f.bone in BONES and f.at <= now]
    if any(not _located(f) for f in found):
        yield "levels or side of a fracture not stated"
    if not injury_stated(chart, interval.began, judge.days("injury_days"), now):
        yield "injury unknown"


def _located(fracture: Fracture) -> bool:
    said = fracture.fact.payload
    if isinstance(said, Study):
        return any(f.finding == fracture.bone and (f.levels or f.side) for f in said.findings)
    return isinstance(said, Diagnosis) and said.side is not None


# ---- SPN-06

_HISTORY: Final = {
    "transient_osteoporosis_hip_in_pregnancy": "transient osteoporosis of the hip in pregnancy",
    "vertebral_fracture": "a vertebral fracture",
    "vertebral_fracture_follow_up": "a vertebral fracture",
    "osteoporosis_with_fracture_other_vertebra": "a vertebral fracture",
    "plo": "osteoporosis of pregnancy",
}


def _coded_history(found: tuple[Coded, ...], before: datetime) -> tuple[str, Evidence] | None:
    """A code dated before an instant that tells of osteoporosis of pregnancy or a vertebral fracture."""
    known = [c for c in found if c.at < before]
    for condition in known:
        for concept in condition.concepts:
            if concept in _HISTORY:
                return _HISTORY[concept], condition.evidence(_HISTORY[concept])
    paired = next(coded.of(known, "osteoporosis_other"), None)
    if paired is not None and next(coded.of(known, "puerperal_complication"), None) is not None:
        words = "osteoporosis of pregnancy"
        return words, paired.evidence(words)
    return None


def _history(chart: Reader, p: Pregnancy, booked: datetime) -> tuple[datetime, str, Evidence] | None:
    """The earliest instant from booking on at which a history is known."""
    found = _coded_history(chart[CODED], p.began)
    if found is not None:
        return booked, *found
    earlier = next((i for i in chart[_SPN_02] if i.began < p.began and i.episode != p.episode), None)
    if earlier is not None:
        words = "a fragility fracture in an earlier pregnancy"
        return booked, words, next(iter(earlier.evidence), Evidence(words, begins=earlier.began))
    return _told_history(chart, booked)


def _told_history(chart: Reader, booked: datetime) -> tuple[datetime, str, Evidence] | None:
    """The report in force at booking, if it says that it is there; else the first later one that does."""
    said = [(f, risk) for f in chart[_RISKS] if isinstance(risk := f.payload, Risk) and risk.factor == "prior_plo"]
    before = [s for s in said if s[1].observed_at <= booked]
    for fact, risk in (*before[-1:], *said[len(before) :]):
        if risk.present:
            words = "osteoporosis of pregnancy"
            evidence = Evidence(words, fact.record_id, fact.event_id, fact.source, begins=risk.observed_at)
            return max(booked, risk.observed_at), words, evidence
    return None


_SPN_02 = finding("SPN-02")


def _spn_06(chart: Reader, judge: Judge) -> Intervals:
    made: list[Interval] = []
    if not chart[PREGNANCIES].episodes:
        judge.out_of_scope("not in a pregnancy episode")
    for p in chart[PREGNANCIES].episodes:
        judge.looks_at(p.start)
        if not judge.condition("the pregnancy was booked", p.booked_at is not None) or p.booked_at is None:
            continue
        found = _history(chart, p, max(p.booked_at, p.began))
        known = "osteoporosis of pregnancy or a vertebral fracture before the pregnancy"
        if not judge.condition(known, found is not None) or found is None:
            continue
        began, history, evidence = found
        if began < p.ended:
            details = (("history", history),)
            made.append(Interval(began, p.ended, episode=p.episode, evidence=(evidence,), details=details))
    return tuple(made)


_DENSITY = winners("bone_density")


def _asks_spn_06(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [f for f in chart[FRACTURES] if f.bone == "vertebral_fracture" and f.at < interval.began]
    if not any(isinstance(f.fact.payload, Study) and _located(f) for f in known):
        yield "level and date of the earlier fracture not known"
    since = next((e.begins for e in interval.evidence if e.begins is not None), interval.began)
    if not any(since < at <= now for f in chart[_DENSITY] if (at := _performed(f.payload)) is not None):
        yield "bone density not measured since"


def _performed(payload: object) -> datetime | None:
    return getattr(payload, "performed_at", None)


RULES = (
    Rule("SPN-02", (PREGNANCIES, FRACTURES, WORK_UP, ANSWERS, *SYMPTOMS), _spn_02, _asks_spn_02),
    Rule("SPN-06", (PREGNANCIES, CODED, _RISKS, _SPN_02), _spn_06, _asks_spn_06, (FRACTURES, _DENSITY)),
)
