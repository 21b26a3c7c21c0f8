"""SPN-01 to SPN-04 and SPN-06: back pain, fractures, height."""

from datetime import datetime
from fractions import Fraction

from .clinic import FRACTURES, RING, Clinic, Finding, Report, holding, resolution
from .days import Pregnancy, first_after, merged
from .facts import FOREVER, Version, instant, number
from .heparin import Episode
from .risk import Spans, after_major_injury, risk_items

TWO_CM = Fraction(2)


def spn_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        signs = _signs(clinic, episode, pregnancy)
        spans: list[tuple[datetime, datetime]] = []
        for began, reported in signs:
            ended = min(_pain_over(clinic, reported), episode.end)
            if spans and began < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(ended, spans[-1][1] if reported < began else ended))
            else:
                spans.append((began, ended))
        findings += [holding(episode, began, ended, "warning") for began, ended in spans]
    return findings


def _signs(clinic: Clinic, episode: Episode, pregnancy: Pregnancy) -> list[tuple[datetime, datetime]]:
    """When each sign begins to count, with the time of its report."""
    gates = _gates(clinic, episode)
    signs = []
    for report in clinic.back_pain:
        if not _in_window(clinic, pregnancy, report.when) or _after_anaesthesia(clinic, report):
            continue
        if report.scores(7) or _sudden(report):
            signs.append((report.when, report.when))
        elif _pair(clinic, report) and not _sciatica(clinic, pregnancy):
            when = _gated(gates, report.when)
            resolved = when > report.when and _pain_over(clinic, report.when) <= when
            if when < FOREVER and _in_window(clinic, pregnancy, when) and not resolved:
                signs.append((when, report.when))
    return sorted(signs)


def _in_window(clinic: Clinic, pregnancy: Pregnancy, when: datetime) -> bool:
    later = 365 if pregnancy.lactating(clinic.calendar.day(when)) else 92
    return pregnancy.dated_within(when, 196, later)


def _after_anaesthesia(clinic: Clinic, report: Report) -> bool:
    return any(0 <= clinic.calendar.apart(w, report.when) <= 3 for w in clinic.procedures("neuraxial"))


def _sudden(report: Report) -> bool:
    minor = report.version.get("injury") == "minor"
    return bool(report.version.get("sudden")) and minor and not report.below(4)


def _pair(clinic: Clinic, report: Report) -> bool:
    """4/10 or more, at least 7 days after another, none below 4 between."""
    if not report.scores(4):
        return False
    earlier = [r for r in clinic.back_pain if r.when < report.when]
    while earlier and not earlier[-1].below(4):
        former = earlier.pop()
        if former.scores(4) and clinic.calendar.apart(former.when, report.when) >= 7:
            return True
    return False


def _sciatica(clinic: Clinic, pregnancy: Pregnancy) -> bool:
    return any(d.when < pregnancy.start for d in clinic.coded("sciatica"))


def _gates(clinic: Clinic, episode: Episode) -> Spans:
    spans = risk_items(clinic, episode)
    counted = sorted({*episode.counted["ufh"], *episode.counted["lmwh"]})
    if len(counted) >= 28:
        days = [d for d in (clinic.heparin.ufh.get(counted[27]), clinic.heparin.lmwh.get(counted[27])) if d]
        spans = [*spans, (min(d.begins for d in days), FOREVER)]
    return merged([*spans, *height_losses(clinic, episode)])


def _gated(gates: Spans, when: datetime) -> datetime:
    return min((max(began, when) for began, ended in gates if ended > when), default=FOREVER)


def _pain_over(clinic: Clinic, last: datetime) -> datetime:
    cleared = first_after((i.when for i in clinic.spine_images("MRI") if not i.found(*FRACTURES)), last)
    return min(cleared, resolution(clinic.back_pain, clinic.calendar, last, bearing=False))


def ring_fractures(clinic: Clinic) -> list[tuple[Episode, datetime]]:
    """Vertebral, sacral, pelvic and rib fractures that SPN-02 reads, with their episode."""
    found = [i.when for i in clinic.images if i.region in {"spine", "pelvis", "other"} and i.found(*RING)]
    found += [d.when for d in clinic.new_fractures("vertebral_fracture", "ring_fracture")]
    return [
        (episode, when)
        for when in sorted(set(found))
        for episode, pregnancy in clinic.pregnancy_episodes
        if pregnancy.dated_within(when, 0, 365) and not after_major_injury(clinic, when)
    ]


def spn_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        own = [when for e, when in ring_fractures(clinic) if e is episode]
        findings += [holding(episode, when, episode.end, "critical") for when in own[:1]]
    return findings


def _centimetres(version: Version) -> Fraction:
    factor = {"[in_i]": Fraction("2.54"), "m": Fraction(100)}.get(version.get("unit"), Fraction(1))
    return number(version.get("value")) * factor


