"""Back pain in the months in which osteoporosis of pregnancy shows itself.

Source: docs/intervals.md SPN-01; Qian 2021 BMC Musculoskelet Disord 22:926.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from heapq import merge
from itertools import accumulate, islice

from alerting.judge import Judge
from alerting.rule import Rule
from alerting.rules import coded
from alerting.rules.alert_runs import day_of_window, days_after_delivery, finding_runs
from alerting.rules.coded import CODED
from alerting.rules.counting import counts, exposed_days
from alerting.rules.heights import HEIGHT_LOSSES, HEIGHTS, measured
from alerting.rules.reports import Report, Settled, lasting, reports
from alerting.rules.risk_score import RISK_ITEMS
from alerting.rules.studies import MRI, SPINE, Instants, earliest, studies
from schemas.definitions import Reader
from schemas.facts import ProcedureDone
from schemas.intervals import Interval, Intervals, Sign
from schemas.views import EPISODES, PREGNANCIES, Pregnancy, ledger, winners

BACK = winners("symptom/back")
_UFH, _LMWH = ledger("heparin_ufh"), ledger("lmwh")
_IMAGING, _PROCEDURES = winners("imaging"), winners("procedure")


class _Gates:
    """What makes lasting moderate pain a sign: a risk item, heparin for long, or measured height loss."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.items = chart[RISK_ITEMS]
        self.losses = tuple(loss.interval for loss in chart[HEIGHT_LOSSES])
        self.heparin = _long_heparin(chart, judge.days("heparin_days"))

    def first_from(self, p: Pregnancy, at: datetime) -> datetime | None:
        """The first instant from one on at which a gate is open in an episode."""
        heparin = self.heparin.get(p.episode)
        losses = [max(i.began, at) for i in self.losses if i.episode == p.episode and i.ended > at]
        return earliest(self.items.first_from(at), max(heparin, at) if heparin else None, *losses)


def _long_heparin(chart: Reader, number: int) -> dict[str, datetime]:
    """By episode, the beginning of the day that is the n-th exposed to any heparin."""
    days: dict[str, list[Iterable[tuple[date, datetime]]]] = {}
    for name in (_UFH, _LMWH):
        for count in counts(chart[EPISODES], chart[name], chart.calendar):
            exposed = islice(exposed_days(chart[name], count.first, count.until), number)
            begins = ((day, s.begins if day == s.first else chart.calendar.midnight(day)) for day, _, s in exposed)
            days.setdefault(count.episode, []).append(begins)
    reached: dict[str, datetime] = {}
    for episode, found in days.items():
        distinct: dict[date, datetime] = {}
        for day, begins_at in merge(*found):
            distinct.setdefault(day, begins_at)
        if len(distinct) >= number:
            reached[episode] = list(distinct.values())[number - 1]
    return reached


