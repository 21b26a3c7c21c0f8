"""HEP-01 to HEP-04 and HEP-06: one below, exactly at, one above; counting, gaps, layers and the end of a tier."""

from decimal import Decimal

import pytest

from alerting.judge import Judge
from alerting.rules import RULES
from alerting.rules.counting import UFH_COUNTS
from schemas.facts import Density, Dose, Lab, Measured, Order, PregnancyRecord, Supply
from schemas.intervals import Interval
from schemas.views import EPISODES, ledger
from tests.support import Patient, day, days_from_zero, number, on, pack

UFH, LMWH = "heparin_ufh", "lmwh"


def woman(*, zone: str = "UTC", pregnant: bool = True) -> Patient:
    """A woman pregnant since day 0."""
    patient = Patient(zone=zone)
    if pregnant:
        record = PregnancyRecord("active", "pregnant", last_menstrual_period=day(0), observed_at=on(30))
        patient.say(record, record="pregnancy", recorded_at=on(30))
    return patient


def order(
    iu: float | None,
    *,
    starts: float,
    ends: float | None = None,
    per_day: float | None = 2,
    status: str = "active",
    drug: str = "heparin",
    drug_class: str = UFH,
    unit: str = "[IU]",
    **more: object,
) -> Order:
    """A version of an order: so many units a dose."""
    return Order(
        status,
        drug,
        drug_class,
        on(starts),
        ends_at=None if ends is None else on(ends),
        dose=number(iu),
        unit=unit,
        doses_per_day=number(per_day),
        **more,  # type: ignore[arg-type]
    )


def course(
    iu_a_day: float, first: int, last: int | None, *, drug_class: str = UFH, patient: Patient | None = None
) -> Patient:
    """A course from its first to its last day, inclusive."""
    drug = "heparin" if drug_class == UFH else "dalteparin"
    ends = None if last is None else last + 0.5
    who = patient or woman()
    record = f"order-{first}-{drug_class}"
    return who.say(
        order(iu_a_day / 2, starts=first, ends=ends, drug=drug, drug_class=drug_class),
        record=record,
        recorded_at=on(first, 9),
    )


def spans(patient: Patient, rule: str) -> list[tuple[float, float]]:
    """The findings of a rule as (began, ended) in days; 9999 without an end."""
    return [(days_from_zero(i.began), min(days_from_zero(i.ended), 9999)) for i in patient.finding(rule)]


@pytest.mark.parametrize(
    ("rule", "iu", "exposed", "raised"),
    [
        ("HEP-01", 5_000, 27, False),
        ("HEP-01", 5_000, 28, True),
        ("HEP-01", 5_000, 29, True),
        ("HEP-01", 4_998, 60, False),
        ("HEP-01", 5_002, 28, True),
        ("HEP-02", 15_000, 48, False),
        ("HEP-02", 15_000, 49, True),
        ("HEP-02", 15_000, 50, True),
        ("HEP-02", 14_998, 120, False),
        ("HEP-02", 15_002, 49, True),
        ("HEP-03", 10_000, 83, False),
        ("HEP-03", 10_000, 84, True),
        ("HEP-03", 10_000, 85, True),
        ("HEP-03", 9_998, 150, False),
        ("HEP-03", 10_002, 84, True),
        ("HEP-04", 20_000, 118, False),
        ("HEP-04", 20_000, 119, True),
        ("HEP-04", 20_000, 120, True),
        ("HEP-04", 19_998, 179, False),
        ("HEP-04", 19_998, 180, True),
        ("HEP-04", 15_000, 179, False),
        ("HEP-04", 15_000, 180, True),
        ("HEP-04", 14_998, 230, False),
    ],
)
def test_a_tier_needs_its_days_and_its_mean_dose(rule: str, iu: float, exposed: int, raised: bool) -> None:
    assert bool(course(iu, 40, 40 + exposed - 1).finding(rule)) is raised


@pytest.mark.parametrize(("exposed", "raised"), [(89, False), (90, True), (91, True)])
def test_prolonged_lmwh_needs_ninety_exposed_days(exposed: int, raised: bool) -> None:
    assert bool(course(5_000, 40, 40 + exposed - 1, drug_class=LMWH).finding("HEP-06")) is raised


def test_a_threshold_of_n_days_is_crossed_at_the_midnight_that_begins_the_nth() -> None:
    assert spans(course(20_000, 40, None), "HEP-01")[0][0] == 67
    assert spans(course(20_000, 40, None), "HEP-02")[0][0] == 88
    assert spans(course(20_000, 40, None), "HEP-04")[0][0] == 158


