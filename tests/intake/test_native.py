"""The native event: taken as it is, or refused by the name of its field."""

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import KINDS, LabResult, Prescription
from schemas.wire import LARGEST_MESSAGE, decode_events
from streams.intake.native import translate_decoded, translate_native
from streams.intake.outcome import Translation

CALCIUM: dict[str, object] = {
    "kind": "lab_result",
    "event_id": "m-1",
    "patient_id": "MRN-1",
    "source": "lab",
    "record_id": "A1#17861-6",
    "recorded_at": "2026-01-31T09:00:00+01:00",
    "code": {"system": "http://loinc.org", "code": "17861-6"},
    "value": 9.5,
    "unit": "mg/dL",
    "status": "final",
    "collected_at": "2026-01-31T08:00:00+01:00",
}


def calcium(**changed: object) -> bytes:
    return json.dumps({**CALCIUM, **changed}).encode()


def only_refusal(outcome: Translation) -> tuple[str, str]:
    assert outcome.refused_whole
    (refusal,) = outcome.refusals
    return refusal.where, refusal.reason


def test_an_event_is_taken_with_every_digit_of_its_value() -> None:
    outcome = translate_native(calcium().replace(b"9.5", b"9.50"))
    (event,) = outcome.events
    assert isinstance(event, LabResult)
    assert str(event.value) == "9.50"
    assert (outcome.refusals, dict(outcome.counted)) == ((), {})


def test_the_patient_is_taken_as_named() -> None:
    (event,) = translate_native(calcium(patient_id="CLINIC|0042")).events
    assert event.patient_id == "CLINIC|0042"


TWICE = b'{"patient_id": "MRN-2", %s' % calcium()[1:]


def test_an_event_that_names_two_patients_is_refused_by_name() -> None:
    where, reason = only_refusal(translate_native(TWICE))
    assert (where, reason) == ("$.patient_id", "patient_id twice; accepted is one")


def test_of_an_array_only_the_event_that_names_two_patients_is_refused() -> None:
    given = decode_events(b"[%s, %s]" % (calcium().replace(b"9.5", b"9.50"), TWICE))
    first, second = (translate_decoded(one) for one in given)
    assert [str(event.value) for event in first.events if isinstance(event, LabResult)] == ["9.50"]
    assert [refusal.where for refusal in second.refusals] == ["$.patient_id"]


def test_a_patient_named_again_in_a_field_nobody_reads_is_no_second_one() -> None:
    outcome = translate_native(calcium(order={"patient_id": "MRN-2"}))
    assert ([event.patient_id for event in outcome.events], outcome.refusals) == (["MRN-1"], ())


def test_an_unknown_kind_is_refused_and_the_accepted_ones_are_named() -> None:
    where, reason = only_refusal(translate_native(calcium(kind="blood_gas")))
    assert where == "$.kind"
    assert all(kind in reason for kind in KINDS)
    assert "blood_gas" not in reason


@pytest.mark.parametrize("kind", [None, 1, [], {}, "", "Lab_Result"])
def test_a_kind_that_is_no_word_of_the_list_is_refused(kind: object) -> None:
    assert only_refusal(translate_native(calcium(kind=kind)))[0] == "$.kind"


def test_unknown_fields_are_ignored_but_counted_on_every_level() -> None:
    code = {"system": "http://loinc.org", "code": "17861-6", "version": "2.78"}
    outcome = translate_native(calcium(code=code, reference_range={"low": 8, "text": "8-10"}, ward="5B", _x=1))
    assert len(outcome.events) == 1
    assert outcome.counted == {"unknown_field": 4}


def test_unknown_fields_of_findings_in_a_list_are_counted() -> None:
    study = {
        **{name: CALCIUM[name] for name in ("event_id", "patient_id", "source", "record_id", "recorded_at")},
        "kind": "imaging",
        "status": "final",
        "modality": "MRI",
        "region": "spine",
        "findings": [{"finding": "normal", "grade": 1}, {"finding": "rib_fracture", "grade": 2}],
    }
    outcome = translate_native(json.dumps(study).encode())
    assert len(outcome.events) == 1
    assert outcome.counted == {"unknown_field": 2}


