"""Condition, Procedure and what they say of a pregnancy.

A Condition with the concept `pregnant` says that the patient was pregnant at its onset: besides the `condition` it
gives a `pregnancy` record `Condition/ID#pregnancy`, which dates nothing. Its abatement says that the problem was
closed, not how the pregnancy ended, and ends none. A delivery is told where a delivery is coded: by a Condition with
the concept `delivered` and an onset, or by a Procedure that the tables call `delivery`, each on its own day. A
miscarriage coded with its onset ended the pregnancy that day. A prenatal visit says pregnant, at its start. The concept
`lactating` does not say whether feeding is exclusive and gives the `condition` only; `feeding_exclusive`,
`feeding_mixed` and `weaned` with an onset give a `lactation` record as well.
Source: http://hl7.org/fhir/R4/condition.html and http://hl7.org/fhir/R4/procedure.html
"""

from datetime import datetime
from typing import Any, Final

from schemas import events
from schemas.events import AnyEvent
from streams.intake.fhir.codes import code, codes_of, concepts, mapped, side, whole
from streams.intake.fhir.datatypes import CodeableConcept, Coding
from streams.intake.fhir.identity import patient_of
from streams.intake.fhir.reading import Entry, NotTranslatableError
from streams.intake.fhir.resources import Condition, Procedure

_UNCONFIRMED: Final = frozenset({"unconfirmed", "provisional", "differential"})
"""`unconfirmed` is the parent of the other two: none of them says that the patient has it."""
_ACTIVE: Final = frozenset({"active", "recurrence", "relapse"})
_RESOLVED: Final = frozenset({"inactive", "remission", "resolved"})
PREGNANCY: Final = "#pregnancy"
LACTATION: Final = "#lactation"
PARTS: Final = ("", PREGNANCY, LACTATION)


def condition_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """A diagnosis, and what it says of a pregnancy or of feeding."""
    seen = entry.read(Condition)
    verification = codes_of([seen.verification_status or CodeableConcept()])
    if verification & _UNCONFIRMED:
        entry.document.ignore("Condition unconfirmed")
        return _each_withdrawn(entry, entry.last_updated())
    if "entered-in-error" in verification:
        return _each_withdrawn(entry, entry.last_updated()) or _stripped(entry, seen)
    status = "refuted" if "refuted" in verification else _clinical_status(entry, seen)
    return _diagnosed(entry, seen, status)


def _each_withdrawn(entry: Entry, recorded_at: datetime | None) -> tuple[AnyEvent, ...]:
    """What was told of this resource is taken back, part by part."""
    return tuple(event for part in PARTS for event in entry.withdrawn("entered_in_error", recorded_at, part))


def _stripped(entry: Entry, seen: Condition) -> tuple[AnyEvent, ...]:
    try:
        return _diagnosed(entry, seen, "entered_in_error")
    except NotTranslatableError:
        return entry.document.count("retraction_of_unknown")


def _clinical_status(entry: Entry, seen: Condition) -> str:
    given = codes_of([seen.clinical_status or CodeableConcept()])
    if given & _ACTIVE:
        return "active"
    if given & _RESOLVED:
        return "resolved"
    if given:
        accepted = ", ".join(sorted(_ACTIVE | _RESOLVED))
        raise entry.refused(f"unknown clinical status; accepted are {accepted}", "clinicalStatus")
    return "resolved" if "abatementDateTime" in entry.content or "abatementPeriod" in entry.content else "active"


