"""Orders over time: their steps, how they are closed, and statements of what is taken."""

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import AnyEvent, Prescription
from streams.intake.site import MemoryDirectory
from tests.intake.fhir_clinic import (
    LATER,
    RXNORM,
    TIME,
    Resource,
    coded,
    dosage,
    enoxaparin,
    of_anna,
    of_kind,
    only,
    quantity,
    translate,
)


def versions(document: Resource, directory: MemoryDirectory | None = None) -> list[Prescription]:
    return of_kind(translate(document, directory).events, Prescription)


def step(value: int, start: str, end: str, sequence: int) -> Resource:
    return dosage(value, sequence=sequence, repeat={"boundsPeriod": {"start": start, "end": end}})


STEPS = (step(60, "2026-02-01", "2026-02-07", 1), step(40, "2026-02-08", "2026-02-28", 2))


def spans(told: list[Prescription]) -> list[tuple[str, Decimal | None, str, str]]:
    def text(at: Any) -> str:
        return at.date().isoformat() if at else ""

    return [(e.status, e.dose.value if e.dose else None, text(e.effective_from), text(e.ends_at)) for e in told]


@pytest.mark.parametrize("order_of_steps", [STEPS, STEPS[::-1]])
def test_each_step_is_a_version_from_its_own_first_day(order_of_steps: tuple[Resource, ...]) -> None:
    told = versions(enoxaparin(*order_of_steps))
    assert spans(told) == [
        ("active", Decimal(60), "2026-02-01", "2026-02-08"),
        ("active", Decimal(40), "2026-02-08", "2026-03-01"),
    ]
    assert {each.starts_at.date().isoformat() for each in told} == {"2026-02-01"}
    assert (len({each.event_id for each in told}), len({each.record_id for each in told})) == (2, 1)


def test_steps_of_a_length_follow_one_another_from_the_start() -> None:
    first = dosage(60, sequence=1, repeat={"boundsDuration": quantity(7, "d")})
    told = versions(enoxaparin(first, dosage(40, sequence=2)))
    assert spans(told) == [
        ("active", Decimal(60), "2026-01-31", "2026-02-07"),
        ("active", Decimal(40), "2026-02-07", ""),
    ]


def test_steps_that_nothing_dates_leave_the_dose_unknown() -> None:
    outcome = translate(enoxaparin(dosage(60, sequence=1), dosage(40, sequence=2)))
    assert only(Prescription, outcome).dose is None
    assert outcome.counted["unplaced_dosage"] == 1


@pytest.mark.parametrize("status", ["stopped", "completed", "on-hold"])
def test_a_closed_order_that_is_first_seen_was_active_until_the_source_closed_it(status: str) -> None:
    told = versions(enoxaparin(dosage(), status=status, meta={"lastUpdated": LATER}))
    assert [(each.status, each.effective_from) for each in told] == [
        ("active", told[0].starts_at),
        (status.replace("-", "_"), told[1].recorded_at),
    ]
    assert len({each.event_id for each in told}) == 2


def test_a_closed_order_that_was_told_before_only_closes() -> None:
    directory = MemoryDirectory()
    translate(enoxaparin(dosage()), directory)
    told = versions(enoxaparin(dosage(80), status="stopped", meta={"lastUpdated": LATER}), directory)
    assert [each.status for each in told] == ["stopped"]


def test_a_completed_order_ended_when_its_period_did() -> None:
    told = versions(enoxaparin(*STEPS, status="completed", meta={"lastUpdated": "2026-05-01T08:00:00Z"}))
    assert [each[0] for each in spans(told)] == ["active", "active", "completed"]
    assert spans(told)[-1][2] == "2026-03-01"


def test_a_stop_within_the_first_step_tells_no_later_step() -> None:
    told = versions(enoxaparin(*STEPS, status="stopped", meta={"lastUpdated": LATER}))
    assert spans(told)[0][1] == Decimal(60)
    assert [each.status for each in told] == ["active", "stopped"]


def test_a_stop_that_nothing_dates_is_counted_and_claims_no_exposure() -> None:
    outcome = translate(enoxaparin(dosage(), status="stopped"))
    assert only(Prescription, outcome).status == "stopped"
    assert outcome.counted["end_unknown"] == 1


def test_an_order_that_was_stopped_before_it_began_was_never_active() -> None:
    bounds = {"boundsPeriod": {"start": "2026-03-01"}}
    told = versions(enoxaparin(dosage(repeat=bounds), status="stopped", meta={"lastUpdated": LATER}))
    assert [each.status for each in told] == ["stopped"]


def test_instructions_whose_periods_overlap_are_no_steps_and_leave_the_dose_unknown() -> None:
    outcome = translate(enoxaparin(step(60, "2026-02-01", "2026-02-20", 1), step(40, "2026-02-10", "2026-02-28", 1)))
    told = only(Prescription, outcome)
    assert (told.dose, told.starts_at.date().isoformat()) == (None, "2026-02-01")
    assert outcome.counted["unplaced_dosage"] == 1


def statement(**more: Any) -> Resource:
    said = {"effectivePeriod": {"start": "2026-01-01"}, "dateAsserted": TIME, "dosage": [dosage(40)]}
    drug = coded(RXNORM, "67108")
    return {**of_anna("MedicationStatement", "s1", status="active", medicationCodeableConcept=drug, **said), **more}


def test_a_statement_of_what_is_taken_is_a_prescription() -> None:
    told = only(Prescription, translate(statement()))
    assert (told.status, told.starts_at.date().isoformat(), told.recorded_at.isoformat()) == (
        "active",
        "2026-01-01",
        TIME,
    )


def test_a_statement_of_what_was_taken_has_its_whole_period() -> None:
    told = versions(statement(status="completed", effectivePeriod={"start": "2026-01-01", "end": "2026-01-20"}))
    assert spans(told) == [
        ("active", Decimal(40), "2026-01-01", "2026-01-21"),
        ("completed", Decimal(40), "2026-01-21", "2026-01-21"),
    ]


@pytest.mark.parametrize("status", ["intended", "not-taken", "unknown"])
def test_what_is_intended_or_not_taken_opens_nothing(status: str) -> None:
    outcome = translate(statement(status=status))
    assert (outcome.events, outcome.ignored[f"MedicationStatement {status}"]) == ((), 1)


def test_what_turns_out_not_to_have_been_taken_is_taken_back() -> None:
    directory = MemoryDirectory()
    translate(statement(), directory)
    told = only(Prescription, translate(statement(status="not-taken", meta={"lastUpdated": LATER}), directory))
    assert told.status == "cancelled"


def test_a_stripped_order_in_error_takes_the_whole_order_back() -> None:
    directory = MemoryDirectory()
    translate(enoxaparin(*STEPS), directory)
    stripped = {"resourceType": "MedicationRequest", "id": "m1", "status": "entered-in-error", "intent": "order"}
    events: tuple[AnyEvent, ...] = translate(stripped, directory).events
    assert [(e.record_id, e.status) for e in of_kind(events, Prescription)] == [
        ("MedicationRequest/m1", "entered_in_error")
    ]
