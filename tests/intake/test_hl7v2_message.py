"""A message as it comes over the wire: separators, escapes, character sets, times, frames."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.events import LabResult, Patient
from streams.intake.hl7v2 import split_hl7v2
from streams.intake.hl7v2.message import parse
from streams.intake.hl7v2.times import UnreadableTimeError, moment
from streams.intake.site import Site
from tests.intake.hl7v2_clinic import BERLIN, PID, message, obx, only, refusal, report, told, translate


def test_custom_separators_are_those_of_the_header() -> None:
    raw = report(obx("9.4")).decode().translate(str.maketrans("|^~\\&", "!@*/%"))
    assert only(LabResult, raw.encode()).value is not None


@pytest.mark.parametrize("encoding", ["^~\\&", "^~\\&#", "^~\\\\&"])
def test_the_truncation_character_and_doubled_backslashes_of_some_engines_are_understood(encoding: str) -> None:
    raw = report(obx("9.4"), "NTE|1||a\\T\\b").decode().replace("|^~\\&|", f"|{encoding}|", 1)
    raw = raw.replace("\\T\\", "\\\\T\\\\") if encoding == "^~\\\\&" else raw
    assert only(LabResult, raw.encode()).note == "a&b"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"caf\XC3A9\ ", "café"),
        (r"\XFF\ is no text", r"\XFF\ is no text"),
        (r"\Z1\ stays", r"\Z1\ stays"),
        (r"\.sp99999999999\ stays", r"\.sp99999999999\ stays"),
        (r"\.brx\ stays", r"\.brx\ stays"),
        (r"100\ percent", r"100\ percent"),
    ],
)
def test_escapes_are_resolved_and_what_is_none_stays_as_it_was_sent(sent: str, read: str) -> None:
    assert only(LabResult, report(obx("9.4"), f"NTE|1||{sent}")).note == read


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("ASCII", "ascii", "Roe"),
        ("", "utf-8", "Rö"),
        ("UNICODE UTF-8", "utf-8", "Rö"),
        ("8859/1", "iso8859-1", "Rö"),
        ("8859/2", "iso8859-2", "Řehoř"),
        ("8859/5", "iso8859-5", "Анна"),
        ("8859/15", "iso8859-15", "Œ€"),
        ("8859/1~UNICODE UTF-8", "iso8859-1", "Rö"),
    ],
)
def test_text_is_read_in_the_first_declared_character_set(charset: str, codec: str, name: str) -> None:
    raw = message("ADT^A08", PID.replace("Roe", name), charset=charset).decode().encode(codec)
    assert only(Patient, raw).name == f"Jane {name}"


@pytest.mark.parametrize(
    ("charset", "text", "counted"),
    [
        ("", "Roe", 0),
        ("", "Rö", 1),
        ("ASCII", "Rö", 1),
        ("ISO IR87", "Roe", 1),
        ("8859/1", "Roe", 0),
        ("8859/12", "Roe", 1),
    ],
)
def test_a_set_that_does_not_cover_the_text_or_is_unknown_is_counted(charset: str, text: str, counted: int) -> None:
    outcome = translate(message("ADT^A08", PID.replace("Roe", text), charset=charset))
    assert outcome.counted.get("charset_fallback", 0) == counted
    assert outcome.events


@pytest.mark.parametrize("charset", ["", "ASCII", "UNICODE UTF-8", "ISO IR87"])
def test_bytes_that_are_no_text_of_their_set_are_refused_and_not_guessed(charset: str) -> None:
    _, reason, where = refusal(message("ADT^A08", PID.replace("Roe", "R#"), charset=charset).replace(b"#^J", b"\xf6^J"))
    assert (where, "accepted" in reason) == ("MSH[1]-18", True)


def test_a_byte_order_mark_frames_and_nul_padding_do_not_matter_but_a_nul_inside_does() -> None:
    raw = report(obx("9.4"))
    assert told(b"\xef\xbb\xbf" + raw) == told(raw) == told(b"\x0b" + raw + b"\x1c\r") == told(raw + b"\x00\x00")
    assert refusal(raw.replace(b"Jane", b"Ja\x00ne"))[2] == "MSH[1]"
    assert refusal(raw.decode().encode("utf-16"))[2] == "MSH[1]-18"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_end_with_cr_lf_or_both(end: str) -> None:
    raw = report(obx("9.4"))
    assert told(raw.replace(b"\r", end.encode())) == told(raw)


def test_a_text_that_goes_on_over_a_line_end_is_kept_and_counted() -> None:
    for raw in (report(obx("9.4"), "NTE|1||one\ntwo"), report(obx("9.4"), "NTE|1||one", "two").replace(b"\r", b"\n")):
        outcome = translate(raw)
        assert [event.note for event in outcome.events if isinstance(event, LabResult)] == ["one\ntwo"]
        assert outcome.counted["continuation_line"] == 1


def test_a_text_of_several_lines_does_not_cost_the_fields_behind_it() -> None:
    found = only(LabResult, report(obx("first\nsecond", "TX", unit="", status="P")))
    assert (found.value_text, found.status) == ("first\nsecond", "preliminary")


def test_a_line_that_is_no_segment_is_refused_by_its_number_and_the_rest_goes_on() -> None:
    outcome = translate(report(obx("9.4"), "ob?|2|NM|x"))
    assert [refused.where for refused in outcome.refusals] == ["line 5"]
    assert len(outcome.events) == 1


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"MSH", b"PID|1", b"MSH|", b"MSHxxxxxxxxx", b"MSH|||||||||", b"\xff\xfe", b"{}"]
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    outcome = translate(raw)
    assert outcome.refused_whole
    assert "accepted" in outcome.refusals[0].reason


@pytest.mark.parametrize("mode", ["T", "D"])
def test_training_and_debugging_are_never_live(mode: str) -> None:
    outcome = translate(report(obx("9.4"), mode=mode))
    assert (outcome.events, outcome.refusals, outcome.ignored) == ((), (), {f"MSH-11 {mode}": 1})


def test_an_unknown_processing_id_is_refused() -> None:
    assert refusal(report(obx("9.4"), mode="2.5"))[2] == "MSH[1]-11"


def test_a_refusal_names_the_message_and_never_its_patient() -> None:
    refused, reason, where = refusal(report(obx("9.4"), patient="PID|1||||Roe^Jane"))
    assert (refused, where) == ("ORU^R01 C1", "PID[1]-3")
    assert "Roe" not in reason


def test_a_message_without_a_type_and_one_of_no_interest_are_told_apart() -> None:
    assert refusal(message("", PID))[2] == "MSH[1]-9"
    assert translate(message("VXU^V04", PID, "RXA|0|1")).ignored == {"VXU^V04": 1}


def test_segments_that_nobody_reads_are_counted_by_name() -> None:
    assert translate(report(obx("9.4"), "ZPI|1", "ZPI|2", "CTD|1")).ignored == {"ZPI": 2, "CTD": 1}


def test_the_message_is_recorded_at_msh_7_else_evn_2_else_refused() -> None:
    noon = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert told(message("ADT^A08", PID))[0].recorded_at == noon
    assert told(message("ADT^A08", "EVN|A08|202603011200", PID, at=""))[0].recorded_at == noon
    assert refusal(message("ADT^A08", "EVN|A08", PID, at=""))[2] == "MSH[1]-7"


def test_the_source_is_the_sites_name_for_the_feed_else_sender_and_facility() -> None:
    assert told(message("ADT^A08", PID))[0].source == "LAB|HOUSE"
    assert told(message("ADT^A08", PID), Site(source="adt-feed"))[0].source == "adt-feed"


def test_an_event_is_named_by_control_id_and_segment_and_by_content_where_there_is_no_control_id() -> None:
    assert told(report(obx("9.4")))[0].event_id == "C1:OBX4:1"
    nameless = translate(report(obx("9.4"), control=""))
    assert nameless.events == translate(report(obx("9.4"), control="")).events
    assert nameless.counted["no_control_id"] == 1
    assert nameless.events[0].event_id != translate(report(obx("9.5"), control="")).events[0].event_id


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("202601310800", "2026-01-31T08:00:00+01:00"),
        ("20260131080005", "2026-01-31T08:00:05+01:00"),
        ("20260131080005.25", "2026-01-31T08:00:05.250000+01:00"),
        ("20260131080005.1234567", "2026-01-31T08:00:05.123456+01:00"),
        ("2026013108", "2026-01-31T08:00:00+01:00"),
        ("202607010800", "2026-07-01T08:00:00+02:00"),
        ("202601310800+0215", "2026-01-31T08:00:00+02:15"),
        ("202601310800-0500", "2026-01-31T08:00:00-05:00"),
        ("20260131", "2026-01-31T00:00:00+01:00"),
        ("202610250230", "2026-10-25T02:30:00+02:00"),  # twice that night: the first
    ],
)
def test_a_time_is_local_to_the_site_unless_it_carries_its_offset(text: str, at: str) -> None:
    assert moment(text, "", BERLIN.time_zone).at.isoformat() == at


@pytest.mark.parametrize(
    "text",
    [
        "2026",
        "202601",
        "20260230",
        "202601312500",
        "202601310860",
        "202603290230",
        "26013108",
        "2026-01-31",
        "yesterday",
        "202601310800+2500",
        "٢٠٢٦٠١٣١",
        "17000101",
        "20260131T08",
        "202601310800Z",
    ],
)
def test_a_time_without_a_day_or_that_never_was_is_refused(text: str) -> None:
    with pytest.raises(UnreadableTimeError):
        moment(text, "", BERLIN.time_zone)


def test_the_declared_precision_of_a_time_is_believed() -> None:
    assert moment("20260131000000", "D", BERLIN.time_zone).day_only
    with pytest.raises(UnreadableTimeError):
        moment("20260101000000", "Y", BERLIN.time_zone)


def test_a_fixed_offset_keeps_the_repeated_hour_in_order() -> None:
    first = moment("202610250230", "", BERLIN.time_zone).at
    second = moment("202610250230+0100", "", BERLIN.time_zone).at
    assert second - first == timedelta(hours=1)


def split(raw: bytes) -> list[bytes]:
    return [found.strip() for found in split_hl7v2(raw)]


def test_a_file_gives_its_messages_framed_batched_or_one_after_the_other() -> None:
    one, two = report(obx("9.4")).rstrip(b"\r"), report(obx("9.5"), control="C2").rstrip(b"\r")
    batch = b"\r".join((b"FHS|^~\\&|A", b"BHS|^~\\&|A", one, two, b"BTS|2", b"FTS|1"))
    assert split(batch) == [one, two]
    assert split(b"\x0b" + one + b"\r\x1c\r\x0b" + two + b"\r\x1c\r") == [one, two]
    assert split(one + b"\n\n" + two) == [one, two]
    assert split(one.replace(b"\r", b"\r\n") + b"\r\n") == [one.replace(b"\r", b"\r\n")]
    assert split(b"\x0b\x1c\r \r\n") == []


def test_what_stands_before_a_header_is_not_lost_but_refused() -> None:
    stray, whole = split_hl7v2(b"PID|1||X\r" + report(obx("9.4")))
    assert translate(stray).refused_whole
    assert translate(whole).events


def test_two_messages_at_once_are_refused_as_the_second_would_go_under_the_name_of_the_first() -> None:
    assert refusal(report(obx("9.4")) + report(obx("9.5"), control="C2"))[2] == "MSH[2]"


def test_a_message_is_read_once_and_its_fields_when_asked_for() -> None:
    read = parse(report(obx("9.4"), specimen="SPM|1|||SER&x^Serum~PLAS^Plasma"))
    assert [segment.name for segment in read.segments] == ["MSH", "PID", "OBR", "OBX", "SPM"]
    specimen = next(read.named("SPM"))
    assert (specimen.value(4, 1, 2), specimen.value(4, 2), specimen.value(9), specimen.value(4, 9)) == (
        "x",
        "Serum",
        "",
        "",
    )
    assert [element.part() for element in specimen.each(4)] == ["SER", "PLAS"]
