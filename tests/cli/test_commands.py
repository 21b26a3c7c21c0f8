"""replay, translate, explain, rules: right input, wrong input, exit status."""

import gzip
import json
from pathlib import Path

import pytest

import alerting
from tests.cli.running import trabecula, written
from tests.events import back_pain, heparin, pregnancy

ORU = (
    "MSH|^~\\&|LAB|HOSP|T|H|20250410080000||ORU^R01|M-1|P|2.5.1\r"
    "PID|1||4711^^^HOSP^MR||Example^Ada||19900101|F\r"
    "OBR|1|PL-1|FI-1|62292-8^25-OH vitamin D^LN|||20250409080000\r"
    "OBX|1|NM|62292-8^25-OH vitamin D^LN||8|ng/mL|20-50|L|||F\r"
)
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1990-01-01", "gender": "female"}
COURSE = [pregnancy(30), heparin(42, starts=42)]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A pregnancy and a course of heparin without an end, the later event first."""
    return written(tmp_path / "course.ndjson", [COURSE[1], COURSE[0]])


def test_replay_prints_the_notices_in_the_order_of_recording(course: Path) -> None:
    ran = trabecula("replay", course, "--until", "2025-04-06T00:00:00Z")
    assert ran.status == 0, ran.err
    assert [(n["rule_id"], n["transition"]) for n in ran.lines] == [
        ("HEP-01", "raised"),
        ("HEP-01", "superseded"),
        ("HEP-02", "raised"),
    ]
    notice = ran.lines[2]
    assert notice["effective_at"] == "2025-04-06T00:00:00Z"
    assert notice["limits"][0] == {
        "name": "exposed days",
        "value": 49,
        "unit": "d",
        "flag": "lit",
        "citation": "Dahlman 1993 AJOG 168:1265 (shortest fracture case, 7 wk)",
        "reason": None,
    }
    assert {"from", "to", "record_id"} <= set(notice["evidence"][0])
    assert notice["corrects"] is None


def test_replay_ends_with_the_last_event_unless_told_to_run_on(course: Path) -> None:
    assert trabecula("replay", course).lines == []


def test_replay_final_prints_the_standing_alerts_by_id(course: Path) -> None:
    ran = trabecula("replay", course, "--until", "2025-06-20T00:00:00Z", "--final")
    assert [(a["rule_id"], a["state"], a["severity"]) for a in ran.lines] == [("HEP-04", "open", "critical")]
    wanted = {"alert_id", "patient_id", "episode_id", "rule_id", "severity", "state", "effective_at", "sequence"}
    assert wanted | {"title", "sentence", "evidence", "limits", "open_questions"} <= set(ran.lines[0])


def test_replay_as_given_decides_each_event_when_it_comes(tmp_path: Path) -> None:
    """The pain report comes after the course though it was recorded before; the clock never goes back."""
    events = written(
        tmp_path / "e.ndjson", [*COURSE, back_pain(238, 9, sudden=True), back_pain(230, 3, record="first")]
    )
    sorted_, given = trabecula("replay", events), trabecula("replay", events, "--as-given")
    assert {n["rule_id"] for n in given.lines} == {n["rule_id"] for n in sorted_.lines}
    assert all(a["decided_at"] <= b["decided_at"] for a, b in zip(given.lines, given.lines[1:], strict=False))


def test_days_are_those_of_the_sites_time_zone(course: Path) -> None:
    """A flag beats the environment, which beats the file."""
    config = course.parent / "site.toml"
    config.write_text('time_zone = "Asia/Tokyo"\n')
    until = ("--until", "2025-04-08T00:00:00Z")
    file = trabecula("replay", course, *until, "--config", config)
    environment = trabecula("replay", course, *until, "--config", config, time_zone="Europe/Berlin")
    flag = trabecula("replay", course, *until, "--time-zone", "UTC", time_zone="Europe/Berlin")
    assert [ran.lines[-1]["effective_at"][-6:] for ran in (file, environment)] == ["+09:00", "+02:00"]
    assert flag.lines[-1]["effective_at"] == "2025-04-06T00:00:00Z"


def test_files_are_told_apart_by_content(tmp_path: Path, course: Path) -> None:
    hl7 = tmp_path / "lab.dat"
    hl7.write_text(ORU)
    fhir = tmp_path / "patient.dat"
    fhir.write_text(json.dumps(PATIENT, indent=2))
    ran = trabecula("translate", hl7, fhir, course)
    assert [e["kind"] for e in ran.lines] == ["lab_result", "patient", "prescription", "pregnancy"]
    assert ran.lines[0]["value"] == 8
    assert ran.status == 0


def test_an_array_and_a_file_without_its_last_line_end_are_read(tmp_path: Path) -> None:
    lines = written(tmp_path / "lines", COURSE).read_bytes().splitlines()
    array = tmp_path / "array.json"
    array.write_bytes(b"[" + b",".join(lines) + b"]")
    bare = tmp_path / "bare.ndjson"
    bare.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    assert [e["kind"] for e in trabecula("translate", array).lines] == ["pregnancy", "prescription"]
    assert [e["kind"] for e in trabecula("translate", bare).lines] == ["pregnancy", "prescription"]


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_what_comes_through_a_pipe_is_read_as_a_file_is(course: Path, name: str) -> None:
    whole = course.read_bytes()
    fhir, broken = json.dumps(PATIENT, indent=2).encode(), whole.replace(b"{", b"{x", 1)
    for given, kinds in (
        (whole, ["prescription", "pregnancy"]),
        (ORU.encode(), ["lab_result"]),
        (fhir, ["patient"]),
        (broken, ["pregnancy"]),
        (gzip.compress(whole), ["prescription", "pregnancy"]),
        (b"\n" * 5000 + whole, ["prescription", "pregnancy"]),
    ):
        ran = trabecula("translate", name, given=given)
        assert [e["kind"] for e in ran.lines] == kinds, ran.err


def test_a_compressed_file_that_is_cut_off_is_named(tmp_path: Path, course: Path) -> None:
    cut = tmp_path / "cut.ndjson.gz"
    cut.write_bytes(gzip.compress(course.read_bytes())[:-20])
    ran = trabecula("translate", cut)
    assert ran.status == 2
    assert f"{cut}: compressed by gzip, and cut off" in ran.err
    assert "Traceback" not in ran.err


def test_arrays_within_arrays_without_end_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_bytes(b"[" * 400 + b"]" * 400)
    ran = trabecula("translate", file)
    assert "arrays deep" in ran.err
    assert "Traceback" not in ran.err


def test_a_setting_that_is_no_json_is_named(course: Path) -> None:
    ran = trabecula("translate", course, fhir_authorities="notjson")
    assert ran.status == 2
    assert "fhir_authorities" in ran.err
    assert "Traceback" not in ran.err


def test_a_bad_line_is_refused_by_its_place_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = written(tmp_path / "good", COURSE).read_bytes().splitlines()
    wrong = json.loads(good[0]) | {"kind": "horoscope"}
    file = tmp_path / "mixed.ndjson"
    file.write_bytes(b"\n".join([good[0], json.dumps(wrong).encode(), b'{"kind": "pregn', good[1], b""]))
    ran = trabecula("translate", file)
    assert [e["kind"] for e in ran.lines] == ["pregnancy", "prescription"]
    refusals = [json.loads(line) for line in ran.err.splitlines()]
    assert [set(r) for r in refusals] == [{"refused", "reason", "where"}] * 2
    assert "mixed.ndjson:2" in refusals[0]["where"]
    assert "lab_result" in refusals[0]["reason"]
    assert "mixed.ndjson:3" in refusals[1]["where"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"\x89PNG\r\n\x1a\n", "neither JSON"), (b"name,value\n1,2\n", "neither JSON")],
)
def test_an_unreadable_file_is_named_and_ends_with_status_two(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "input"
    if content is not None:
        file.write_bytes(content)
    for command in ("replay", "translate"):
        ran = trabecula(command, file)
        assert ran.status == 2
        assert says in ran.err
        assert str(file) in ran.err
        assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("replay", "--until", "yesterday"), "offset"),
        (("replay", "--until", "yesterday"), "--until"),
        (("explain", "--patient", "P", "--at", "yesterday"), "--at"),
        (("replay", "--time-zone", "Mars/Olympus"), "time_zone"),
        (("replay", "--no-such-flag"), "No such option"),
        (("replay", "--rules", "absent.toml"), "absent.toml"),
        (("explain", "--patient", "P", "--rule", "HEP-99"), "HEP-01"),
    ],
)
def test_wrong_usage_says_what_would_be_accepted(course: Path, arguments: tuple[str, ...], says: str) -> None:
    ran = trabecula(arguments[0], course, *arguments[1:])
    assert ran.status == 2
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_explain_says_how_far_each_condition_is_from_its_limit(course: Path) -> None:
    at = ("--at", "2025-04-01T12:00:00Z")
    ran = trabecula("explain", course, "--patient", "P", "--rule", "HEP-02", *at)
    assert "exposed days: 44 >= 49 d, 5 d away" in ran.out
    assert "Dahlman 1993" in ran.out
    stands = trabecula("explain", course, "--patient", "P", "--at", "2025-04-08T00:00:00Z", "--json")
    by_rule = {e["rule_id"]: e for e in stands.lines}
    assert by_rule["HEP-02"]["outcome"] == "stands"
    assert (by_rule["HEP-01"]["outcome"], by_rule["HEP-01"]["superseded_by"]) == ("superseded", ["HEP-02"])
    assert by_rule["SPN-01"]["outcome"] == "not_met"
    assert by_rule["SAF-02"]["out_of_scope"] == ["no bone drug ordered, supplied or given"]
    assert [e["rule_id"] for e in stands.lines if not e["out_of_scope"] and not e["conditions"]] == []


def test_explain_shows_both_limits_of_a_tier_as_they_are_on_one_day(tmp_path: Path) -> None:
    """A day short of 49 the mean is there; of a small dose neither is."""
    at = ("--patient", "P", "--rule", "HEP-02", "--at")
    large = written(tmp_path / "large", COURSE)
    ran = trabecula("explain", large, *at, "2025-04-05T12:00:00Z")
    assert "not met  exposed days: 48 >= 49 d, 1 d away on 2025-04-05" in ran.out
    assert "met      mean daily dose: 20000 >= 15000 [IU]/d on 2025-04-05" in ran.out
    small = written(tmp_path / "small", [pregnancy(30), heparin(42, starts=42, iu=5_000)])
    ran = trabecula("explain", small, *at, "2025-03-10T12:00:00Z")
    assert "not met  exposed days: 22 >= 49 d, 27 d away on 2025-03-10" in ran.out
    assert "not met  mean daily dose: 10000 >= 15000 [IU]/d, 5000 [IU]/d away on 2025-03-10" in ran.out


def test_explain_shows_the_alert_of_every_episode(tmp_path: Path) -> None:
    """Heparin from before the pregnancy on, in the window of exposure of a first course and in the pregnancy."""
    events = written(
        tmp_path / "two",
        [
            heparin(10, starts=10, record="first"),
            heparin(70, starts=10, record="first", status="stopped", ends_at="2025-03-17T08:00:00Z"),
            pregnancy(110, lmp=85, record="pregnancy"),
            heparin(110, starts=110, record="second"),
        ],
    )
    ran = trabecula("explain", events, "--patient", "P", "--rule", "HEP-02", "--at", "2025-07-10T00:00:00Z", "--json")
    (found,) = ran.lines
    assert len({a["episode_id"] for a in found["alerts"]}) == 2
    assert found["effective_at"] == found["alerts"][0]["effective_at"]


def test_explain_of_a_patient_nobody_knows_fails(course: Path) -> None:
    ran = trabecula("explain", course, "--patient", "nobody")
    assert ran.status == 1
    assert "no event of this patient" in ran.err


def test_rules_show_their_limits_with_citation_and_flag() -> None:
    assert len(trabecula("rules", "list").out.splitlines()) == 41
    shown = trabecula("rules", "show", "HEP-02").out
    assert "mean_daily_dose = 15000 [IU]/d" in shown
    assert "[lit] Dahlman 1993" in shown
    assert trabecula("rules", "show", "HEP-99").status == 2


def test_a_site_overrides_a_limit_with_a_reason_and_the_notice_says_so(course: Path) -> None:
    site = course.parent / "site.toml"
    site.write_text(
        'version = "2026.1+site"\n[rules.HEP-01.limits.exposed_days]\nvalue = 14\nreason = "our haematologists"\n'
    )
    assert trabecula("rules", "check", site).status == 0
    ran = trabecula("replay", course, "--rules", site, "--until", "2025-03-03T00:00:00Z")
    assert [(n["rule_id"], n["effective_at"]) for n in ran.lines] == [("HEP-01", "2025-03-02T00:00:00Z")]
    assert ran.lines[0]["limits"][0]["reason"] == "our haematologists"
    assert ran.lines[0]["rulepack"]["version"] == "2026.1+site"
    unchanged = trabecula("replay", course, "--until", "2025-04-01T00:00:00Z").lines[0]["rulepack"]
    assert ran.lines[0]["rulepack"]["sha256"] != unchanged["sha256"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[rules.HEP-01.limits.exposed_days]\nvalue = 14\nreason = 'x'\n", "version"),
        ("version = '1'\n[rules.HEP-01.limits.exposed_days]\nvalue = 14\n", "reason"),
        ("version = '1'\n[rules.HEP-99.limits.exposed_days]\nvalue = 14\nreason = 'x'\n", "HEP-99"),
        ("version = '1'\n[rules.HEP-01.limits.exposed_weeks]\nvalue = 4\nreason = 'x'\n", "exposed_days"),
        ("version = '1'\n[rules.HEP-01.limits.exposed_days]\nvalue = 'two'\nreason = 'x'\n", "HEP-01"),
        ("version = \n", "site.toml"),
        ("version = '1'\n[rules.HEP-01]\nmode = 'shadow'\n", "HEP-01.mode is changed without a `reason`"),
        ("version = '1'\n[rules.HEP-01]\nseverity = 'warning'\nreason = ' '\n", "HEP-01.severity"),
        ("version = '1'\n[lifecycle.cool_down_warning]\nvalue = 7\n", "lifecycle.cool_down_warning"),
        ("version = '1'\n[lifecycle.cool_down]\nvalue = 7\nreason = 'x'\n", "cool_down_warning"),
        ("version = '1'\n[rules.HEP-01]\nsentence = 'For {weeks}.'\nreason = 'x'\n", "{weeks} cannot be filled in"),
        ("version = '1'\n[rules.HEP-01]\nsentence = 'For {mean.'\nreason = 'x'\n", "HEP-01.sentence"),
        ("version = '1'\n[rules]\nHEP-01 = 3\n", "rules.HEP-01: expected a table"),
    ],
)
def test_a_site_file_that_cannot_be_used_fails_its_check(tmp_path: Path, content: str, says: str) -> None:
    site = tmp_path / "site.toml"
    site.write_text(content)
    ran = trabecula("rules", "check", site)
    assert ran.status == 1
    assert says in ran.err


def _whole(folder: Path, *, without: str = "", more: str = "") -> Path:
    """A pack of its own: the packaged one under another version, each figure as it is there."""
    files = sorted((Path(alerting.__file__).parent / "pack").glob("*.toml"))
    text = "\n".join(file.read_text("utf-8") for file in files).replace('version = "2026.1"', 'version = "ours"')
    file = folder / "pack.toml"
    file.write_text(text.replace(f"[rules.{without}]", "[rules.NEW-01]").replace(f"[rules.{without}.", more), "utf-8")
    return file


def test_a_whole_pack_is_taken_as_it_is(tmp_path: Path, course: Path) -> None:
    pack = _whole(tmp_path)
    assert trabecula("rules", "check", pack).status == 0
    ran = trabecula("replay", course, "--rules", pack, "--until", "2025-04-01T00:00:00Z")
    assert {n["rulepack"]["version"] for n in ran.lines} == {"ours"}


def test_a_pack_that_names_a_rule_without_code_is_refused(tmp_path: Path) -> None:
    ran = trabecula("rules", "check", _whole(tmp_path, without="HEP-06", more="[rules.NEW-01."))
    assert ran.status == 1
    assert "NEW-01" in ran.err
    assert "no code" in ran.err


def test_a_setting_is_a_flag_the_environment_or_a_line_of_the_file(course: Path) -> None:
    """A flag beats the environment, which beats the file."""
    config = course.parent / "site.toml"
    config.write_text('until = "2025-04-06T00:00:00Z"\nfinal = true\n')
    file = trabecula("replay", course, "--config", config)
    assert [(a["rule_id"], a["state"]) for a in file.lines] == [("HEP-02", "open")]
    environment = trabecula("replay", course, "--config", config, until="2025-04-01T00:00:00Z", as_given="true")
    assert [a["rule_id"] for a in environment.lines] == ["HEP-01"]
    flags = ("--no-final", "--until", "2025-03-30T00:00:00Z")
    flag = trabecula("replay", course, "--config", config, *flags, until="2025-04-01T00:00:00Z")
    assert [n["transition"] for n in flag.lines] == ["raised"]
    wrong = trabecula("replay", course, until="yesterday")
    assert wrong.status == 2
    assert "setting until" in wrong.err


@pytest.mark.parametrize("command", ["replay", "translate"])
def test_input_of_which_every_message_is_refused_is_unreadable(tmp_path: Path, course: Path, command: str) -> None:
    wrong = tmp_path / "wrong.ndjson"
    wrong.write_text('{"kind": "horoscope"}\n{"kind": "tarot"}\n')
    ran = trabecula(command, wrong)
    assert ran.status == 2
    assert "trabecula: every message was refused" in ran.err
    assert trabecula(command, wrong, course).status == 0


def test_schema_writes_its_documents(tmp_path: Path) -> None:
    ran = trabecula("schema", tmp_path / "schemas")
    assert ran.status == 0
    assert any("asyncapi" in name for name in ran.out.splitlines())
    assert (tmp_path / "schemas").is_dir()