def _heights(clinic: Clinic) -> list[tuple[datetime, Version]]:
    """Measured heights, the last of each day."""
    measured = [
        (instant(v.get("observed_at")), v)
        for _, v in clinic.chart.facts("measurement")
        if v.get("measure") == "body_height" and not v.get("self_reported")
    ]
    by_day = {clinic.calendar.day(w): (w, v) for w, v in sorted(measured, key=lambda m: (m[0], m[1].order))}
    return [by_day[day] for day in sorted(by_day)]


def height_losses(
    clinic: Clinic, episode: Episode, baseline_before: datetime | None = None
) -> list[tuple[datetime, datetime]]:
    """When a loss of 2 cm is there: from each low height until a height that is not low."""
    start = baseline_before or episode.start
    before = [(w, v) for w, v in _heights(clinic) if w < start]
    if not before:
        return []
    baseline = before[-1][1]
    spans: list[tuple[datetime, datetime]] = []
    doubtful = False
    for when, version in _heights(clinic):
        if when < start:
            continue
        if _centimetres(baseline) - _centimetres(version) < TWO_CM:
            spans = [(a, min(b, when)) for a, b in spans]
            doubtful = False
            continue
        in_scope = episode.pregnancy is None or episode.pregnancy.dated_within(when, 0, 365)
        if in_scope and episode.within(when):
            if doubtful or not _other_device(baseline, version):
                spans.append((when, FOREVER))
            doubtful = True
    return spans


def _other_device(baseline: Version, version: Version) -> bool:
    mine, theirs = version.get("device"), baseline.get("device")
    return mine is not None and theirs is not None and mine != theirs


def spn_03(clinic: Clinic) -> list[Finding]:
    findings = []
    images = [i.when for i in clinic.spine_images("MRI", "XR", "CT")]
    for episode, _ in clinic.pregnancy_episodes:
        over = episode.start
        for began, normal in height_losses(clinic, episode):
            if began >= over:
                over = min(normal, first_after(images, began, including=True), episode.end)
                findings.append(holding(episode, began, over, "warning"))
    return findings


def spn_04(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, _ in clinic.pregnancy_episodes:
        either = [f for rule in ("SPN-01", "SPN-03") for f in clinic.findings(rule) if f.episode is episode]
        covered = merged((f.began, f.ended) for f in either)
        spans = []
        for finding in either:
            resulted = _resulted(clinic, finding.began)
            began = _gap_begins(clinic, finding.began)
            if began < finding.ended and began < resulted:
                ended = next(ended for start, ended in covered if start <= began < ended)
                spans.append((began, min(ended, resulted, episode.end)))
        findings += [holding(episode, began, ended, "warning") for began, ended in merged(spans)]
    return findings


def _resulted(clinic: Clinic, began: datetime) -> datetime:
    """When the first final report of a spine MRI or radiograph of that day or later was recorded."""
    finals = [FOREVER]
    for image in clinic.spine_images("MRI", "XR"):
        final = image.record.first_final()
        if clinic.calendar.apart(began, image.when) >= 0 and final is not None:
            finals.append(final)
    return min(finals)


def _gap_begins(clinic: Clinic, began: datetime) -> datetime:
    """14 days on; after an appointment that is within the next 7 days."""
    due = clinic.calendar.after(began, 14)
    while booked := _booked(clinic, due):
        due = clinic.calendar.after(booked, 1)
    return due


def _booked(clinic: Clinic, by: datetime) -> datetime | None:
    planned = []
    for record in clinic.chart.records:
        versions = [v for v in record.versions if v.recorded <= by]
        if not versions or versions[-1].event["kind"] != "imaging" or versions[-1].status != "booked":
            continue
        last = versions[-1]
        if last.get("region") != "spine" or last.get("modality") not in {"MRI", "XR"}:
            continue
        scheduled = last.at("scheduled_for")
        if scheduled is not None and 0 <= clinic.calendar.apart(by, scheduled) <= 7:
            planned.append(scheduled)
    return max(planned, default=None)


def spn_06(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        booking = _booking(pregnancy)
        if booking is None:
            continue
        began = booking if _earlier_plo(clinic, episode) else _prior_plo(clinic, booking)
        if episode.within(began):
            findings.append(holding(episode, began, episode.end, "advisory"))
    return findings


def _booking(pregnancy: Pregnancy) -> datetime | None:
    """When the pregnancy was first said."""
    said = [v for r in pregnancy.records for v in r.live if v.get("status") == "pregnant"]
    if not said:
        return None
    first = min(said, key=lambda v: v.order)
    return first.at("observed_at") or first.recorded


def _earlier_plo(clinic: Clinic, episode: Episode) -> bool:
    coded = [d.when for d in clinic.coded("plo", "vertebral_fracture")]
    other, puerperal = clinic.coded("m81.8"), clinic.coded("o99.89")
    if other and puerperal:
        coded.append(max(other[0].when, puerperal[0].when))
    earlier = [f.began for f in clinic.findings("SPN-02") if f.episode is not episode]
    return any(when < episode.start for when in [*coded, *earlier])


def _prior_plo(clinic: Clinic, booking: datetime) -> datetime:
    said = clinic.factor("prior_plo")
    if clinic.has_factor("prior_plo", booking):
        return booking
    return min((when for when, present in said if present and when >= booking), default=FOREVER)
