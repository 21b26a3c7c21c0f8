"""What a sender is told: of whom, in which mode, with which words, and nothing of the patient."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.intake.hl7v2 import translate_hl7v2
from streams.intake.outcome import Refusal
from streams.intake.site import MemoryDirectory, Site
from streams.node.acknowledgement import (
    Header,
    Remark,
    Verdict,
    acknowledgement,
    acknowledgements,
    read_header,
    verdict_of,
    verdict_of_failure,
)
from streams.node.port import ItemOutcome, NotDurableError, Outcome, QueueFullError
from tests.node.mllp_clinic import message, told
from tests.support import tables

NOW = datetime(2026, 3, 3, 8, 15, 1, tzinfo=ZoneInfo("Europe/Berlin"))
ACCEPTED = Verdict("accepted")
REFUSED = Verdict("refused", (Remark("100", "no PID; accepted: MSH, PID", "PID[1]"),))
ERROR = Verdict("error", (Remark("207", "it could not be stored; send it again after 5 s"),))


def answers(content: bytes, verdict: Verdict) -> list[str]:
    found = acknowledgements(read_header(content), verdict, now=NOW, control_id=lambda: "C1")
    return [answer.decode("latin-1") for answer in found]


def answer(content: bytes, verdict: Verdict) -> str:
    (only,) = answers(content, verdict)
    return only


# ---- the header


def test_an_acknowledgement_in_full() -> None:
    """Turned round, with a control id of its own, and the sender's in MSA-2."""
    assert answer(message("M7"), ACCEPTED) == (
        "MSH|^~\\&|TRABECULA|SOUTH|LAB|NORTH|20260303081501+0100||ACK^R01^ACK|C1|P|2.5.1\rMSA|AA|M7\r"
    )


def test_where_python_hl7_can_build_one_it_says_the_same() -> None:
    ours = hl7.parse(answer(message("M7"), ACCEPTED))
    theirs = hl7.parse(message("M7").decode()).create_ack("AA", message_id="C1")
    ours.segment("MSH")[7] = theirs.segment("MSH")[7] = ""
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("header", ["MSH|^~\\&|A|B|C|D|2024||ORU|M7", "MSH|^~\\&|||||||||M7", "MSH|^~\\&"])
def test_where_it_cannot_ours_still_does(header: str) -> None:
    """Why acknowledgements are built by hand."""
    with pytest.raises((TypeError, IndexError)):
        hl7.parse(header + "\r").create_ack("AA")
    assert told(answer(header.encode() + b"\r", ACCEPTED).encode())[0] == "AA"


def test_the_charset_and_the_bytes_are_the_senders() -> None:
    """A sender's name in its own character set comes back byte by byte."""
    sent = "MSH|^~\\&|KÜCHE|NORD|TRABECULA|SÜD|2026||ORU^R01|M7|P|2.5.1||||||8859/1\r".encode("latin-1")
    assert answer(sent, ACCEPTED).split("\r")[0] == (
        "MSH|^~\\&|TRABECULA|SÜD|KÜCHE|NORD|20260303081501+0100||ACK^R01^ACK|C1|P|2.5.1||||||8859/1"
    )


def test_the_separators_are_the_senders() -> None:
    assert answer(b"MSH#*~\\&#A##B##2026##ORU*R01#M7#P#2.5.1\r", REFUSED) == (
        "MSH#*~\\&#B##A##20260303081501+0100##ACK*R01*ACK#C1#P#2.5.1\r"
        "MSA#AR#M7#no PID; accepted: MSH, PID\r"
        "ERR##PID*1#100*Segment sequence error*HL70357#E####no PID; accepted: MSH, PID\r"
    )


