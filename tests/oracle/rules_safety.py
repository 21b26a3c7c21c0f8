"""SAF-01, SAF-02, SAF-04 and SAF-06: bone drugs, DXA in pregnancy, long rest."""

from datetime import date, datetime, timedelta
from fractions import Fraction

from .clinic import Clinic, Finding, holding
from .codes import BONE_DRUGS
from .days import Pregnancy, first_after, merged
from .facts import FOREVER, STOPS, Stretch, Version, instant, number, order_of, timelines
from .heparin import Day, active_spans, drug_of, exposure, given, heparin_dose, is_active, supplies, weight_on
from .labs import samples
from .rules_secondary import age_on


def _bone(_: str, drug_class: str) -> bool:
    return drug_class in BONE_DRUGS


def _ordered_at(clinic: Clinic, version: Version, when: datetime) -> bool:
    """Whether a dose or a supply belongs to an order of that drug."""
    drug = drug_of(version)[0]
    if any(s.began <= when < s.ended and drug_of(s.version)[0] == drug for s in active_spans(clinic.chart, _bone)):
        return True
    placer = version.get("placer_order")
    return placer is not None and any(
        order_of(r) == placer and drug_of(r.winner)[0] == drug for r in clinic.chart.all("prescription")
    )


def saf_01(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        over = min(pregnancy.delivered_at, episode.end)
        by_drug: dict[str, list[tuple[datetime, datetime]]] = {}
        for drug, began, ended in _uses(clinic, pregnancy):
            by_drug.setdefault(drug, []).append((max(began, episode.start), min(ended, over)))
        for spans in by_drug.values():
            findings += [holding(episode, began, ended, "critical") for began, ended in merged(spans)]
    return findings


def _uses(clinic: Clinic, pregnancy: Pregnancy) -> list[tuple[str, datetime, datetime]]:
    """Each drug with the times in which it is ordered, supplied or given without an order."""
    chart = clinic.chart
    uses = [(drug_of(s.version)[0], s.began, s.ended) for s in active_spans(chart, _bone)]
    for _, version, _, last in supplies(chart, _bone):
        left = clinic.calendar.midnight(last + timedelta(days=1))
        uses.append((drug_of(version)[0], instant(version.get("dispensed_at")), left))
    for _, version in given(chart, _bone):
        when, drug = instant(version.get("given_at")), drug_of(version)[0]
        if drug == "denosumab" and when < pregnancy.start and _recent(clinic, when, pregnancy):
            uses.append((drug, pregnancy.start, FOREVER))
        if not _ordered_at(clinic, version, when) and when >= pregnancy.start:
            uses.append((drug, when, FOREVER))
    return uses


def _recent(clinic: Clinic, when: datetime, pregnancy: Pregnancy) -> bool:
    return clinic.calendar.apart(when, pregnancy.start) <= 183


def saf_02(clinic: Clinic) -> list[Finding]:
    findings = []
    for began, stopped in _courses_of_treatment(clinic):
        start = _not_pregnant_from(clinic, began)
        single_in_pregnancy = stopped is None and start != began
        over = stopped or FOREVER
        if (
            not single_in_pregnancy
            and start < over
            and _of_childbearing_age(clinic, start)
            and not _excused(clinic, start)
        ):
            ended = min(
                over,
                _both_there(clinic, start),
                first_after(clinic.procedures("sterilisation", "hysterectomy"), start),
                first_after((p.start for p in clinic.pregnancies), start),
            )
            findings.append(holding(clinic.episode_at(start), start, ended, "warning"))
    return findings


def _courses_of_treatment(clinic: Clinic) -> list[tuple[datetime, datetime | None]]:
    """Orders from their start until they are stopped; without such an end, doses and supplies that no order covers."""
    found: list[tuple[datetime, datetime | None]] = []
    found += [span for timeline in timelines(clinic.chart, "prescription") for span in _unstopped(timeline)]
    for _, version in given(clinic.chart, _bone):
        when = instant(version.get("given_at"))
        if not _ordered_at(clinic, version, when):
            found.append((when, None))
    for _, version in clinic.chart.facts("dispense"):
        when = instant(version.get("dispensed_at"))
        if _bone(*drug_of(version)) and version.status == "completed" and not _ordered_at(clinic, version, when):
            found.append((when, None))
    return found


def _unstopped(timeline: list[Stretch]) -> list[tuple[datetime, datetime]]:
    spans = []
    active = []
    for stretch in timeline:
        version = stretch.version
        if not _bone(*drug_of(version)) or version.status in STOPS:
            continue
        began = max(stretch.began, instant(version.get("starts_at")))
        ended = min(stretch.ended, version.at("ends_at") or FOREVER)
        if is_active(version):
            active.append(began)
        if is_active(version) or (version.status == "on_hold" and active):
            spans.append((began, ended))
    return merged(spans)


def _not_pregnant_from(clinic: Clinic, when: datetime) -> datetime:
    """The instant itself, or the end of the pregnancy in which it lies."""
    for pregnancy in clinic.pregnancies:
        if pregnancy.before_delivery(when):
            return pregnancy.delivered_at
    return when


def _of_childbearing_age(clinic: Clinic, when: datetime) -> bool:
    said = [(v.order, v.get("sex")) for _, v in clinic.chart.facts("patient") if v.get("sex") is not None]
    sex = max(said)[1] if said else None
    mother = bool(clinic.chart.facts("pregnancy"))
    age = age_on(clinic, clinic.calendar.day(when))
    woman = sex == "female" or (sex != "male" and mother)
    return woman and (15 <= age <= 50 if age is not None else mother)


def _excused(clinic: Clinic, when: datetime) -> bool:
    if clinic.has_factor("menopause", when):
        return True
    if any(w <= when for w in clinic.procedures("sterilisation", "hysterectomy")):
        return True
    tested = [w for w in _negative_tests(clinic) if w <= when and clinic.calendar.apart(w, when) <= 14]
    return bool(tested) and clinic.has_factor("contraception", when)


def _negative_tests(clinic: Clinic) -> list[datetime]:
    found = [s.collected for s in samples(clinic.chart, "hCG") if s.value.below(Fraction(5))]
    for _, version in clinic.chart.facts("lab_result"):
        text = str(version.get("value_text") or "").strip().lower()
        if version.get("code")["code"] in {"2106-3", "2118-8", "19080-1"} and text == "negative":
            found.append(instant(version.get("collected_at")))
    return sorted(found)


def _both_there(clinic: Clinic, began: datetime) -> datetime:
    """From when a negative test since 14 days before and contraception are both there."""
    tested = [w for w in _negative_tests(clinic) if clinic.calendar.apart(began, w) >= -14]
    moments = sorted([*tested, *(when for when, _ in clinic.factor("contraception"))])
    both = [m for m in moments if any(w <= m for w in tested) and clinic.has_factor("contraception", m) and m > began]
    return min(both, default=FOREVER)


def saf_04(clinic: Clinic) -> list[Finding]:
    findings = []
    for episode, pregnancy in clinic.pregnancy_episodes:
        due = pregnancy.ended_on or pregnancy.day_zero + timedelta(days=280)
        for record, version in clinic.chart.facts("imaging"):
            planned = version.at("scheduled_for")
            if version.get("modality") != "DXA" or (planned and clinic.calendar.day(planned) >= due):
                continue
            began = max(version.at("ordered_at") or record.first_recorded, episode.start)
            done = version.at("performed_at") or FOREVER
            ended = min(done, pregnancy.delivered_at, episode.end)
            if began < ended:
                findings.append(holding(episode, began, ended, "warning"))
    return findings


def _rest(clinic: Clinic) -> list[tuple[datetime, datetime]]:
    """Stretches of bed rest, ordered or coded."""
    spans = []
    for timeline in timelines(clinic.chart, "care_order"):
        for stretch in timeline:
            version = stretch.version
            if version.get("order") == "bed_rest" and version.status == "active":
                began = max(stretch.began, instant(version.get("starts_at")))
                spans.append((began, min(stretch.ended, version.at("ends_at") or FOREVER)))
    for diagnosis in clinic.coded("bed_confinement"):
        resolved = diagnosis.version.recorded if diagnosis.version.status == "resolved" else FOREVER
        spans.append((diagnosis.when, diagnosis.version.at("abated_at") or resolved))
    return merged(spans)


def saf_06(clinic: Clinic) -> list[Finding]:
    findings: list[Finding] = []
    rest, treated = _rest(clinic), _therapeutic_days(clinic)
    for episode, pregnancy in clinic.pregnancy_episodes:
        last = pregnancy.delivery if pregnancy.lost else pregnancy.delivery + timedelta(days=42)
        day, today = pregnancy.day_zero, clinic.calendar.day(clinic.chart.at)
        over = episode.start
        while rest and day <= min(last, today):
            midnight = clinic.calendar.midnight(day)
            resting = [ended for began, ended in rest if began <= midnight < ended]
            if midnight >= over and resting and day not in treated and _rested(clinic, rest, day) >= 3:
                treatment = min((treated[d] for d in treated if d > day), default=FOREVER)
                window = clinic.calendar.midnight(last + timedelta(days=1))
                over = min(resting[0], treatment, window, episode.end)
                findings.append(holding(episode, midnight, over, "advisory"))
            day += timedelta(days=1)
    return findings


def _rested(clinic: Clinic, rest: list[tuple[datetime, datetime]], day: date) -> int:
    """Days of rest among the last 7, as date differences."""
    total = 0
    for began, ended in rest:
        first = max(clinic.calendar.day(began), day - timedelta(days=7))
        last = min(day if ended == FOREVER else clinic.calendar.day(ended), day)
        total += max(0, (last - first).days)
    return total


def _milligrams(version: Version, _: date) -> Fraction | None:
    dose = version.get("dose")
    return number(dose["value"]) if dose is not None and dose.get("unit") == "mg" else None


def _therapeutic_days(clinic: Clinic) -> dict[date, datetime]:
    """Days of therapeutic anticoagulation with their beginning."""
    chart = clinic.chart
    enoxaparin = exposure(chart, lambda name, _: name == "enoxaparin", heparin_dose(chart))
    treated = [exposed for exposed in clinic.heparin.ufh.values() if (exposed.amount or 0) >= 20_000]
    for day, exposed in clinic.heparin.lmwh.items():
        weight = weight_on(chart, day)
        alone = enoxaparin.get(day)
        heavy = weight is not None and (exposed.amount or 0) >= 150 * weight
        if heavy or (weight is None and alone is not None and (alone.amount or 0) > 10_000):
            treated.append(exposed)
    fondaparinux = exposure(chart, lambda name, _: name == "fondaparinux", _milligrams)
    others = [d for d in fondaparinux.values() if (d.amount or 0) >= 5]
    others += list(exposure(chart, lambda _, c: c == "vka", lambda _v, _d: None).values())
    return _earliest([*treated, *others])


def _earliest(days: list[Day]) -> dict[date, datetime]:
    begins: dict[date, datetime] = {}
    for exposed in days:
        begins[exposed.day] = min(exposed.begins, begins.get(exposed.day, exposed.begins))
    return begins
