"""Whose record it is when it comes again under another patient."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from schemas.events import AnyEvent, Code, Encounter, LabResult, Pregnancy
from streams.intake.ownership import claim
from streams.intake.site import MemoryDirectory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def result(patient: str, hour: int, event_id: str = "") -> LabResult:
    return LabResult(
        kind="lab_result",
        event_id=event_id or f"{patient}-{hour}",
        patient_id=patient,
        source="LAB",
        record_id="ACC-1",
        recorded_at=NOON + timedelta(hours=hour),
        code=Code(system="http://loinc.org", code="2000-8"),
        value=Decimal("2.4"),
        status="final",
        collected_at=NOON,
    )


def told(events: tuple[AnyEvent, ...]) -> list[tuple[str, str, datetime]]:
    return [(event.patient_id, getattr(event, "status", ""), event.recorded_at) for event in events]


def test_a_record_seen_for_the_first_time_or_again_of_the_same_patient_is_only_itself() -> None:
    directory = MemoryDirectory()
    assert claim(result("A", 0), directory) == (result("A", 0),)
    assert claim(result("A", 1), directory) == (result("A", 1),)


def test_a_record_that_comes_under_another_patient_is_taken_back_from_the_former_one_at_its_own_time() -> None:
    directory = MemoryDirectory()
    claim(result("A", 0), directory)
    assert told(claim(result("B", 1), directory)) == [
        ("B", "final", NOON + timedelta(hours=1)),
        ("A", "entered_in_error", NOON),
    ]


def test_an_older_version_of_somebody_else_that_comes_late_is_the_one_taken_back() -> None:
    directory = MemoryDirectory()
    claim(result("B", 1), directory)
    assert told(claim(result("A", 0), directory)) == [("A", "final", NOON), ("A", "entered_in_error", NOON)]
    assert claim(result("B", 2), directory) == (result("B", 2),)


@pytest.mark.parametrize("order", list(permutations([("A", 0), ("B", 1), ("A", 2)])))
def test_in_any_order_the_latest_version_names_the_owner(order: tuple[tuple[str, int], ...]) -> None:
    directory = MemoryDirectory()
    events = [event for patient, hour in order for event in claim(result(patient, hour), directory)]
    standing = {
        patient: max(
            (e for e in events if e.patient_id == patient),
            key=lambda e: (e.recorded_at, getattr(e, "status", "") == "entered_in_error"),
        )
        for patient in ("A", "B")
    }
    assert {patient: getattr(e, "status", "") for patient, e in standing.items()} == {
        "A": "final",
        "B": "entered_in_error",
    }


def test_a_pregnancy_is_taken_back_by_its_record_status_and_keeps_what_it_said() -> None:
    directory = MemoryDirectory()
    first = Pregnancy(
        kind="pregnancy",
        event_id="1",
        patient_id="A",
        source="S",
        record_id="P",
        recorded_at=NOON,
        status="pregnant",
    )
    claim(first, directory)
    later = first.model_copy(update={"patient_id": "B", "event_id": "2", "recorded_at": NOON + timedelta(1)})
    _, retraction = claim(later, directory)
    assert isinstance(retraction, Pregnancy)
    assert (retraction.record_status, retraction.status) == ("entered_in_error", "pregnant")


def test_an_encounter_is_no_clinical_fact_and_is_not_taken_back() -> None:
    directory = MemoryDirectory()
    stay = Encounter(
        kind="encounter",
        event_id="1",
        patient_id="A",
        source="S",
        record_id="V",
        recorded_at=NOON,
        status="active",
        starts_at=NOON,
    )
    claim(stay, directory)
    moved = stay.model_copy(update={"patient_id": "B", "event_id": "2"})
    assert claim(moved, directory) == (moved,)


def test_a_retraction_of_a_very_long_event_id_still_has_an_identifier_that_fits() -> None:
    directory = MemoryDirectory()
    claim(result("A", 0, event_id="x" * 256), directory)
    _, retraction = claim(result("B", 1), directory)
    assert len(retraction.event_id) <= 256
