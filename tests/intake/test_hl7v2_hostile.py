"""Whatever arrives gives an outcome, in bounded time and memory."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schemas.events import EVENT, AnyEvent
from schemas.wire import LARGEST_MESSAGE, decode, encode
from streams.intake.hl7v2 import split_hl7v2
from streams.intake.outcome import Translation
from tests.intake.hl7v2_clinic import PID, message, obx, report, translate

SAMPLES = (
    report(obx("9.4", _7="8-10"), "NTE|1||a\\F\\b", obx("<^5", "SN"), specimen="SPM|1|||SER|||||||||||||202603010700"),
    report(obx("12w3d", "ST", code="11884-4^GA^LN"), obx("7", code="72514-3^Pain^LN", _20="B^Back^L")),
    message(
        "RDE^O11",
        PID,
        "ORC|XO|P1|F1|||||||||||||202603021000",
        "TQ1|1||Q8H||||202603010900|202603110900",
        "RXE||5224^heparin^RXNORM|5000||[IU]|||||||||||||||||H2|100|mL",
        "RXR|SC",
    ),
    message("RAS^O17", PID, "ORC|RE|P1", "RXA|0|1|202603010900|202603011000|5224^heparin^RXNORM|999|[IU]|||||H1"),
    message("RDS^O13", PID, "ORC|RE|P1", "RXD|1|5224^heparin^RXNORM|202603010900|20|mL"),
    message("ORM^O01", PID, "ORC|SC|P1|F1||CM", "OBR|1|P1|F1|24968-0^MRI^LN|||202603010900"),
    message(
        "ADT^A08",
        "EVN|A08|202603010900",
        PID,
        "PV1|1|I|GYN",
        "DG1|1||M80.08XA^x^I10C||20260227",
        obx("6", _14="2026030109"),
    ),
    message("ADT^A40", PID, "MRG|12^^^CLINIC^MR~13", "PID|2||14", "MRG|15"),
    message("ADT^A24", PID, "PID|2||14"),
    message("SIU^S12", "SCH|A1|B1", PID, "AIS|1||24968-0^MRI^LN|202603051000"),
)
MRI = "OBR|1|P1|F1|24968-0^MRI^LN|||20260301"
HOSTILE = (
    "",
    "|",
    "^",
    "~",
    "\\",
    "&",
    "\r",
    "\n",
    "\x0b",
    "\x1c",
    "\x00",
    '""',
    "9" * 40,
    "-",
    "+",
    ".",
    "1e999",
    "\\.sp9999999\\",
    "\\X\\",
    "\\XD800\\",
    "20260230",
    "٣",
    "é",
    "\\" * 50,
    "&" * 50,
    "NaN",
    "Infinity",
    "Q0H",
    "0",
    "Q999999D",
    "H0",
    "\ufeff",
    "MSH|",
    "999999999999999999",
    "0." + "0" * 24 + "1",
)


def sound(outcome: Translation) -> None:
    """Every event is one that the wire takes, and every refusal says where and what would be accepted."""
    for event in outcome.events:
        assert EVENT.validate_python(decode(encode(event))).event_id == event.event_id
    for refused in outcome.refusals:
        assert refused.where
        assert refused.reason


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_message_with_any_of_its_fields_replaced_gives_an_outcome(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(SAMPLES)).decode()
    lines = [line.split("|") for line in raw.split("\r")]
    for _ in range(data.draw(st.integers(1, 4))):
        line = data.draw(st.sampled_from(lines))
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] = data.draw(
            st.sampled_from(HOSTILE) | st.text(max_size=12) | st.from_regex(r"\d{4,14}", fullmatch=True)
        )
    sound(translate("\r".join("|".join(line) for line in lines).encode("utf-8", "surrogatepass")))


@settings(max_examples=400, deadline=None)
@given(sample=st.sampled_from(SAMPLES), cut=st.floats(0, 1), put=st.binary(max_size=6), drop=st.integers(0, 6))
@example(sample=SAMPLES[0], cut=0.5, put=b"\xed\xa0\x80", drop=0)  # a lone surrogate
def test_a_message_cut_or_garbled_at_any_byte_gives_an_outcome(
    sample: bytes, cut: float, put: bytes, drop: int
) -> None:
    at = int(len(sample) * cut)
    sound(translate(sample[:at] + put + sample[at + drop :]))
    sound(translate(sample[:at]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_an_outcome_and_any_file_its_messages(raw: bytes) -> None:
    sound(translate(raw))
    sound(translate(b"MSH|^~\\&|" + raw))
    for each in split_hl7v2(raw):
        sound(translate(each))


def many_observations() -> bytes:
    return report(*(f"OBX|{n}|NM|17861-6^Calcium^LN|{n}|9.4|mg/dL|8-10||||F\rNTE|1||ok" for n in range(10_000)))


def notes_before_observations() -> bytes:
    return message("ORU^R01", PID, "OBR|1|P|F|X|||202603010800", *["NTE|1||x"] * 9_000, *[obx("9.4")] * 9_000)


def one_order_of_many_parts() -> bytes:
    return message("RDS^O13", PID, "ORC|RE|P1", *["RXD|1|5224^x^RXNORM|202603010900|20|mL", "RXR|SC"] * 9_000)


def many_identifiers() -> bytes:
    return message("ADT^A40", "PID|1||" + "~".join(f"{n}^^^A^MR" for n in range(50_000)), *["MRG|1^^^A^MR"] * 9_000)


def many_orders_of_a_patient_of_many_numbers() -> bytes:
    return message(
        "ORU^R01", "PID|1||" + "~".join(f"{n}^^^A^MR" for n in range(99)), *["OBR|1|P|F|X", obx("1")] * 9_000
    )


def many_answers() -> bytes:
    return report(
        obx("~".join(["A^yes^L"] * 4_999), "CWE", code="59776-5^Findings^LN"),
        request="OBR|1|P1|F1|24968-0^MRI^LN|||20260301",
    )


def too_many_answers() -> bytes:
    return many_answers().replace(b"A^yes^L~", b"A^yes^L~" * 40)


def deep_escapes() -> bytes:
    return report(
        obx("9.4"), "NTE|1||" + "\\T\\" * 300_000, "NTE|1||" + "\\" * 1_000_000, "NTE|1||" + "\\.sp" * 200_000
    )


def spaces_inside() -> bytes:
    return report(
        obx("12w" + " " * 500_000 + "x", "ST", code="11884-4^GA^LN"), "NTE|1||no" + " " * 500_000 + "haemolysis"
    )


def one_long_line() -> bytes:
    return b"MSH|^~\\&|" + b"x" * (LARGEST_MESSAGE - 100)


def many_segments() -> bytes:
    return report(*["ZZZ|1"] * 400_000)


@pytest.mark.parametrize(
    "hostile",
    [
        many_observations,
        notes_before_observations,
        one_order_of_many_parts,
        many_identifiers,
        many_answers,
        too_many_answers,
        deep_escapes,
        many_orders_of_a_patient_of_many_numbers,
        spaces_inside,
        one_long_line,
        many_segments,
    ],
)
def test_a_hostile_message_costs_bounded_time(hostile: Callable[[], bytes]) -> None:
    raw = hostile()
    began = time.process_time()
    outcome = translate(raw)
    assert time.process_time() - began < 6  # far above what it takes, far below what a quadratic step would
    assert outcome.events or outcome.refusals or outcome.ignored


def test_ten_thousand_observations_are_all_told() -> None:
    outcome = translate(many_observations())
    assert (len(outcome.events), outcome.refusals) == (10_000, ())


@pytest.mark.parametrize("size", [LARGEST_MESSAGE + 1, 50 * 1024 * 1024])
def test_a_message_above_the_largest_is_refused_unread(size: int) -> None:
    raw = SAMPLES[0] + b"NTE|1||" + b"x" * size
    began = time.process_time()
    (refused,) = translate(raw).refusals
    assert time.process_time() - began < 0.5
    assert str(LARGEST_MESSAGE) in refused.reason


def test_no_refusal_and_no_count_quotes_the_patient() -> None:
    for sample in SAMPLES:
        outcome = translate(sample.replace(b"Roe^Jane", b"Secretname^Jane").replace(b"4711", b"Secretname|"))
        told = f"{outcome.refusals}{outcome.ignored}{outcome.counted}"
        assert "Secretname" not in told


def test_the_same_bytes_give_the_same_events() -> None:
    def names(events: tuple[AnyEvent, ...]) -> list[bytes]:
        return [encode(event) for event in events]

    for sample in SAMPLES:
        assert names(translate(sample).events) == names(translate(sample).events)