@pytest.mark.parametrize(
    ("changed", "where", "expected"),
    [
        ({"collected_at": "2026-01-31"}, "$.collected_at", "2026-01-31T08:00:00+01:00"),
        ({"collected_at": "2026-01-31T08:00:00"}, "$.collected_at", "an instant with an offset"),
        ({"value": "9.5"}, "$.value", "a number (not text)"),
        ({"status": "amended"}, "$.status", "'corrected'"),
        ({"code": {"system": "http://loinc.org"}}, "$.code.code", "required"),
        ({"patient_id": ""}, "$.patient_id", "at least 1 character"),
        ({"record_id": None}, "$.record_id", "valid string"),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_accepted(
    changed: dict[str, object], where: str, expected: str
) -> None:
    refused_at, reason = only_refusal(translate_native(calcium(**changed)))
    assert refused_at == where
    assert expected in reason


def test_every_wrong_field_has_its_own_refusal() -> None:
    outcome = translate_native(calcium(value="9.5", status="amended"))
    assert {refusal.where for refusal in outcome.refusals} == {"$.value", "$.status"}


def test_a_refusal_never_quotes_what_was_sent() -> None:
    outcome = translate_native(calcium(patient_id=7, status="Jane Roe", collected_at="Jane Roe"))
    assert "Jane Roe" not in repr(outcome)
    assert {refusal.refused for refusal in outcome.refusals} == {"event m-1"}


def test_the_feed_gives_its_name_only_to_events_without_one() -> None:
    nameless = json.dumps({name: value for name, value in CALCIUM.items() if name != "source"}).encode()
    assert translate_native(nameless, source="feed").events[0].source == "feed"
    assert translate_native(calcium(), source="feed").events[0].source == "lab"
    assert only_refusal(translate_native(nameless))[0] == "$.source"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"NaN",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"kind":' * 100_000,
        b'{"kind":"lab_result","patient_id":"\\ud800"}',
        b'{"kind":"lab_result","value":1' + b"0" * 6_000 + b"}",
    ],
    ids=["empty", "cut", "nan", "list", "null", "text", "no-utf8", "depth", "surrogate", "digits"],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    assert only_refusal(translate_native(raw))[0] == "$"


def test_a_number_beyond_any_measurement_is_refused() -> None:
    where, reason = only_refusal(translate_native(calcium().replace(b"9.5", b"1e400")))
    assert (where, "finite" in reason) == ("$.value", True)


@pytest.mark.parametrize(("size", "refused_at"), [(LARGEST_MESSAGE, None), (LARGEST_MESSAGE + 1, "$")])
def test_one_event_may_have_the_size_of_the_largest_message_and_no_more(size: int, refused_at: str | None) -> None:
    outcome = translate_native(calcium().ljust(size))
    assert [refusal.where for refusal in outcome.refusals] == ([] if refused_at is None else [refused_at])


def test_a_dose_keeps_its_unit_as_given() -> None:
    common = {name: CALCIUM[name] for name in ("event_id", "patient_id", "source", "record_id", "recorded_at")}
    drug = {"system": "http://www.whocc.no/atc", "code": "B01AB01"}
    order = {**common, "kind": "prescription", "drug": drug, "status": "active", "starts_at": "2026-01-31T08:00:00Z"}
    (event,) = translate_native(json.dumps({**order, "dose": {"value": 5000, "unit": "[IU]"}}).encode()).events
    assert isinstance(event, Prescription)
    assert event.dose is not None
    assert (event.dose.value, event.dose.unit) == (Decimal(5000), "[IU]")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab-1é\u200b", max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(sorted(CALCIUM)), anything, max_size=4))
def test_whatever_a_field_holds_the_outcome_is_an_event_or_a_refusal(changed: dict[str, object]) -> None:
    outcome = translate_native(json.dumps({**CALCIUM, **changed}).encode())
    assert bool(outcome.events) != bool(outcome.refusals)
