"""The models as documents: JSON Schema of every event, of the notice and the alert, and AsyncAPI of the topics.

Law: the models are the source; the documents in docs/schema are what this makes of them, byte for byte.
Source: JSON Schema draft 2020-12; AsyncAPI 3.0.0.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas import topics
from schemas.alerts import Alert, Notice
from schemas.events import KINDS
from schemas.topics import Topic

Document = dict[str, Any]

ASYNCAPI: Final = "asyncapi.json"
SAID: Final[Mapping[str, type[BaseModel]]] = {"notice": Notice, "alert": Alert}
"""What the service says, by the name of its document; everything else is what it accepts."""


class _Plain(GenerateJsonSchema):
    """Without titles that repeat a field's name, and without empty defaults: a field left out says nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default") in (None, ""):
            made.pop("default", None)
        return made


def file_name(name: str) -> str:
    """The file of a kind, of the notice or of the alert."""
    return f"{name}.schema.json"


def _titled(name: str, model: type[BaseModel]) -> Document:
    made = model.model_json_schema(schema_generator=_Plain, mode="validation")
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:trabecula:schema:{name}:v1"}
    return {**head, "title": model.__name__, "description": made.pop("description"), **made}


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(branch.get("type") == "null" for branch in schema.get("anyOf", ()))


def _promised(document: Document) -> Document:
    """A document of what is said: on the wire a field is left out only where it would be null."""
    for part in (document, *document.get("$defs", {}).values()):
        if "properties" in part:
            part["required"] = [name for name, schema in part["properties"].items() if not _may_be_null(schema)]
    return document


# ---- topics


def _text(description: str) -> Document:
    return {"type": "string", "description": description}


def _said_by(headers: Mapping[str, str]) -> Document:
    return {"type": "object", "required": list(headers), "properties": {k: _text(v) for k, v in headers.items()}}


def _message(name: str, summary: str, content_type: str, key: str, **more: Any) -> Document:
    bindings = {"kafka": {"key": _text(key), "bindingVersion": "0.5.0"}}
    return {"name": name, "summary": summary, "contentType": content_type, **more, "bindings": bindings}


def _modelled(name: str, key: str, **more: Any) -> Document:
    model = KINDS.get(name) or SAID[name]
    summary = (model.__doc__ or name).partition("\n")[0]
    return _message(name, summary, "application/json", key, payload={"$ref": file_name(name)}, **more)


_PATIENT = topics.EVENTS.key
_CLOUD_EVENT = {
    "ce_specversion": "CloudEvents version",
    "ce_id": "identity of this version of the alert",
    "ce_source": "the service that decided",
    "ce_type": "what kind of alert it is",
}
_DEAD_LETTER = {
    "reason": "why it was refused, and what would be accepted",
    "origin": "where it came from: topic, partition and offset, or feed",
}


def _messages() -> dict[str, Document]:
    free = topics.RAW_HL7V2.key
    return {
        **{kind: _modelled(kind, _PATIENT) for kind in KINDS},
        "hl7v2": _message("hl7v2", "One HL7 v2 message as it was received.", "application/hl7-v2+er7", free),
        "fhir": _message("fhir", "One FHIR R4 resource or Bundle as it was received.", "application/fhir+json", free),
        "notice": _modelled("notice", _PATIENT),
        "alert": _modelled("alert", topics.ALERTS.key, headers=_said_by(_CLOUD_EVENT)),
        "dead_letter": _message(
            "dead_letter",
            "What was refused, byte for byte.",
            "application/octet-stream",
            topics.DEAD_LETTERS.key,
            headers=_said_by(_DEAD_LETTER),
        ),
    }


CHANNELS: Final[tuple[tuple[str, Topic, str, tuple[str, ...]], ...]] = (
    ("events", topics.EVENTS, "receive", tuple(KINDS)),
    ("raw_hl7v2", topics.RAW_HL7V2, "receive", ("hl7v2",)),
    ("raw_fhir", topics.RAW_FHIR, "receive", ("fhir",)),
    ("notices", topics.NOTICES, "send", ("notice",)),
    ("alerts", topics.ALERTS, "send", ("alert",)),
    ("dead_letters", topics.DEAD_LETTERS, "send", ("dead_letter",)),
)
"""Each topic that others read or write: its name here, what the service does with it, and the messages in it."""


def _channel(topic: Topic, messages: Iterable[str]) -> Document:
    carried = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": topic.name, "description": topic.about, "messages": carried, "bindings": {"kafka": _kept(topic)}}


def _kept(topic: Topic) -> Document:
    """How a topic is kept, as the Kafka binding of a channel says it."""
    settings = {"cleanup.policy": [topic.cleanup], "max.message.bytes": int(topic.settings["max.message.bytes"])}
    if "retention.ms" in topic.settings:
        settings["retention.ms"] = int(topic.settings["retention.ms"])
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "replicas": topic.copies,
        "topicConfiguration": settings,
        "bindingVersion": "0.5.0",
    }


def asyncapi() -> Document:
    """The AsyncAPI document of the topics. Payloads refer to the JSON Schema documents beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trabecula",
            "version": "1.0.0",
            "description": (
                "Clinical events in, notices and alerts out. Decision support for clinicians, never a diagnosis. "
                "One record an event; readers are read_committed; a record in the wrong partition is moved, not folded."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic, messages) for name, topic, _, messages in CHANNELS},
        "operations": {
            f"{action}_{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "summary": topic.about}
            for name, topic, action, _ in CHANNELS
        },
        "components": {"messages": _messages()},
    }


# ---- files


def documents() -> dict[str, Document]:
    """Every document by its file name."""
    made = {file_name(kind): _titled(kind, model) for kind, model in KINDS.items()}
    made |= {file_name(name): _promised(_titled(name, model)) for name, model in SAID.items()}
    return {**made, ASYNCAPI: asyncapi()}


def write_documents(folder: Path) -> list[Path]:
    """Write every document into a folder, which is made if need be. The same models give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in documents().items():
        path = folder / name
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]))
