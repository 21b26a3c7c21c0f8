"""FHIR that nobody on this project wrote: HL7's examples, US Core and whole Synthea records."""

from collections import Counter
from pathlib import Path

import pytest

from schemas.events import AnyEvent, BoneDensity, Dispense, LabResult, Pregnancy, Prescription
from streams.intake.fhir import translate_fhir_bytes
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory, Site
from tests.intake.fhir_clinic import of_kind, tables

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
FOLDERS = ("hl7-r4-examples", "us-core", "synthea-pregnant")
FILES = [path for folder in FOLDERS for path in sorted((FIXTURES / folder).glob("*.json"))]
pytestmark = pytest.mark.skipif(not FILES, reason=f"the third-party files are not at {FIXTURES}")

SYNTHEA = "https://github.com/synthetichealth/synthea"
MEDICAL_RECORD = "http://hospital.smarthealthit.org"


def read(path: Path, site: Site | None = None) -> Translation:
    site = site or Site(fhir_authorities={SYNTHEA: "SYNTHEA", MEDICAL_RECORD: "MRN"})
    return translate_fhir_bytes(path.read_bytes(), site=site, tables=tables(), directory=MemoryDirectory())


def kind_of_outcome(outcome: Translation) -> str:
    if outcome.events:
        return "events"
    return "refused" if outcome.refusals else "ignored" if outcome.ignored else "counted"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_gives_an_outcome(path: Path) -> None:
    outcome = read(path)
    assert outcome.events or outcome.refusals or outcome.ignored or outcome.counted
    assert all(refused.refused and refused.reason and refused.where for refused in outcome.refusals)


@pytest.mark.parametrize("folder", FOLDERS)
def test_most_of_each_folder_is_understood(folder: str) -> None:
    outcomes = Counter(kind_of_outcome(read(path)) for path in FILES if path.parent.name == folder)
    print(folder, dict(outcomes))
    assert outcomes["refused"] < sum(outcomes.values()) / 4


def everything(folder: str) -> list[AnyEvent]:
    return [event for path in FILES if path.parent.name == folder for event in read(path).events]


def named(folder: str, name: str) -> Translation:
    return read(FIXTURES / folder / f"{name}.json")


def test_the_synthea_records_are_read_whole_and_without_a_refusal() -> None:
    for path in FILES:
        if path.parent.name == "synthea-pregnant":
            outcome = read(path)
            assert outcome.refusals == ()
            named = {event.patient_id for event in outcome.events}
            assert len([each for each in named if not each.startswith("fhir|")]) == 1


def test_the_synthea_records_tell_pregnancies() -> None:
    told = of_kind(everything("synthea-pregnant"), Pregnancy)
    assert {each.status for each in told} == {"pregnant", "ended"}
    assert all(each.last_menstrual_period is None for each in told)


def test_no_zero_width_space_is_left_in_what_is_shown() -> None:
    shown = "".join(event.model_dump_json() for event in everything("synthea-pregnant"))
    assert "\u200b" not in shown


def test_the_dxa_examples_tell_bone_density() -> None:
    told = of_kind(everything("us-core"), BoneDensity)
    assert len(told) == 6
    assert any(each.t_score is not None and each.t_score < -1 for each in told)


def test_the_pregnancy_status_example_is_pregnant() -> None:
    (told,) = of_kind(named("us-core", "observation-pregnancy-status").events, Pregnancy)
    assert told.status == "pregnant"


def test_the_calcium_example_is_a_result() -> None:
    (told,) = of_kind(named("us-core", "observation-serum-calcium").events, LabResult)
    assert told.unit == "mg/dL"


def test_the_tapering_example_is_told_in_three_steps() -> None:
    told = of_kind(named("hl7-r4-examples", "MedicationRequest-medrx0303").events, Prescription)
    assert [str(each.dose.value) for each in told if each.dose] == ["4", "2", "1"]
    assert [str(each.effective_from.date()) for each in told if each.effective_from] == [
        "2015-01-16",
        "2015-01-23",
        "2015-01-31",
    ]


def test_a_plan_of_the_patient_is_no_order() -> None:
    assert named("us-core", "medicationrequest-self-tylenol").events == ()


def test_the_dispense_example_has_its_doses_a_day() -> None:
    (told,) = of_kind(named("us-core", "medicationdispense-example").events, Dispense)
    assert told.doses_per_day == 2