@pytest.mark.parametrize(("rule", "recent"), [("HEP-01", 90), ("HEP-02", 180), ("HEP-03", 180), ("HEP-04", 180)])
def test_a_tier_ends_at_midnight_so_many_days_after_the_last_exposed_day(rule: str, recent: int) -> None:
    assert spans(course(20_000, 10, 139), rule)[0][1] == 139 + recent


def test_ufh_and_lmwh_are_never_pooled() -> None:
    both = course(20_000, 40, 60)
    course(20_000, 61, 200, drug_class=LMWH, patient=both)
    assert not both.finding("HEP-01")


def test_a_flush_is_no_exposure() -> None:
    patient = woman().say(order(5_000, starts=40, excluded=True), recorded_at=on(40))
    assert not patient.values()[ledger(UFH).key].stretches


def test_an_as_needed_order_is_no_exposure() -> None:
    patient = woman().say(order(5_000, starts=40, as_needed=True), recorded_at=on(40))
    assert not patient.values()[ledger(UFH).key].stretches


def test_a_day_on_which_nothing_was_given_is_unexposed_to_order_and_supply() -> None:
    """28 ordered days less one on which every dose was not done: day 68 is the 28th."""
    patient = course(20_000, 40, None)
    patient.say(Dose("not_done", "heparin", UFH, on(50)), recorded_at=on(50))
    assert spans(patient, "HEP-01")[0][0] == 68


def test_a_supply_covers_its_days_and_supplies_do_not_stack() -> None:
    """Two supplies of 14 days on days 40 and 47 cover 21 days, not 28."""
    patient = woman()
    for handed_out in (40, 47):
        supply = Supply("completed", "heparin", UFH, on(handed_out), Decimal(14), Decimal(7_500), "[IU]", Decimal(2))
        patient.say(supply, recorded_at=on(handed_out))
    assert patient.values()[ledger(UFH).key].count(day(0), day(300)) == 21


def test_a_hold_of_the_order_ends_its_supply() -> None:
    patient = woman()
    patient.say(order(7_500, starts=40, placer_order="RX-1"), record="order", recorded_at=on(40))
    patient.say(
        Supply("completed", "heparin", UFH, on(40), Decimal(30), placer_order="RX-1"),
        record="supply",
        recorded_at=on(40),
    )
    hold = order(7_500, starts=40, status="on_hold", placer_order="RX-1", effective_from=on(50))
    patient.say(hold, record="order", recorded_at=on(50))
    assert patient.values()[ledger(UFH).key].last_by(day(100)) == day(50)


def test_the_administered_sum_stands_however_small() -> None:
    """One dose of two given on day 45 of an order of 10,000 IU a day: the day counts 5,000."""
    patient = course(10_000, 40, None)
    patient.say(Dose("completed", "heparin", UFH, on(45), dose=Decimal(5_000), unit="[IU]"), recorded_at=on(45))
    found = patient.values()[ledger(UFH).key].on(day(45))
    assert (found.amount, found.layer, found.floor) == (5_000, "administered", 10_000)


def test_an_infusion_is_integrated_over_its_local_days() -> None:
    """1,000 IU/h from 18:00 to 06:00 in Berlin: 6,000 IU on each of two days."""
    patient = woman(zone="Europe/Berlin")
    rate = {"rate": Decimal(1_000), "rate_unit": "[IU]/h"}
    infusion = Dose("completed", "heparin", UFH, on(45, 17), ends_at=on(46, 5), **rate)  # type: ignore[arg-type]
    patient.say(infusion, recorded_at=on(46))
    found = patient.values()[ledger(UFH).key].stretches
    assert [(s.first, s.amount) for s in found] == [(day(45), 6_000), (day(46), 6_000)]


@pytest.mark.parametrize(("days", "known"), [(14, True), (15, False)])
def test_an_order_without_a_dose_takes_the_last_known_one_for_fourteen_days(days: int, known: bool) -> None:
    patient = course(20_000, 40, None)
    silent = order(None, starts=40, effective_from=on(60, 0))
    patient.say(silent, record="order-40-heparin_ufh", recorded_at=on(60))
    found = patient.values()[ledger(UFH).key].on(day(60 + days - 1))
    assert (found.amount is not None) is known