class _Window:
    """Whether a report counts where it is dated."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.judge = judge
        self.pregnancies = chart[PREGNANCIES]
        self.calendar = chart.calendar
        done = (f.payload for f in chart[_PROCEDURES])
        self.neuraxial = sorted(
            {
                chart.calendar.day(d.performed_at)
                for d in done
                if isinstance(d, ProcedureDone) and d.procedure == "neuraxial_anaesthesia" and d.status == "completed"
            }
        )

    def contains(self, p: Pregnancy, at: datetime) -> bool:
        """The instant is in the window of the pregnancy."""
        day = self.calendar.day(at)
        if not p.holds(at) or not day_of_window(self.judge, p, day, "window_from"):
            return False
        after = days_after_delivery(p, day)
        return self.judge.at_most("window_after_delivery", after) or (
            self.judge.condition("lactating on that day", self.pregnancies.fed(day))
            & self.judge.at_most("window_lactating", after)
        )

    def numbed(self, day: date) -> bool:
        """The day follows neuraxial anaesthesia too soon."""
        most = self.judge.days("neuraxial_days")
        recent = any(0 <= (day - done).days <= most for done in self.neuraxial)
        return not self.judge.condition(f"no neuraxial anaesthesia up to {most} d before", not recent)


def _strong(judge: Judge, report: Report) -> bool:
    """Severe pain, or sudden pain after a minor injury that is not known to be slight."""
    said = report.said
    if judge.at_least("severe_score", said.score):
        return True
    slight = said.score is not None and said.score < judge.limit("moderate_score")
    return judge.condition("sudden after a minor injury", said.sudden is True and said.injury == "minor" and not slight)


def lasting_pain(judge: Judge, found: Iterable[Report]) -> Iterator[tuple[Report, Report]]:
    """Pairs of reports that say that moderate pain lasts."""
    slight = judge.limit("moderate_score")
    yield from lasting(
        found,
        lambda r: judge.at_least("moderate_score", r.said.score),
        lambda r: r.said.score is not None and r.said.score < slight,
        judge.days("lasting_days"),
    )


def _sign(report: Report, at: datetime, *, since: Report | None = None) -> Sign:
    words = f"{report.words[0].upper()}{report.words[1:]}"
    if report.said.sudden:
        words = f"Sudden {report.words}"
    if since is not None:
        words = f"{words}, lasting since {since.day.isoformat()}"
    evidence = (report.evidence,) if since is None else (since.evidence, report.evidence)
    return Sign(at, evidence, (("sign", words), ("day", report.day.isoformat())))


def _reported(sign: Sign) -> datetime:
    """When the pain of a sign was reported: a gate may have opened later."""
    return max((e.begins for e in sign.evidence if e.begins is not None), default=sign.at)


class _BackPain:
    """SPN-01 on one chart."""

    def __init__(self, chart: Reader, judge: Judge) -> None:
        self.judge = judge
        self.calendar = chart.calendar
        self.found = reports(chart[BACK], chart.calendar)
        self.window = _Window(chart, judge)
        self.gates = _Gates(chart, judge)
        self.sciatica = [c.at for c in coded.of(chart[CODED], "sciatica")]
        over = judge.limit("resolved_score")
        self.settled = Settled(
            self.found,
            lambda r: r.said.score is not None and r.said.score <= over,
            lambda r: r.said.score is not None and r.said.score > over,
            judge.days("resolved_days"),
        )
        self.cleared = Instants(s.at for s in studies(chart[_IMAGING], SPINE, MRI) if not s.fractured)

    def of(self, p: Pregnancy) -> Intervals:
        """The findings of one pregnancy."""
        signs = sorted((*self.strong(p), *self.gated(p)), key=lambda s: s.at)
        reported = dict(zip((s.at for s in signs), accumulate((_reported(s) for s in signs), max), strict=True))
        return finding_runs(signs, lambda run: self.over(reported[run[-1].at]), p.episode, p.ended)

    def strong(self, p: Pregnancy) -> Iterator[Sign]:
        """Reports that are a sign by themselves."""
        for report in self.found:
            self.judge.looks_at(report.day)
            strong = self.window.contains(p, report.at) and _strong(self.judge, report)
            if strong and not self.window.numbed(report.day):
                yield _sign(report, report.at)

    def gated(self, p: Pregnancy) -> Iterator[Sign]:
        """Lasting moderate pain, from the instant at which a gate is open."""
        known = self.judge.condition(
            "no sciatica coded before the pregnancy", not any(at < p.began for at in self.sciatica)
        )
        for first, report in lasting_pain(self.judge, self.found) if known else ():
            self.judge.looks_at(report.day)
            if not self.window.contains(p, report.at) or self.window.numbed(report.day):
                continue
            at = self.gates.first_from(p, report.at)
            if not self.judge.condition("a risk item, long heparin or height loss", at is not None) or at is None:
                continue
            over = self.over(report.at)
            if self.window.contains(p, at) and (at == report.at or over is None or over > at):
                yield _sign(report, at, since=first)

    def over(self, at: datetime) -> datetime | None:
        """When pain last reported at an instant was over, or explained by an MRI."""
        resolved = self.settled.after(at)
        return earliest(resolved.at if resolved else None, self.cleared.first_after(at))


def _spn_01(chart: Reader, judge: Judge) -> Intervals:
    episodes = chart[PREGNANCIES].episodes
    if not episodes:
        judge.out_of_scope("not in a pregnancy episode")
        return ()
    if not chart[BACK]:
        judge.condition("back pain reported", met=False)
        return ()
    rule = _BackPain(chart, judge)
    return tuple(i for p in episodes for i in rule.of(p))


def _asks(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    known = [r for r in reports(chart[BACK], chart.calendar) if interval.began <= r.at <= now]
    if any(r.said.score is None for r in known):
        yield "pain score missing in a report"
    if any(r.said.sudden is None or r.said.injury is None for r in known):
        yield "sudden onset or injury not stated in a report"
    last = max((e.begins for e in interval.evidence if e.begins and e.begins <= now), default=interval.began)
    if not any(last <= s.at <= now for s in studies(chart[_IMAGING], SPINE)):
        yield "no spine imaging since the sign"
    if not any(interval.began <= h.at <= now for h in measured(chart)):
        yield "height not measured since the sign"
    yield from _asks_feeding(chart, judge, interval, now)


def _asks_feeding(chart: Reader, judge: Judge, interval: Interval, now: datetime) -> Iterator[str]:
    p = chart[PREGNANCIES].at(interval.began)
    today = chart.calendar.day(now)
    late = p is not None and days_after_delivery(p, today) > judge.days("window_after_delivery")
    if late and chart[PREGNANCIES].feeding(today) == "unknown":
        yield f"feeding unknown after {judge.days('window_after_delivery')} d from delivery"


_READS = (
    BACK, PREGNANCIES, EPISODES, RISK_ITEMS, HEIGHT_LOSSES, CODED, _UFH, _LMWH, _IMAGING, _PROCEDURES,
)  # fmt: skip

RULES = (Rule("SPN-01", _READS, _spn_01, _asks, (HEIGHTS,)),)
