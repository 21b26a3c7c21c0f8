"""Diagnoses, and what they say of a pregnancy and of feeding."""

from datetime import date
from typing import Any

import pytest

from schemas.events import Condition, Lactation, Pregnancy
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    COLLAPSE,
    LATER,
    SNOMED,
    TIME,
    Resource,
    coded,
    condition,
    of_kind,
    only,
    refusal,
    translate,
)

PREGNANT = coded(SNOMED, "72892002")
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def diagnosis(status: str = "active", code: Resource = COLLAPSE, **more: Any) -> Condition:
    return only(Condition, translate(condition(code, status, **more)))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", "active"),
        ("recurrence", "active"),
        ("relapse", "active"),
        ("inactive", "resolved"),
        ("remission", "resolved"),
        ("resolved", "resolved"),
    ],
)
def test_each_clinical_status_is_active_or_resolved(status: str, expected: str) -> None:
    assert diagnosis(status).status == expected


def test_a_clinical_status_of_another_version_is_refused() -> None:
    assert refusal(translate(condition(COLLAPSE, "unknown")))[0] == "Condition.clinicalStatus"


def test_without_a_clinical_status_an_abatement_resolves() -> None:
    assert diagnosis(clinicalStatus=None).status == "active"
    assert diagnosis(clinicalStatus=None, abatementDateTime=LATER).status == "resolved"


@pytest.mark.parametrize("verification", ["unconfirmed", "provisional", "differential"])
def test_what_is_not_confirmed_opens_nothing(verification: str) -> None:
    outcome = translate(condition(COLLAPSE, verificationStatus=coded(VERIFICATION, verification)))
    assert (outcome.events, dict(outcome.ignored)) == ((), {"Condition unconfirmed": 1})


def test_what_was_told_and_is_no_longer_confirmed_is_taken_back() -> None:
    directory = MemoryDirectory()
    translate(condition(PREGNANT), directory)
    doubtful = condition(PREGNANT, verificationStatus=coded(VERIFICATION, "differential"), meta={"lastUpdated": LATER})
    events = translate(doubtful, directory).events
    assert [each.status for each in of_kind(events, Condition)] == ["entered_in_error"]
    assert [each.record_status for each in of_kind(events, Pregnancy)] == ["entered_in_error"]


def test_what_is_refuted_says_so() -> None:
    assert diagnosis(verificationStatus=coded(VERIFICATION, "refuted")).status == "refuted"


def test_a_diagnosis_in_error_is_taken_back_even_if_it_comes_first() -> None:
    assert diagnosis(verificationStatus=coded(VERIFICATION, "entered-in-error")).status == "entered_in_error"


def test_onset_and_abatement_are_told() -> None:
    told = diagnosis("resolved", onsetDateTime=None, onsetPeriod={"start": TIME}, abatementDateTime=LATER)
    assert told.onset_at is not None
    assert told.abated_at is not None
    assert (told.onset_at.isoformat(), told.abated_at.isoformat()) == (TIME, LATER)


@pytest.mark.parametrize("field", ["onsetDateTime", "abatementDateTime"])
def test_a_year_of_onset_or_abatement_is_refused(field: str) -> None:
    assert refusal(translate(condition(COLLAPSE, **{field: "2019"})))[0] == f"Condition.{field}"


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("7771000", "left"),
        ("24028007", "right"),
        ("51440002", "both"),
        ("71341001:272741003=7771000", "left"),
        ("71341001", None),
    ],
)
def test_the_side_is_that_of_the_body_site(site: str, expected: str | None) -> None:
    assert diagnosis(bodySite=[coded(SNOMED, site)]).side == expected


def test_an_unmapped_diagnosis_is_still_an_event_and_counted() -> None:
    outcome = translate(condition(coded(SNOMED, "10509002")))
    assert (len(outcome.events), outcome.counted["unmapped_code"]) == (1, 1)


def test_a_diagnosis_in_words_only_is_refused() -> None:
    assert refusal(translate(condition({"text": "pregnant"})))[0] == "Condition.code"


@pytest.mark.parametrize("status", ["active", "resolved"])
def test_a_pregnancy_as_a_diagnosis_says_pregnant_at_its_onset_and_nothing_of_its_end(status: str) -> None:
    outcome = translate(condition(PREGNANT, status, abatementDateTime=LATER if status == "resolved" else None))
    told = only(Pregnancy, outcome)
    assert (told.status, told.ended_on, told.last_menstrual_period, told.record_id) == (
        "pregnant",
        None,
        None,
        "Condition/c1#pregnancy",
    )
    assert told.observed_at is not None
    assert told.observed_at.isoformat() == TIME
    assert len(of_kind(outcome.events, Condition)) == 1


def test_a_refuted_pregnancy_never_was() -> None:
    outcome = translate(condition(PREGNANT, verificationStatus=coded(VERIFICATION, "refuted")))
    assert only(Pregnancy, outcome).status == "refuted"


def test_a_coded_delivery_ends_the_pregnancy_on_its_day() -> None:
    told = only(Pregnancy, translate(condition(coded(SNOMED, "289256000"))))
    assert (told.status, told.ended_on) == ("delivered", date(2026, 1, 31))


def test_a_delivery_without_a_day_is_a_diagnosis_only() -> None:
    outcome = translate(condition(coded(SNOMED, "289256000"), onsetDateTime=None))
    assert [each.kind for each in outcome.events] == ["condition"]


def test_a_miscarriage_ended_the_pregnancy() -> None:
    told = only(Pregnancy, translate(condition(coded(SNOMED, "19169002"))))
    assert (told.status, told.outcome, told.ended_on) == ("ended", "miscarriage", date(2026, 1, 31))


def test_breast_feeding_as_a_diagnosis_says_nothing_of_how_exclusively() -> None:
    outcome = translate(condition(coded(SNOMED, "866041003")))
    assert [each.kind for each in outcome.events] == ["condition"]


@pytest.mark.parametrize(
    ("code", "feeding"), [("1258999009", "exclusive"), ("1258998001", "mixed"), ("200441004", "none")]
)
def test_feeding_that_is_coded_is_told_from_its_onset(code: str, feeding: str) -> None:
    told = only(Lactation, translate(condition(coded(SNOMED, code))))
    assert (told.feeding, told.since) == (feeding, date(2026, 1, 31))


def test_feeding_that_is_resolved_is_not_told_as_going_on() -> None:
    outcome = translate(condition(coded(SNOMED, "1258999009"), "resolved", abatementDateTime=LATER))
    assert [each.kind for each in outcome.events] == ["condition"]
