"""The documents of what is accepted and said: they equal the models, are well formed, and break nobody."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from schemas.alerts import Notice, PackIdentity
from schemas.events import EVENT, KINDS
from schemas.wire import decode, encode
from streams.schema_compatibility import incompatibilities
from streams.schema_documents import ASYNCAPI, documents, file_name, write_documents
from tests.house.places import ROOT
from tests.support import on

CHECKED_IN: Final = ROOT / "docs" / "schema"
RELEASED: Final = CHECKED_IN / "released"
MADE: Final = documents()

Document = dict[str, Any]


def _read(folder: Path) -> dict[str, Document]:
    return {path.name: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def test_the_checked_in_documents_are_those_of_the_models(tmp_path: Path) -> None:
    """`make schema` writes them anew."""
    written = {path.name: path.read_bytes() for path in write_documents(tmp_path)}
    assert {path.name: path.read_bytes() for path in CHECKED_IN.glob("*.json")} == written


def test_nothing_that_was_released_is_broken() -> None:
    """docs/schema/released is what feeds and subscribers were written against; it changes with a release only."""
    assert incompatibilities(_read(RELEASED), MADE) == []


@pytest.mark.parametrize("name", sorted(MADE.keys() - {ASYNCAPI}))
def test_a_document_is_a_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(MADE[name])


# ---- documents and models mean the same


_FORMS: Final = {"date-time": "2026-01-31T08:00:00+01:00", "date": "2026-01-31"}


def _least(schema: Document, root: Document) -> Any:
    """The least value that a schema takes."""
    if "$ref" in schema:
        return _least(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return _least(schema["anyOf"][0], root)
    if schema["type"] == "object":
        return {name: _least(schema["properties"][name], root) for name in schema.get("required", ())}
    return _scalar(schema)


def _scalar(schema: Document) -> Any:
    match schema:
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"type": "string", "format": form}:
            return _FORMS[form]
        case {"type": "string"}:
            return "x" * schema.get("minLength", 0)
        case {"type": "boolean"}:
            return True
    assert schema["type"] in ("number", "integer")
    return schema.get("minimum", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_written_from_its_document_alone_is_taken_by_the_model(kind: str) -> None:
    document = MADE[file_name(kind)]
    least = _least(document, document)
    assert Draft202012Validator(document).is_valid(least)
    assert EVENT.validate_python(least).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_lacks_a_field_is_refused_by_document_and_model(kind: str) -> None:
    document = MADE[file_name(kind)]
    for missing in document["required"]:
        event = {name: value for name, value in _least(document, document).items() if name != missing}
        assert not Draft202012Validator(document).is_valid(event), missing
        with pytest.raises(ValueError, match=r"validation error"):
            EVENT.validate_python(event)


def test_a_notice_on_the_wire_is_one_of_its_document() -> None:
    """Also one without a single open question or piece of evidence: what is announced is there."""
    notice = Notice(
        notice_id="n", alert_id="a", sequence=1, transition="raised", severity="warning", patient_id="MRN-1",
        episode_id="e", rule_id="HEP-02", mode="live", delivery="immediate", title="t", sentence="s",
        rulepack=PackIdentity(version="1", sha256="0"), effective_at=on(0), decided_at=on(0),
    )  # fmt: skip
    Draft202012Validator(MADE[file_name("notice")]).validate(decode(encode(notice)))


# ---- AsyncAPI


def _references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for part in node.values():
                yield from _references(part)
        case list():
            for part in node:
                yield from _references(part)


def test_every_topic_is_described_and_every_reference_leads_somewhere() -> None:
    topics = MADE[ASYNCAPI]
    for target in _references(topics):
        name, _, pointer = target.partition("#")
        node: Any = MADE[name or ASYNCAPI]
        for step in pointer.split("/")[1:]:
            node = node[step]
        assert node, target
    assert {channel["address"] for channel in topics["channels"].values()} == {
        "trabecula.events.v1",
        "trabecula.raw.hl7v2.v1",
        "trabecula.raw.fhir.v1",
        "trabecula.notices.v1",
        "trabecula.alerts.v1",
        "trabecula.dead-letters.v1",
    }
    assert set(topics["channels"]["events"]["messages"]) == set(KINDS)
    for operation in topics["operations"].values():
        assert operation["action"] in ("send", "receive")


# ---- what is incompatible: each change of a document with what it breaks, or with nothing

LAB, NOTICE = file_name("lab_result"), file_name("notice")
SYMPTOM, PREGNANCY = file_name("symptom"), file_name("pregnancy")
Change = Callable[[dict[str, Document]], object]


def _without(name: str, field: str) -> Change:
    def change(made: dict[str, Document]) -> None:
        del made[name]["properties"][field]
        made[name]["required"] = [known for known in made[name]["required"] if known != field]

    return change


BREAKING: Final[dict[str, tuple[Change, list[str]]]] = {
    "a kind goes": (lambda made: made.pop(LAB), ["lab_result is removed"]),
    "a field goes": (_without(LAB, "assay"), ["lab_result.assay is removed"]),
    "a field of a part goes": (
        lambda made: made[LAB]["$defs"]["Code"]["properties"].pop("display"),
        ["lab_result.code.display is removed"],
    ),
    "a field becomes required": (
        lambda made: made[LAB]["required"].append("unit"),
        ["lab_result.unit is required now"],
    ),
    "a new field is required": (
        lambda made: (
            made[LAB]["properties"].update(site={"type": "string"}),
            made[LAB]["required"].append("site"),
        ),
        ["lab_result.site is required now"],
    ),
    "a value goes": (
        lambda made: made[LAB]["properties"]["status"]["enum"].remove("corrected"),
        ["lab_result.status no longer takes corrected"],
    ),
    "null goes": (
        lambda made: made[LAB]["properties"]["unit"]["anyOf"].pop(),
        ["lab_result.unit no longer takes a value of type null"],
    ),
    "another type": (
        lambda made: made[LAB]["properties"].update(history={"type": "string"}),
        ["lab_result.history no longer takes a value of type boolean"],
    ),
    "whole numbers only": (
        lambda made: made[SYMPTOM]["properties"]["score"]["anyOf"][0].update(type="integer"),
        ["symptom.score no longer takes a value of type number"],
    ),
    "text becomes a list of values": (
        lambda made: made[LAB]["properties"]["source"].update(enum=["LAB"]),
        ["lab_result.source no longer takes anything but LAB"],
    ),
    "a narrower limit": (
        lambda made: made[LAB]["properties"]["source"].update(maxLength=64),
        ["lab_result.source is bounded now: maxLength 64"],
    ),
    "another form": (
        lambda made: made[LAB]["properties"]["collected_at"].update(format="date"),
        ["lab_result.collected_at is to have another form now: format date"],
    ),
    "a field of a notice goes": (_without(NOTICE, "sentence"), ["notice.sentence is removed"]),
    "a field of a notice may be missing": (
        lambda made: made[NOTICE]["required"].remove("limits"),
        ["notice.limits may be missing now"],
    ),
    "a notice says a value more": (
        lambda made: made[NOTICE]["properties"]["severity"]["enum"].append("alarming"),
        ["notice.severity may be alarming now"],
    ),
    "a notice says another type": (
        lambda made: made[NOTICE]["properties"].update(sequence={"type": "string"}),
        ["notice.sequence may be of type string now"],
    ),
    "a topic goes": (
        lambda made: made[ASYNCAPI]["channels"].pop("alerts"),
        ["channel alerts is removed"],
    ),
    "a topic moves": (
        lambda made: made[ASYNCAPI]["channels"]["alerts"].update(address="trabecula.alerts.v2"),
        ["channel alerts has another address now"],
    ),
    "a topic carries a kind less": (
        lambda made: made[ASYNCAPI]["channels"]["events"]["messages"].pop("imaging"),
        ["channel events no longer carries imaging"],
    ),
}

HARMLESS: Final[dict[str, Change]] = {
    "nothing changes": lambda _made: None,
    "a kind more": lambda made: made.update({file_name("birth"): made[LAB]}),
    "a field more": lambda made: made[LAB]["properties"].update(site={"type": "string"}),
    "a field need no longer be there": lambda made: made[LAB]["required"].remove("record_id"),
    "a value more is accepted": lambda made: made[LAB]["properties"]["status"]["enum"].append("amended"),
    "a wider limit": lambda made: made[LAB]["properties"]["source"].update(maxLength=512),
    "a limit less": lambda made: made[PREGNANCY]["properties"]["gestational_age_days"]["anyOf"][0].pop("maximum"),
    "other words": lambda made: made[LAB].update(description="A result."),
    "a notice says a field more": lambda made: made[NOTICE]["properties"].update(ward={"type": "string"}),
    "a field of a notice is always there": lambda made: made[NOTICE]["required"].append("by"),
    "a notice says a value less": lambda made: made[NOTICE]["properties"]["transition"]["enum"].remove("reminded"),
    "a notice is never null": lambda made: made[NOTICE]["properties"]["by"]["anyOf"].pop(),
}


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_somebody_is_named(change: str) -> None:
    apply, expected = BREAKING[change]
    changed = copy.deepcopy(MADE)
    apply(changed)
    assert incompatibilities(MADE, changed) == expected


@pytest.mark.parametrize("change", HARMLESS)
def test_a_change_that_breaks_nobody_passes(change: str) -> None:
    changed = copy.deepcopy(MADE)
    HARMLESS[change](changed)
    assert incompatibilities(MADE, changed) == []
