"""The hip: pain that limits weight-bearing, and fracture of the femoral neck.

Source: docs/intervals.md HIP-01 and HIP-02.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded
from alerting.rules.alert_runs import alert_runs, day_of_window, days_after_delivery, finding_runs
from alerting.rules.coded import CODED, Coded
from alerting.rules.fractures import FRACTURES
from alerting.rules.injuries import SYMPTOMS, Injuries, injury_stated
from alerting.rules.reports import Report, Settled, reports
from alerting.rules.spine_fractures import of_bones, told
from alerting.rules.studies import HIP, MRI, Instants, earliest, studies
from schemas.days import FOREVER
from schemas.definitions import Reader
from schemas.facts import Study
from schemas.intervals import Interval, Intervals, Sign
from schemas.views import ANSWERS, PREGNANCIES, Pregnancy, winners

HIP_PAIN = winners("symptom/hip")
_IMAGING = winners("imaging")
_NECK = frozenset({"femoral_neck_fracture"})
_LIMITED = frozenset({"limited", "unable"})


def limited(report: Report) -> bool:
    """Weight-bearing is limited or impossible."""
    return report.said.weight_bearing in _LIMITED


def over(score: Decimal, report: Report) -> bool:
    """Slight pain at most, bearing fully."""
    said = report.said
    return said.score is not None and said.score <= score and said.weight_bearing == "full"


def worse(score: Decimal, report: Report) -> bool:
    """More than slight pain, or not bearing fully; what is not stated is not worse."""
    said = report.said
    return (said.score is not None and said.score > score) or limited(report)


def settled(judge: Judge, found: tuple[Report, ...]) -> Settled:
    """When hip pain was over: two reports, with the limits of a rule."""
    score = judge.limit("resolved_score")
    return Settled(found, lambda r: over(score, r), lambda r: worse(score, r), judge.days("resolved_days"))


def hip_sign(report: Report, *, extra: tuple[tuple[str, str | int], ...] = ()) -> Sign:
    """A report as a sign: `Groin pain 6/10, weight-bearing limited`."""
    words = report.words[0].upper() + report.words[1:]
    if limited(report):
        words += f", weight-bearing {report.said.weight_bearing}"
    if report.said.gait == "antalgic":
        words += ", antalgic gait"
    return Sign(report.at, (report.evidence,), (("sign", words), ("day", report.day.isoformat()), *extra))


# ---- HIP-01


def _painful(judge: Judge, report: Report) -> bool:
    """The pain is strong, or limits walking or bearing weight."""
    said = report.said
    strong = judge.at_least("pain_score", said.score)
    hindered = judge.condition("weight-bearing limited or gait antalgic", limited(report) or said.gait == "antalgic")
    return strong or hindered


def _girdle(report: Report, found: Sequence[Coded]) -> bool:
    """Pelvic girdle pain is coded by then and the hip is normal on examination."""
    said = report.said
    normal = said.gait == "normal" and said.weight_bearing == "full"
    return normal and any(c.at <= report.at and (c.abated_at is None or report.at < c.abated_at) for c in found)


def _hip_01_signs(chart: Reader, judge: Judge, p: Pregnancy, found: tuple[Report, ...]) -> Iterator[Sign]:
    girdle = tuple(coded.of(chart[CODED], "pelvic_girdle_pain"))
    for report in found:
        judge.looks_at(report.day)
        if not p.holds(report.at) or not day_of_window(judge, p, report.day, "window_from"):
            continue
        timely = judge.at_most("window_after_delivery", days_after_delivery(p, report.day))
        unhurt = judge.condition("no injury in the report", report.said.injury in (None, "none"))
        if not timely or not unhurt or not _painful(judge, report):
            continue
        if judge.condition("not pelvic girdle pain with a normal hip", not _girdle(report, girdle)):
            yield hip_sign(report)


def _hip_01(chart: Reader, judge: Judge) -> Intervals:
    episodes = chart[PREGNANCIES].episodes
    if not episodes:
        judge.out_of_scope("not in a pregnancy episode")
    found = reports(chart[HIP_PAIN], chart.calendar)
    if not found:
        judge.condition("hip or groin pain reported", met=False)
        return ()
    resolved = settled(judge, found)
    cleared = Instants(
        s.at
        for s in studies(chart[_IMAGING], HIP, MRI)
        if s.shows("normal", "no_fracture") and not s.shows("marrow_edema")
    )

    def ends(run: Sequence[Sign]) -> datetime | None:
        report = resolved.after(run[-1].at)
        return earliest(report.at if report else None, cleared.first_after(run[-1].at))

    return tuple(
        i for p in episodes for i in finding_runs(_hip_01_signs(chart, judge, p, found), ends, p.episode, p.ended)
    )


def _asks_hip_01(chart: Reader, _judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [r for r in reports(chart[HIP_PAIN], chart.calendar) if interval.began <= r.at <= now]
    if not any(interval.began <= s.at <= now for s in studies(chart[_IMAGING], HIP, MRI)):
        yield "hip MRI not done"
    if any(r.said.weight_bearing is None for r in known):
        yield "weight-bearing not stated in a report"
    if any(r.said.side is None for r in known):
        yield "side not stated in a report"
    if any(r.said.score is None for r in known):
        yield "pain score missing in a report"


# ---- HIP-02


def _candidates(chart: Reader) -> Iterator[Sign]:
    """Fractures of the femoral neck, and reports of being unable to bear weight."""
    for fracture in of_bones(chart, _NECK, HIP):
        if not fracture.old:
            day = chart.calendar.day(fracture.at).isoformat()
            yield Sign(fracture.at, (fracture.evidence,), (("sign", told(fracture)), ("day", day)))
    for report in reports(chart[HIP_PAIN], chart.calendar):
        if report.said.weight_bearing == "unable":
            yield hip_sign(report)


def _hip_02_signs(
    chart: Reader, judge: Judge, p: Pregnancy, found: Sequence[Sign], injuries: Injuries
) -> Iterator[Sign]:
    most = judge.days("injury_days")
    for sign in found:
        day = chart.calendar.day(sign.at)
        judge.looks_at(day)
        if not p.holds(sign.at) or not day_of_window(judge, p, day, "window_from"):
            continue
        timely = judge.at_most("window_after_delivery", days_after_delivery(p, day))
        hurt = injuries.explain(sign.at, most)
        if judge.condition(f"no major injury reported 0-{most} d before", not hurt) and timely:
            yield sign


def _hip_02(chart: Reader, judge: Judge) -> Intervals:
    episodes = chart[PREGNANCIES].episodes
    if not episodes:
        judge.out_of_scope("not in a pregnancy episode")
    found = tuple(_candidates(chart))
    if not judge.condition("a femoral neck fracture, or unable to bear weight", bool(found)):
        return ()
    injuries, imaged = Injuries(chart), Instants(s.at for s in studies(chart[_IMAGING], HIP))
    answers = chart[ANSWERS]
    made: list[Interval] = []
    for p in episodes:

        def closes(run: Sequence[Sign], p: Pregnancy = p) -> datetime:
            began = run[0].at
            planned = answers.closing("HIP-02", p.episode, began, frozenset({"plan"}))
            trauma = answers.closing("HIP-02", p.episode, began, frozenset({"override"}), frozenset({"trauma"}))
            return min(max(planned, imaged.first_from(began) or FOREVER), trauma)

        made += alert_runs(_hip_02_signs(chart, judge, p, found, injuries), closes, p.episode, p.ended)
    return tuple(made)


def _asks_hip_02(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    if not any(interval.began <= s.at <= now for s in studies(chart[_IMAGING], HIP)):
        yield "hip not imaged"
    if not any(_sided(chart, e.source, e.record_id) for e in interval.evidence):
        yield "side not stated"
    if not injury_stated(chart, interval.began, judge.days("injury_days"), now):
        yield "injury unknown"


def _sided(chart: Reader, source: str, record: str) -> bool:
    """The record of a sign names a side."""
    facts = (*chart[HIP_PAIN], *(c.fact for c in chart[CODED]), *chart[_IMAGING])
    for fact in facts:
        if fact.key != (source, record):
            continue
        if isinstance(fact.payload, Study):
            return any(f.side for f in fact.payload.findings if f.finding == "femoral_neck_fracture")
        return getattr(fact.payload, "side", None) is not None
    return False


RULES = (
    Rule("HIP-01", (HIP_PAIN, PREGNANCIES, CODED, _IMAGING), _hip_01, _asks_hip_01),
    Rule("HIP-02", (HIP_PAIN, *SYMPTOMS, PREGNANCIES, FRACTURES, _IMAGING, ANSWERS), _hip_02, _asks_hip_02, (CODED,)),
)