@pytest.mark.parametrize(
    ("content", "control"),
    [
        (b"\xef\xbb\xbfMSH|^~\\&|A|B|C|D|2026||ORU^R01|M7|P|2.5.1\r", "M7"),
        (b"\r\n MSH|^~\\&|A|B|C|D|2026||ORU^R01|M7|P|2.5.1\n", "M7"),
        (b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|A|B|C|D|2026||ORU^R01|M7|P|2.5.1\r", "M7"),
        (b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|M\x0b7|P|2.5.1", "M7"),
        (b"MSH|^~\\\\&|A|B|C|D|2026||ORU^R01|M7|P|2.5.1\r", "M7"),
        (b"MSH|^~\\&|A|B|C|D|2026||ORU^R01||P|2.5.1\r", ""),
        (b"MSHA^~\\&AB", ""),
        (b"MSH", ""),
        (b"PID|1||4711\r", ""),
        (b"\xff\xfeM\x00S\x00H\x00", ""),
        (b"", ""),
    ],
)
def test_the_control_id_is_found_where_there_is_one(content: bytes, control: str) -> None:
    assert told(answer(content, REFUSED).encode()) == ("AR", control)


@given(st.binary(max_size=300).map(lambda rest: b"MSH|^~\\&|" + rest) | st.binary(max_size=300))
def test_whatever_was_sent_there_is_one_line_a_segment(content: bytes) -> None:
    """Nothing of a header can begin a segment or end a block in its acknowledgement."""
    said = acknowledgement(read_header(content), REFUSED, "application", now=NOW, control_id="C1")
    assert [line[:3] for line in said.split(b"\r")] == [b"MSH", b"MSA", b"ERR", b""]
    assert not set(said) & (set(range(32)) - {0x0D})


# ---- the modes

MODES = [
    # MSH-15, MSH-16: told after accepted, after refused, after an error
    ("", "", ["AA"], ["AR"], ["AE"]),
    ("AL", "NE", ["CA"], ["CR"], ["CE"]),
    ("AL", "", ["CA"], ["CR"], ["CE"]),
    ("NE", "AL", ["AA"], ["AR"], ["AE"]),
    ("", "AL", ["AA"], ["AR"], ["AE"]),
    ("AL", "AL", ["CA", "AA"], ["CR"], ["CE"]),
    ("AL", "ER", ["CA"], ["CR"], ["CE"]),
    ("ER", "AL", ["AA"], ["CR"], ["CE"]),
    ("SU", "AL", ["CA", "AA"], ["AR"], ["AE"]),
    ("ER", "NE", [], ["CR"], ["CE"]),
    ("NE", "ER", [], ["AR"], ["AE"]),
    ("SU", "NE", ["CA"], [], []),
    ("NE", "SU", ["AA"], [], []),
    ("ER", "SU", ["AA"], ["CR"], ["CE"]),
    ("NE", "NE", [], [], []),
    ("al", "ne", ["CA"], ["CR"], ["CE"]),
    ("XX", "", ["CA"], ["CR"], ["CE"]),
]


@pytest.mark.parametrize(("accept", "application", "accepted", "refused", "error"), MODES)
def test_a_sender_is_told_what_it_asked_for(
    accept: str, application: str, accepted: list[str], refused: list[str], error: list[str]
) -> None:
    content = message("M7", more=f"|||{accept}|{application}")
    for verdict, codes in ((ACCEPTED, accepted), (REFUSED, refused), (ERROR, error)):
        assert [told(said.encode()) for said in answers(content, verdict)] == [(code, "M7") for code in codes]


@pytest.mark.parametrize(
    ("accept", "application", "hears"),
    [
        ("", "", True),
        ("NE", "NE", False),
        ("SU", "NE", False),
        ("ER", "NE", True),
        ("NE", "AL", True),
        ("SU", "SU", False),
    ],
)
def test_whether_a_sender_would_hear_of_a_failure(accept: str, application: str, hears: bool) -> None:
    assert read_header(message("M7", more=f"|||{accept}|{application}")).hears_refusals == hears


def test_an_acknowledgement_is_not_acknowledged() -> None:
    """Two receivers that are connected to each other would answer for ever."""
    assert answers(message("M7", kind="ACK^R01^ACK"), ACCEPTED) == []


# ---- the words


@pytest.mark.parametrize(
    ("where", "reason", "place", "code"),
    [
        ("MSH[1]-9", "no message type; accepted: e.g. ORU", "MSH^1^9", "200"),
        ("MSH[1]-11", "no known processing id; accepted: P", "MSH^1^11", "202"),
        ("MSH[1]-12", "no known version; accepted: 2.3", "MSH^1^12", "203"),
        ("PID[1]-3", "no patient identifier; accepted: NUMBER", "PID^1^3", "101"),
        ("OBX[3]-5", "not a plain number; accepted: e.g. 62.5", "OBX^3^5", "102"),
        ("OBX[3]-11", "no known status; accepted: F", "OBX^3^11", "103"),
        ("PID", "no PID before the order; accepted: PID", "PID^1", "100"),
        ("MRG[1]", "an MRG before its PID; accepted: PID", "MRG^1", "100"),
        ("MSH[2]", "more than one header; accepted: one", "MSH^2", "100"),
        ("MSH[1]", "a NUL byte inside the message; accepted: text", "MSH^1", "207"),
        ("line 7", "something else", "", "207"),
    ],
)
def test_an_err_names_place_and_code(where: str, reason: str, place: str, code: str) -> None:
    outcome = Outcome(refusals=(Refusal("ORU^R01 M7", reason, where),), refused_whole=True)
    (error,) = hl7.parse(answer(message("M7"), verdict_of(outcome))).segments("ERR")
    assert (str(error[2]), str(error[3][0][0]), str(error[3][0][2]), str(error[4])) == (place, code, "HL70357", "E")
    assert str(error[8]) == reason


def test_separators_in_the_words_are_escaped() -> None:
    outcome = Outcome(refusals=(Refusal("x", "no marks; accepted: e.g. |^~\\&", "MSH[1]-2"),), refused_whole=True)
    (error,) = hl7.parse(answer(message("M7"), verdict_of(outcome))).segments("ERR")
    assert str(error[8]) == "no marks; accepted: e.g. \\F\\\\S\\\\R\\\\E\\\\T\\"


def test_a_message_taken_in_part_is_accepted_with_warnings() -> None:
    """Table 0516, W: the transaction was successful, parts may not have been stored."""
    outcome = Outcome(
        items=(ItemOutcome("M7:OBX1:1", "accepted"), ItemOutcome("M7:OBX2:1", "refused", "recorded_in_future")),
        refusals=(Refusal("ORU^R01 M7", "not a number; accepted: 5.2", "OBX[3]-5"),),
    )
    said = hl7.parse(answer(message("M7"), verdict_of(outcome)))
    assert str(said.segment("MSA")[1]) == "AA"
    assert [(str(e[4]), str(e[8])) for e in said.segments("ERR")] == [
        ("W", "not a number; accepted: 5.2"),
        ("W", "recorded_in_future"),
    ]


def test_the_commit_of_a_message_taken_in_part_has_no_warnings() -> None:
    outcome = Outcome(refusals=(Refusal("ORU^R01 M7", "not a number; accepted: 5.2", "OBX[3]-5"),))
    commit, application = answers(message("M7", more="|||AL|AL"), verdict_of(outcome))
    assert "ERR" not in commit
    assert "ERR" in application


def test_before_version_2_5_an_error_has_the_older_form() -> None:
    said = answer(message("M7", version="2.3.1"), REFUSED)
    assert said.split("\r")[2] == "ERR|PID^1^^100&Segment sequence error&HL70357"
    partly = Verdict("accepted", REFUSED.remarks)
    assert answer(message("M7", version="2.3"), partly).split("\r")[1:] == ["MSA|AA|M7|no PID; accepted: MSH, PID", ""]


def test_since_version_2_7_msa_has_no_text() -> None:
    assert answer(message("M7", version="2.7"), REFUSED).split("\r")[1] == "MSA|AR|M7"


def test_many_refusals_are_told_in_part() -> None:
    refusals = tuple(Refusal("x", "not a number; accepted: 5.2", f"OBX[{n}]-5") for n in range(1, 41))
    errors = hl7.parse(answer(message("M7"), verdict_of(Outcome(refusals=refusals)))).segments("ERR")
    assert len(errors) == 10
    assert str(errors[9][8]) == "31 more"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotDurableError("disk full at /secret", 7), "it could not be stored; send it again after 7 s"),
        (QueueFullError("9 waiting", 2.5), "more is waiting than is taken; send it again after 2.5 s"),
        (KeyError("MARIA"), "an error of the receiver; send it again later"),
    ],
)
def test_a_failure_may_be_retried_and_says_nothing_of_itself(error: Exception, words: str) -> None:
    said = hl7.parse(answer(message("M7"), verdict_of_failure(error)))
    assert (str(said.segment("MSA")[1]), str(said.segment("ERR")[8])) == ("AE", words)