def _diagnosed(entry: Entry, seen: Condition, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    onset, abated = _onset(entry, seen), _abatement(entry, seen)
    recorded = entry.recorded_at(entry.at(seen.recorded_date, "recordedDate"), onset)
    common: dict[str, Any] = {"patient_id": patient_id, "recorded_at": recorded}
    diagnosis = entry.event(
        events.Condition,
        **common,
        code=code(_coding(entry, seen.code, bool(_concepts(entry, seen.code))), entry.document.tables),
        status=status,
        side=side(seen.body_site),
        onset_at=onset,
        abated_at=abated,
    )
    return (diagnosis, *maternal(entry, [seen.code], onset, status, common))


def _concepts(entry: Entry, concept: CodeableConcept) -> frozenset[str]:
    return concepts([concept], entry.document.tables)


def _coding(entry: Entry, concept: CodeableConcept, is_mapped: bool) -> Coding:  # noqa: FBT001
    if not is_mapped:
        entry.document.count("unmapped_code")
    tables = entry.document.tables
    found = mapped(concept, tables, tables.concepts)
    first = found[0] if found else next(iter(whole(concept)), None)
    if first is None:
        raise entry.refused("no coding; expected a system and a code (SNOMED CT, ICD-10-CM, ICD-10)", "code")
    return first


def _onset(entry: Entry, seen: Condition) -> datetime | None:
    period = seen.onset_period
    return entry.at(seen.onset_date_time, "onsetDateTime") or entry.at(
        period.start if period else None, "onsetPeriod.start"
    )


def _abatement(entry: Entry, seen: Condition) -> datetime | None:
    period = seen.abatement_period
    return entry.at(seen.abatement_date_time, "abatementDateTime") or entry.end(
        period.end if period else None, "abatementPeriod.end"
    )


_LOSSES: Final = {"19169002": "miscarriage", "85116003": "miscarriage"}
"""SNOMED CT: miscarriage in the first and second trimester."""
_PRENATAL_VISITS: Final = frozenset({"424441002", "424619006"})
"""SNOMED CT: initial prenatal visit, prenatal visit."""
_FEEDINGS: Final = {
    "feeding_exclusive": "exclusive",
    "feeding_mixed": "mixed",
    "weaned": "none",
    "feeding_none": "none",
}


def maternal(
    entry: Entry, coded: list[CodeableConcept], at: datetime | None, status: str, common: dict[str, Any]
) -> tuple[AnyEvent, ...]:
    """What a diagnosis or a visit says of a pregnancy and of feeding."""
    found = concepts(coded, entry.document.tables)
    said = {"record_status": "entered_in_error"} if status == "entered_in_error" else {}
    pregnancy = _pregnancy(entry, coded, found, at, status)
    feeding = next((word for concept, word in _FEEDINGS.items() if concept in found), None)
    told: list[AnyEvent] = []
    if pregnancy:
        told.append(entry.event(events.Pregnancy, part=PREGNANCY, **common, **said, **pregnancy))
    if feeding and at and status == "active":
        since = at.astimezone(entry.document.site.time_zone).date()
        told.append(
            entry.event(
                events.Lactation, part=LACTATION, feeding=feeding, since=since, observed_at=at, **common, **said
            )
        )
    return tuple(told)


def _pregnancy(
    entry: Entry, coded: list[CodeableConcept], found: frozenset[str], at: datetime | None, status: str
) -> dict[str, Any]:
    codes = codes_of(coded)
    day = at.astimezone(entry.document.site.time_zone).date() if at else None
    loss = next((_LOSSES[each] for each in sorted(codes) if each in _LOSSES), None)
    speaks = bool(found & {"pregnant", "delivered"} or loss or codes & _PRENATAL_VISITS)
    if speaks and status == "refuted":
        return {"status": "refuted", "observed_at": at}
    if loss and day:
        return {"status": "ended", "outcome": loss, "ended_on": day, "observed_at": at}
    if "delivered" in found and day:
        return {"status": "delivered", "ended_on": day, "observed_at": at}
    return {"status": "pregnant", "observed_at": at} if "pregnant" in found or codes & _PRENATAL_VISITS else {}


_DONE: Final = {"completed": "completed", "not-done": "not_done", "entered-in-error": "entered_in_error"}
_NOT_DONE_YET: Final = frozenset({"preparation", "in-progress", "on-hold", "stopped"})


def procedure_events(entry: Entry) -> tuple[AnyEvent, ...]:
    """A procedure done; an imaging study is imaging, and a delivery also ends a pregnancy."""
    seen = entry.read(Procedure)
    if seen.status in _NOT_DONE_YET:
        return entry.document.ignore(f"Procedure {seen.status}")
    status = _DONE.get(seen.status or "")
    if status is None:
        raise entry.refused(f"unknown status; accepted are {', '.join((*_DONE, *sorted(_NOT_DONE_YET)))}", "status")
    if status != "completed" and (taken_back := entry.withdrawn("entered_in_error", entry.last_updated(), PREGNANCY)):
        return (*entry.told_or_withdrawn(status, lambda: _done(entry, seen, status)), *taken_back)
    return entry.told_or_withdrawn(status, lambda: _done(entry, seen, status))


def _done(entry: Entry, seen: Procedure, status: str) -> tuple[AnyEvent, ...]:
    patient_id = patient_of(entry, seen.subject)
    if patient_id is None:
        return ()
    period = seen.performed_period
    at = entry.at(seen.performed_date_time, "performedDateTime") or entry.at(
        period.start if period else None, "performedPeriod.start"
    )
    if at is None:
        raise entry.refused("no clinical time; expected a date or an instant", "performed[x]")
    common: dict[str, Any] = {"patient_id": patient_id, "recorded_at": entry.recorded_at(at)}
    tables = entry.document.tables
    if (study := mapped(seen.code, tables, tables.imaging)) is not None:
        return _studied(entry, study[1], at, status, common)
    found = mapped(seen.code, tables, tables.procedure)
    coding = found[0] if found else _coding(entry, seen.code, is_mapped=False)
    done = entry.event(events.Procedure, code=code(coding, tables), status=status, performed_at=at, **common)
    is_delivery = status == "completed" and found is not None and found[1] == "delivery"
    return (done, *(_delivered(entry, at, common) if is_delivery else ()))


def _studied(
    entry: Entry, study: tuple[str, str], at: datetime, status: str, common: dict[str, Any]
) -> tuple[AnyEvent, ...]:
    modality, region = study
    said = {"completed": "performed", "not_done": "cancelled"}.get(status, status)
    return (entry.event(events.Imaging, modality=modality, region=region, performed_at=at, status=said, **common),)


def _delivered(entry: Entry, at: datetime, common: dict[str, Any]) -> tuple[AnyEvent, ...]:
    day = at.astimezone(entry.document.site.time_zone).date()
    return (entry.event(events.Pregnancy, part=PREGNANCY, status="delivered", ended_on=day, observed_at=at, **common),)
