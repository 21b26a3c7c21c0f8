"""HEP-01 to HEP-06: long heparin treatment."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .clinic import Clinic, Finding, Image, Report, holding
from .days import first_after
from .facts import FOREVER
from .heparin import Day, Episode, Heparin
from .risk import risk_items, with_items
from .rules_spine import height_losses

Reached = Callable[[Heparin, list[date], int], bool]


def _first_tier(heparin: Heparin, days: list[date], place: int) -> bool:
    return place >= 27 and (heparin.mean(days, place) or 0) >= 5_000


def _second_tier(heparin: Heparin, days: list[date], place: int) -> bool:
    if place < 48:
        return False
    return max(heparin.mean(days, place) or 0, heparin.mean(days, place, 28) or 0) >= 15_000


def _third_tier(heparin: Heparin, days: list[date], place: int) -> bool:
    return place >= 83 and (heparin.mean(days, place) or 0) >= 10_000


def _fourth_tier(heparin: Heparin, days: list[date], place: int) -> bool:
    mean = (heparin.mean(days, place) or 0) if place >= 118 else 0
    return mean >= 20_000 or (place >= 179 and mean >= 15_000)


def hep_01(clinic: Clinic) -> list[Finding]:
    return _tier(clinic, _first_tier, 90, "advisory", once=True)


def hep_02(clinic: Clinic) -> list[Finding]:
    return _tier(clinic, _second_tier, 180, "warning")


def hep_03(clinic: Clinic) -> list[Finding]:
    return _tier(clinic, _third_tier, 180, "warning")


def hep_04(clinic: Clinic) -> list[Finding]:
    return [_lowered(clinic, f) for f in _tier(clinic, _fourth_tier, 180, "critical")]


def _tier(clinic: Clinic, reached: Reached, recent: int, severity: str, *, once: bool = False) -> list[Finding]:
    findings: list[Finding] = []
    for episode in clinic.episodes:
        for began, last in _runs(clinic, episode, reached, recent, once=once):
            start = max(began, episode.start) if episode.follows else began
            end = clinic.calendar.midnight(last + timedelta(days=recent))
            end = min(end, _latest_end(clinic, episode, end))
            before_lmp = episode.kind == "pregnancy" and start < episode.start
            running = any(f.began < start < f.ended and f.episode is not episode for f in findings)
            if start < end and not before_lmp and not running:
                findings.append(holding(episode, start, end, severity))
    return findings


def _latest_end(clinic: Clinic, episode: Episode, end: datetime) -> datetime:
    """The end of the episode; a finding of heparin before a pregnancy runs on into it."""
    if episode.kind == "pregnancy":
        return episode.end
    entered = [e.end for e in clinic.episodes if e.kind == "pregnancy" and episode.start < e.start < end]
    return min(entered, default=FOREVER)


def _runs(
    clinic: Clinic, episode: Episode, reached: Reached, recent: int, *, once: bool
) -> list[tuple[datetime, date]]:
    """The begin and the last exposed day of each run of a tier in one episode."""
    ledger, days = clinic.heparin.ufh, episode.counted["ufh"]
    runs: list[tuple[datetime, date]] = []
    over: date | None = None
    for i, day in enumerate(days):
        if over is not None and day < over:
            continue
        if not reached(clinic.heparin, days, i) or _taken_by_heparin(clinic, episode, day):
            continue
        last = _last_day(ledger, day, recent)
        runs.append((ledger[day].begins, last))
        over = last + timedelta(days=recent)
        if once:
            break
    return runs


def _taken_by_heparin(clinic: Clinic, episode: Episode, day: date) -> bool:
    """Whether a day of a pregnancy episode lies before its LMP: the heparin episode has that finding."""
    return episode.kind == "pregnancy" and clinic.calendar.midnight(day) < episode.start


def _last_day(ledger: dict[date, Day], first: date, recent: int) -> date:
    last = first
    for day in sorted(ledger):
        if last < day < last + timedelta(days=recent):
            last = day
    return last


def _lowered(clinic: Clinic, finding: Finding) -> Finding:
    """HEP-04 is advisory from 90 days after the last dose, critical again with a new one."""
    steps = [(finding.began, "critical")]
    last = clinic.calendar.day(finding.began)
    for day in sorted(clinic.heparin.ufh):
        if day <= last or clinic.calendar.midnight(day) >= finding.ended:
            continue
        quiet = clinic.calendar.midnight(last + timedelta(days=90))
        begins = clinic.heparin.ufh[day].begins
        if quiet < begins:
            steps += [(quiet, "advisory"), (begins, "critical")]
        last = day
    steps.append((clinic.calendar.midnight(last + timedelta(days=90)), "advisory"))
    return Finding(finding.episode, finding.began, finding.ended, tuple(steps))


@dataclass(frozen=True)
class Sign:
    """A sign of a fracture under heparin."""

    when: datetime
    pain: bool
    fracture: bool
    unfractionated: bool


def hep_05(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode in clinic.episodes:
        signs = [s for s in _signs(clinic, episode) if s is not None]
        findings += _intervals(clinic, episode, sorted(signs, key=lambda s: (s.when, s.pain)))
    return findings


def _signs(clinic: Clinic, episode: Episode) -> list[Sign | None]:
    found = [_sign(clinic, episode, when, pain=True) for when in painful(clinic)]
    found += [_sign(clinic, episode, when, pain=False) for when in _losses(clinic, episode)]
    found += [_sign(clinic, episode, when, pain=False, fracture=True) for when in fractures(clinic)]
    return found


def painful(clinic: Clinic) -> list[datetime]:
    """Reports of 7/10, or the second of 4/10 a week apart, not on a day of labour, delivery or surgery."""
    day = clinic.calendar.day
    busy = {day(w) for w in clinic.procedures("labour", "delivery", "surgery", "sterilisation", "hysterectomy")}
    busy |= {p.ended_on for p in clinic.pregnancies if p.ended_on is not None and not p.lost}
    reports = [r for r in clinic.back_pain if day(r.when) not in busy]
    return [r.when for r in reports if r.scores(7) or second_of_two(clinic, r, reports)]


def second_of_two(clinic: Clinic, report: Report, reports: list[Report]) -> bool:
    """A report of 4/10 at least 7 days after another, with none below 4 between."""
    if not report.scores(4):
        return False
    for former in reports:
        if former.scores(4) and former.when < report.when and clinic.calendar.apart(former.when, report.when) >= 7:
            between = [r for r in clinic.back_pain if former.when < r.when < report.when]
            if not any(r.below(4) for r in between):
                return True
    return False


def _losses(clinic: Clinic, episode: Episode) -> list[datetime]:
    if episode.pregnancy is not None:
        return [when for when, _ in height_losses(clinic, episode)]
    days = sorted({*episode.counted["ufh"], *episode.counted["lmwh"]})
    return [when for when, _ in height_losses(clinic, episode, clinic.calendar.midnight(days[0]))]


def fractures(clinic: Clinic) -> list[datetime]:
    """Vertebral fractures, imaged or coded, not old ones."""
    seen = [i.when for i in clinic.images if i.found("vertebral_fracture")]
    return sorted(seen + [d.when for d in clinic.new_fractures("vertebral_fracture")])


def _sign(clinic: Clinic, episode: Episode, when: datetime, *, pain: bool, fracture: bool = False) -> Sign | None:
    if not episode.within(when):
        return None
    ufh = _exposed(clinic, episode, "ufh", when) >= 28
    lmwh = episode.kind == "pregnancy" and _exposed(clinic, episode, "lmwh", when) >= 60
    return Sign(when, pain, fracture, ufh) if ufh or lmwh else None


def _exposed(clinic: Clinic, episode: Episode, drug_class: str, when: datetime) -> int:
    """Days counted on the day of a sign; none where the last dose is more than 183 days back."""
    day = clinic.calendar.day(when)
    counted = set(episode.counted[drug_class])
    if episode.kind == "pregnancy":
        for other in clinic.episodes:
            if other.kind == "heparin" and other.start < episode.start:
                counted |= set(other.counted[drug_class])
    until = [d for d in counted if d <= day]
    return len(until) if until and (day - max(until)).days <= 183 else 0


def _intervals(clinic: Clinic, episode: Episode, signs: list[Sign]) -> list[Finding]:
    findings: list[Finding] = []
    worked_up = False
    while signs:
        began = signs[0].when
        held = [signs[0]]
        end, worked = _end(clinic, episode, held, worked_up=worked_up)
        for sign in signs[1:]:
            if sign.when < end:
                held.append(sign)
                end, worked = _end(clinic, episode, held, worked_up=worked_up)
        findings.append(Finding(episode, began, end, _severities(held)))
        worked_up = worked_up or worked
        signs = [s for s in signs if s.when >= end and s.when > began]
    return findings


def _severities(signs: list[Sign]) -> tuple[tuple[datetime, str], ...]:
    grave = [s.when for s in signs if s.unfractionated or not s.pain]
    if grave and min(grave) == signs[0].when:
        return ((signs[0].when, "critical"),)
    rest = ((min(grave), "critical"),) if grave else ()
    return ((signs[0].when, "warning"), *rest)


def clears(image: Image) -> bool:
    """A spine MRI that found no new vertebral fracture."""
    return not image.found("vertebral_fracture")


def _end(clinic: Clinic, episode: Episode, signs: list[Sign], *, worked_up: bool) -> tuple[datetime, bool]:
    began, last = signs[0].when, signs[-1].when
    cleared = first_after((i.when for i in clinic.spine_images("MRI") if clears(i)), last)
    own = [f for f in fractures(clinic) if began <= f < min(cleared, episode.end)]
    if not own and not worked_up:
        own = [f for f in fractures(clinic) if f < began and episode.within(f)][-1:]
    done = FOREVER
    for fracture in own:
        if fracture < done:
            done = max(clinic.workup_complete(own[0]), clinic.calendar.after(fracture, 14), began)
    end = min(cleared, done, episode.end)
    return end, done == end


def hep_06(clinic: Clinic) -> list[Finding]:
    findings = []
    ledger = clinic.heparin.lmwh
    for episode, _ in clinic.pregnancy_episodes:
        days = episode.counted["lmwh"]
        over: date | None = None
        for i, day in enumerate(days):
            began = max(ledger[day].begins, episode.start)
            if i < 89 or (over is not None and day < over):
                continue
            last = _last_day(ledger, day, 90)
            over = last + timedelta(days=90)
            ended = min(clinic.calendar.midnight(over), episode.end)
            finding = Finding(episode, began, ended, ())
            findings.append(with_items(finding, risk_items(clinic, episode, without=("HEP-02", "LMWH"))))
    return findings