def test_a_message_that_is_too_large_never_can_be_taken() -> None:
    refusal = Refusal("ORU^R01 M7", "oversize: 300 bytes; accepted: up to 200 bytes a message", "MSH[1]")
    said = hl7.parse(answer(message("M7"), verdict_of(Outcome(refusals=(refusal,), refused_whole=True))))
    assert (str(said.segment("MSA")[1]), str(said.segment("ERR")[8])) == ("AR", refusal.reason)


def test_a_duplicate_is_accepted_again() -> None:
    assert verdict_of(Outcome(duplicate=True)) == ACCEPTED


def test_without_a_header_there_is_still_an_answer() -> None:
    assert acknowledgement(Header(), REFUSED, "application", now=datetime(2026, 3, 3, tzinfo=UTC), control_id="C1") == (
        b"MSH|^~\\&|||||20260303000000+0000||ACK|C1|P|2.5.1\rMSA|AR||no PID; accepted: MSH, PID\r"
        b"ERR||PID^1|100^Segment sequence error^HL70357|E||||no PID; accepted: MSH, PID\r"
    )


# ---- nothing of the patient

TABLES = tables()
SITE = Site(time_zone=ZoneInfo("Europe/Berlin"))
MARKED = (
    "MSH|^~\\&|LAB|NORTH|TRABECULA|SOUTH|20260303081500+0100||ORU^R01|M7|P|2.5.1\r"
    "PID|1||QX4711^^^HOSPITAL^MR||QXMUSTER^QXMARIA||19930504|F\r"
    "ORC|RE|P77|F88\r"
    "OBR|1|P77|F88|68438-1^25-OH^LN|||20260303070000\r"
    "OBX|1|NM|68438-1^25-OH^LN||62.5|nmol/L|50-125|N|||F|||20260303070000\r"
    "NTE|1||QXsecret\r"
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 90), st.sampled_from(["", "QXother", '""', "QX^QX", "QX&QX~QX", "9" * 30, "20269999"])
        ),
        max_size=4,
    )
)
def test_nothing_of_the_patient_is_in_an_answer_whatever_is_refused(changes: list[tuple[int, str]]) -> None:
    """Whatever field is broken, with whatever a patient's value may be, the real translators' reasons quote none."""
    head, _, rest = MARKED.partition("\r")
    fields = rest.split("|")
    for place, value in changes:
        fields[place % len(fields)] = value
    content = f"{head}\r{'|'.join(fields)}".encode()
    translated = translate_hl7v2(content, site=SITE, tables=TABLES, directory=MemoryDirectory())
    outcome = Outcome(refusals=translated.refusals, refused_whole=translated.refused_whole)
    assert "QX" not in answer(content, verdict_of(outcome))
    assert "999999" not in answer(content, verdict_of(outcome))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (message("M8"), "ORU^R01 M8"),
        (b"MSH|^~\\&|LAB|NORTH|||20260303||ACK|M9|P|2.5\r", "ACK M9"),
        (b"MSH|^~\\&|LAB", "HL7 v2 message"),
        (b"anything", "HL7 v2 message"),
    ],
)
def test_a_message_is_named_by_its_type_and_control_id(content: bytes, name: str) -> None:
    assert read_header(content).name == name