def test_a_dose_a_kilogram_needs_a_weight() -> None:
    dosed = order(100, starts=40, unit="[IU]/kg", drug="dalteparin", drug_class=LMWH)
    patient = woman().say(dosed, recorded_at=on(40))
    assert patient.values()[ledger(LMWH).key].on(day(41)).amount is None
    weighed = Measured("active", "body_weight", on(50), Decimal(60))
    patient.say(weighed, recorded_at=on(50))
    exposure = patient.values()[ledger(LMWH).key]
    assert (exposure.on(day(49)).amount, exposure.on(day(50)).amount) == (None, 12_000)


@pytest.mark.parametrize(
    ("drug", "drug_class", "dose", "unit", "a_day"),
    [
        ("enoxaparin", LMWH, 40, "mg", 8_000),
        ("enoxaparin", LMWH, 4_000, "[IU]", 8_000),
        ("enoxaparin", LMWH, 999, "[IU]", None),
        ("enoxaparin", LMWH, 1_000, "[IU]", 2_000),
        ("enoxaparin", LMWH, 20_000, "[IU]", 40_000),
        ("enoxaparin", LMWH, 20_001, "[IU]", None),
        ("nadroparin", LMWH, 0.4, "mL", 7_600),
        ("heparin", UFH, 50, "mg", None),
        ("heparin", UFH, 30_000, "[IU]", 60_000),
        ("heparin", UFH, 30_001, "[IU]", None),
    ],
)
def test_what_a_dose_is_worth(drug: str, drug_class: str, dose: float, unit: str, a_day: float | None) -> None:
    patient = woman().say(order(dose, starts=40, unit=unit, drug=drug, drug_class=drug_class), recorded_at=on(40))
    assert patient.values()[ledger(drug_class).key].on(day(41)).amount == a_day


def test_a_stepped_regimen_is_seen_by_the_mean_of_the_last_28_exposed_days() -> None:
    """35 days at 5,000, then 20,000: the mean of all reaches 15,000 on day 144, that of the last 28 on day 93."""
    patient = course(5_000, 40, None)
    step = order(10_000, starts=40, effective_from=on(75, 0))
    patient.say(step, record="order-40-heparin_ufh", recorded_at=on(75))
    began = spans(patient, "HEP-02")[0][0]
    assert began == 93
    assert 75 - 40 + (began - 75) + 1 >= 49


def test_hep_03_and_hep_04_never_look_at_the_last_28_days() -> None:
    patient = course(2_000, 40, None)
    step = order(10_000, starts=40, effective_from=on(150, 0))
    patient.say(step, record="order-40-heparin_ufh", recorded_at=on(150))
    first = patient.finding("HEP-03")[0]
    assert days_from_zero(first.began) == 150 + 88 - 1  # (110 x 2,000 + n x 20,000) / (110 + n) >= 10,000 from n = 88


def test_a_lower_dose_later_ends_no_tier() -> None:
    patient = course(20_000, 40, None)
    patient.say(order(500, starts=40, effective_from=on(90, 0)), record="order-40-heparin_ufh", recorded_at=on(90))
    assert spans(patient, "HEP-02")[0] == (88, days_from_zero(patient.finding("HEP-02")[0].ended))


def test_hep_01_is_one_finding_an_episode_and_hep_02_begins_anew() -> None:
    patient = course(20_000, 10, 70)
    course(20_000, 270, 280, patient=patient)
    assert len(patient.finding("HEP-01")) == 1
    assert spans(patient, "HEP-02")[1][0] == 270 + 8 / 24


def test_hep_04_is_advisory_after_ninety_days_and_critical_again_on_a_new_dose() -> None:
    patient = course(20_000, 5, 130)
    course(20_000, 240, 241, patient=patient)
    found = patient.finding("HEP-04")[0]
    steps = [(days_from_zero(at), severity) for at, severity in found.steps]
    assert steps == [(123, "critical"), (220, "advisory"), (240 + 8 / 24, "critical"), (331, "advisory")]


def test_a_course_running_at_the_lmp_counts_whole_in_the_pregnancy() -> None:
    """From day -20: the 28th day is day 7 of the pregnancy, and the finding is the pregnancy's."""
    patient = course(20_000, -20, None)
    found = patient.finding("HEP-01")
    assert days_from_zero(found[0].began) == 7
    assert found[0].episode == patient.chart()[EPISODES].pregnancies[0].episode


