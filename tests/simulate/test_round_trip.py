"""What is said as HL7 v2 or FHIR is translated to what was meant, but for what the format cannot say."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import EVENT, AnyEvent
from streams.inputs import Intake
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory, Site
from streams.simulate import fhir, hl7v2, native
from streams.simulate.messages import Message
from streams.simulate.options import Imperfections, Options
from tests.simulate.hospital import ILL, simulated, tables

COURSES = Options(patients=70, days=200, run_in=300, enrich=ILL)
TRAFFIC = Options(patients=0, days=1, mix="hospital", messages=2_500)
WRONG = Options(seed=3, patients=30, days=150, imperfections=Imperfections(0.05, 0.05, 0.2, 0.2))
WITHOUT_VALUE = frozenset({"value", "value_text"})
"""An OBX that is taken back says no value."""
NAMES = frozenset({"event_id", "source", "record_id", "note", "history", "specimen"})
LOST: Mapping[str, Mapping[str, frozenset[str] | None]] = {"hl7v2": hl7v2.NOT_CARRIED, "fhir": fhir.NOT_CARRIED}


def intake() -> Intake:
    site = Site(fhir_authorities={fhir.IDENTIFIER_SYSTEM: ""})
    return Intake(site, tables(), MemoryDirectory())


def plain(value: Any, lost: frozenset[str]) -> Any:
    """A value without names, empty fields and what is lost."""
    if isinstance(value, dict):
        return tuple(sorted((k, plain(v, lost)) for k, v in value.items() if v is not None and k not in lost))
    if isinstance(value, list | tuple):
        return tuple(plain(each, lost) for each in value)
    return str(value.normalize()) if isinstance(value, Decimal) else str(value)


def content(event: AnyEvent, lost: frozenset[str]) -> Any:
    """What an event says, whatever it is called."""
    said = event.model_dump()
    if event.kind == "prescription" and said["effective_from"] is None:
        said["effective_from"] = said["recorded_at"]  # what the contract reads where none is said
    return plain(said, lost | NAMES)


def contents(events: Iterator[AnyEvent], form: str) -> Counter[Any]:
    """Everything said, as often as it is said; who the patient is, is said with every message of HL7 v2."""
    found: Counter[Any] = Counter()
    for event in events:
        lost = LOST[form].get(event.kind, frozenset())
        if form == "hl7v2" and event.kind == "lab_result" and event.status == "cancelled":
            lost = WITHOUT_VALUE
        if lost is None or event.kind == "patient" or event.patient_id.startswith("fhir|"):
            continue
        if form == "hl7v2" and event.kind == "pregnancy" and event.status in {"delivered", "ended"}:
            continue
        found[content(event, lost)] += 1
    return found


def told(translations: Iterator[Translation]) -> Iterator[AnyEvent]:
    for translation in translations:
        assert translation.refusals == ()
        yield from translation.events


def by_hl7v2(messages: list[Message]) -> Iterator[AnyEvent]:
    taken = intake()
    return told(taken.hl7v2(text) for message in messages if (text := hl7v2.text(message)))


def by_fhir(messages: list[Message]) -> Iterator[AnyEvent]:
    taken = intake()
    return told(taken.line(line) for message in messages for line in fhir.lines(message).splitlines())


def meant(messages: list[Message], form: str) -> Iterator[AnyEvent]:
    for message in messages:
        if form == "hl7v2" and not message.type:
            continue
        yield from (EVENT.validate_python(event) for event in native.events(message))


@pytest.mark.parametrize(("form", "translated"), [("hl7v2", by_hl7v2), ("fhir", by_fhir)])
@pytest.mark.parametrize("options", [COURSES, TRAFFIC, WRONG], ids=["courses", "traffic", "imperfect"])
def test_the_translation_says_what_was_meant(
    options: Options, form: str, translated: Callable[[list[Message]], Iterator[AnyEvent]]
) -> None:
    messages = [one.message for one in simulated(options).sent]
    expected, found = contents(meant(messages, form), form), contents(translated(messages), form)
    assert sum(expected.values()) > 1_000
    assert expected - found == Counter()
    assert found - expected == Counter()


def test_every_kind_of_a_course_is_said() -> None:
    """The round trip would be easy if nothing happened."""
    kinds = {event["kind"] for event in simulated(COURSES).said}
    assert kinds >= {
        "administration", "bone_density", "condition", "dispense", "encounter", "imaging", "lab_order", "lab_result",
        "lactation", "measurement", "patient", "pregnancy", "prescription", "procedure", "risk_factor", "symptom",
    }  # fmt: skip


def test_the_patient_is_the_same_in_every_format() -> None:
    messages = [one.message for one in simulated(COURSES).sent]
    people = {event.patient_id for event in meant(messages, "events")}
    assert {e.patient_id for e in by_hl7v2(messages)} == people
    assert {e.patient_id for e in by_fhir(messages) if not e.patient_id.startswith("fhir|")} == people


@pytest.mark.parametrize("form", ["hl7v2", "fhir"])
def test_identities_are_merged_alike(form: str) -> None:
    """FHIR cannot part two Patients again, so a merge by mistake is not told by it at all."""
    options = Options(seed=5, patients=40, days=120, imperfections=Imperfections(merged=0.3, unmerged=0.3))
    messages = [one.message for one in simulated(options).sent]
    kinds = {"patient_merge", "patient_unmerge"}
    expected = {(e.kind, e.patient_id, e.into) for e in meant(messages, form) if e.kind in kinds}  # type: ignore[union-attr]
    if form == "fhir":
        expected = {link for link in expected if link[1].startswith("T")}
    events = by_hl7v2(messages) if form == "hl7v2" else by_fhir(messages)
    found = {(e.kind, e.patient_id, e.into) for e in events if e.kind in kinds}  # type: ignore[union-attr]
    assert {link for link in found if not link[1].startswith("fhir|")} == expected
    assert len(expected) > 5


def test_a_birth_is_told_by_fhir_and_not_by_hl7v2() -> None:
    messages = [one.message for one in simulated(COURSES).sent]
    assert [e for e in by_hl7v2(messages) if e.kind == "pregnancy" and e.status == "delivered"] == []
    assert [e for e in by_fhir(messages) if e.kind == "pregnancy" and e.status == "delivered"]
