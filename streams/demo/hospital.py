"""The invented hospital: its settings, its files, and its fortnight sent through the service."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from schemas.alerts import Alert, Notice
from schemas.days import to_utc
from schemas.events import AnyEvent
from schemas.wire import decode
from streams.inputs import Intake
from streams.intake.hl7v2 import split_hl7v2
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import MemoryDirectory
from streams.replay import Replay
from streams.service import Service
from streams.settings import Settings
from streams.ward import MemoryCharts, Ward

DATA: Final = Path(__file__).parent / "data"
ZONE: Final = "Europe/Berlin"
STARTS: Final = datetime(2026, 3, 1, tzinfo=ZoneInfo(ZONE))
ENDS: Final = STARTS + timedelta(days=15)
"""A fortnight and the Sunday after it: that day brings what two weeks of waiting were for."""


def settings() -> Settings:
    """The hospital's settings, whatever the environment says."""
    return Settings(
        time_zone=ZONE,
        default_assigner="HOSPITAL",
        preferred_identifier_type="MR",
        preferred_authority=None,
        fhir_authorities={"https://hospital.example/patient-number": "HOSPITAL"},
        fhir_base="https://hospital.example/fhir",
        source=None,
        tables=None,
        rules=None,
    )


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: its form, its type, and what became of it."""

    form: str
    kind: str
    outcome: Translation


def messages(intake: Intake, folder: Path = DATA) -> Iterator[Message]:
    """Every message of the hospital's files."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".hl7":
            for raw in split_hl7v2(path.read_bytes()):
                yield Message("HL7 v2", _type(raw), intake.hl7v2(raw))
        elif path.suffix == ".ndjson":
            for line in path.read_bytes().splitlines():
                yield _json(intake, line)


def _type(raw: bytes) -> str:
    """MSH-9 without the name of its structure."""
    return "^".join(raw.split(b"\r", 1)[0].split(b"\n", 1)[0].split(b"|")[8].decode().split("^")[:2])


def _json(intake: Intake, line: bytes) -> Message:
    document = decode(line)
    form, kind = ("FHIR R4", "resourceType") if "resourceType" in document else ("native", "kind")
    return Message(form, str(document[kind]), intake.document(document))


@dataclass(slots=True)
class Tally:
    """What was sent and what became of it."""

    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    untaken: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    became: Counter[str] = field(default_factory=Counter)

    def saw(self, message: Message) -> tuple[AnyEvent, ...]:
        """Count a message; its events."""
        key, outcome = (message.form, message.kind), message.outcome
        self.messages[key] += 1
        self.events[key] += len(outcome.events)
        self.untaken[key] += not outcome.events and not outcome.refusals
        self.refused[key] += bool(outcome.refusals)
        self.refusals += outcome.refusals
        self.ignored.update(outcome.ignored)
        return outcome.events


@dataclass(frozen=True, slots=True)
class Telling:
    """A notice and the event that made it; None: time alone did, or a feed that goes live."""

    notice: Notice
    event: AnyEvent | None = None


class Fortnight:
    """The fortnight, replayed notice by notice."""

    def __init__(self, service: Service | None = None, folder: Path = DATA) -> None:
        self.service = service or Service(settings())
        self.tally = Tally()
        self._folder = folder
        self._replay = Replay(Ward(self.service.monitor, MemoryCharts()), to_utc(ENDS))

    def tellings(self) -> Iterator[Telling]:
        """What is told, in the order in which it is told."""
        intake = Intake(self.service.settings.site, self.service.tables, MemoryDirectory())
        events = [e for m in messages(intake, self._folder) for e in self.tally.saw(m)]
        for event in self.service.sorted(events):
            for notice in self._replay.take(event):
                yield Telling(notice, event if _made(notice, event) else None)
        yield from (Telling(notice) for notice in self._replay.run(()))
        self.tally.became.update(self._replay.ward.counts)
        self.tally.unmapped.update(self._replay.ward.unmapped)

    def standing(self) -> list[Alert]:
        """What stands in the end."""
        return self._replay.standing()


def _made(notice: Notice, event: AnyEvent) -> bool:
    return to_utc(notice.decided_at) == to_utc(event.recorded_at) and notice.patient_id in _people(event)


def _people(event: AnyEvent) -> Iterable[str]:
    return {event.patient_id, getattr(event, "into", event.patient_id)}
