"""What is in a message: the parts of it that become events, each translated or refused by name."""

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from schemas.tables import Tables
from schemas.wire import LARGEST_MESSAGE, NotJsonError, decode_events
from streams.inputs import Intake, refused
from streams.intake.fhir import translate_fhir_bytes
from streams.intake.native import translate_decoded
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Directory, Site
from streams.node.port import Incoming

NOT_WHOLE: Final = Refusal("part of a message", "only this part of it came; ask its sender for the whole", "")


class MessageReading:
    """The intake of a node, for each feed its own."""

    def __init__(self, site: Site, tables: Tables, directory: Directory) -> None:
        self._site = site
        self._tables = tables
        self._directory = directory
        self._intake = lru_cache(maxsize=256)(self._intake_of)

    def _intake_of(self, feed: str | None) -> Intake:
        """The intake of a feed: its name stands for the source of events that carry none."""
        site = self._site if self._site.source or feed is None else dataclasses.replace(self._site, source=feed)
        return Intake(site, self._tables, self._directory)

    def parts(self, message: Incoming) -> Iterator[tuple[Translation, str]]:
        """The outcomes of the parts of a message, each with the name of what was to be one event."""
        intake = self._intake(message.feed if message.format == "event" else None)
        match message.format:
            case "hl7v2":
                yield intake.hl7v2(message.raw), ""
            case "fhir":
                yield _fhir(message, intake), ""
            case "event":
                yield from _native(message.raw, intake)
            case "part":
                yield Translation(refusals=(message.refusal or NOT_WHOLE,)), ""


def _fhir(message: Incoming, intake: Intake) -> Translation:
    return translate_fhir_bytes(
        message.raw,
        site=intake.site,
        tables=intake.tables,
        directory=intake.directory,
        received_at=message.received_at,
    )


def _native(raw: bytes, intake: Intake) -> Iterator[tuple[Translation, str]]:
    """The native events of a JSON text: one, or an array of them; each keeps its place."""
    if len(raw) > LARGEST_MESSAGE:
        yield refused("event", f"larger than {LARGEST_MESSAGE} bytes; send fewer events at once"), ""
        return
    try:
        given = decode_events(raw)
    except NotJsonError as error:
        yield refused("event", f"{error}; one JSON object or an array of them is expected"), ""
        return
    for one in given if isinstance(given, list) else [given]:
        name = one.get("event_id") if isinstance(one, dict) else None
        yield translate_decoded(one, source=intake.site.source), name if isinstance(name, str) else ""