def test_a_finding_begun_before_the_lmp_runs_on_and_is_not_begun_again() -> None:
    found = course(20_000, -40, 20).finding("HEP-01")
    assert [days_from_zero(i.began) for i in found] == [-13]
    assert _ends(found[0]) == 20 + 90


def test_outside_pregnancy_heparin_is_watched_in_every_patient() -> None:
    assert spans(course(20_000, 40, None, patient=woman(pregnant=False)), "HEP-02")[0][0] == 88


def test_days_more_than_183_apart_are_two_heparin_episodes() -> None:
    patient = course(20_000, 0, 20, patient=woman(pregnant=False))
    course(20_000, 204, 230, patient=patient)
    assert not patient.finding("HEP-01")
    closer = course(20_000, 0, 20, patient=woman(pregnant=False))
    course(20_000, 203, 230, patient=closer)
    assert closer.finding("HEP-01")


def test_days_are_the_sites_local_days_over_a_change_of_the_clock() -> None:
    """In Berlin the 28th day, 30 March 2025, begins at 23:00 UTC of the day before; it has 23 hours."""
    patient = woman(zone="Europe/Berlin").say(order(10_000, starts=56), recorded_at=on(56))
    assert patient.finding("HEP-01")[0].began == on(82, 23)


def _ends(interval: Interval) -> float:
    return days_from_zero(interval.ended)


def test_hep_04_asks_for_a_bone_density_only_after_the_delivery() -> None:
    question = "no bone density measured in the episode"
    going_on = course(20_000, 5, None)
    assert question not in asked(going_on, "HEP-04", 270)
    delivered = course(20_000, 5, None).say(
        PregnancyRecord("active", "delivered", last_menstrual_period=day(0), ended_on=day(280)),
        record="pregnancy",
        recorded_at=on(281),
    )
    assert question not in asked(delivered, "HEP-04", 270)
    assert question in asked(delivered, "HEP-04", 290)
    measured = Density("active", "lumbar_spine", on(285), z_score=Decimal(-1))
    assert question not in asked(delivered.say(measured, recorded_at=on(285)), "HEP-04", 290)


def asked(patient: Patient, rule_id: str, at: float) -> list[str]:
    """The open questions of a rule's first finding on a day."""
    rule = next(r for r in RULES if r.id == rule_id)
    judge = Judge(pack().rules[rule_id])
    return list(rule.asks(patient.chart(), judge, patient.finding(rule_id)[0], on(at)))


def given(patient: Patient, on_day: float, record: str, *, iu: float = 10_000) -> Patient:
    """One dose of unfractionated heparin given."""
    return patient.say(
        Dose("completed", "heparin", UFH, on(on_day), dose=number(iu), unit="[IU]"),
        record=record,
        recorded_at=on(on_day, 9),
    )


def test_the_evidence_of_a_course_is_its_latest_records_up_to_the_day_that_is_judged() -> None:
    """Their names say nothing of their time, and a course that ended before the pregnancy is none of it."""
    patient = woman()
    for at in range(-60, -40):
        given(patient, at, f"z-before-{at}")
    for at in range(40, 90):
        given(patient, at, f"{(7 * at) % 50:02d}-on-{at}")
    cited = [e.record_id for e in patient.finding("HEP-01")[0].evidence if e.record_id]
    assert [int(record.rpartition("-")[2]) for record in cited] == list(range(56, 68))


@pytest.mark.parametrize(("iu", "most"), [(5_000, 90), (20_000, 120)])
def test_an_order_without_end_is_counted_once_and_no_further_than_it_can_matter(iu: float, most: int) -> None:
    """At 10,000 IU a day HEP-03 is met on day 84; at 40,000 HEP-04 is on day 119."""
    [(_, days), *_] = course(2 * iu, 40, None).chart()[UFH_COUNTS]
    assert len(days) <= most


@pytest.mark.parametrize(("ago", "asks"), [(180, False), (181, True)])
def test_vitamin_d_is_asked_for_after_the_days_that_the_pack_says(ago: int, asks: bool) -> None:
    said = Lab("final", "25OHD", on(100 - ago), Decimal(80), "molar", reported=Decimal(80))
    patient = course(10_000, 10, None).say(said, recorded_at=on(100 - ago))
    limit = pack().rules["HEP-01"].limits["vitamin_d_days"]
    assert limit.value == 180
    assert (f"25-OH vitamin D not resulted in {limit.value} days" in asked(patient, "HEP-01", 100)) is asks
