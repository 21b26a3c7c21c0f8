"""The invented hospital: its settings, its files, and its fortnight sent through the service."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

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
from tests.fortnight.days import ENDS, ZONE
from tests.fortnight.traffic import made

_STORIES: Final = Path(__file__).parent / "data"


@cache
def files() -> Mapping[str, bytes]:
    """The hospital's files by name, in their order."""
    stories = {path.name: path.read_bytes() for path in _STORIES.iterdir()}
    return dict(sorted((stories | made()).items()))


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


def messages(intake: Intake) -> Iterator[Message]:
    """Every message of the hospital's files."""
    for name, content in files().items():
        if name.endswith(".hl7"):
            for raw in split_hl7v2(content):
                yield Message("HL7 v2", _type(raw), intake.hl7v2(raw))
        else:
            for line in content.splitlines():
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
    """What was sent and what was not taken."""

    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def saw(self, message: Message) -> tuple[AnyEvent, ...]:
        """Count a message; its events."""
        self.messages[message.form, message.kind] += 1
        self.refusals += message.outcome.refusals
        self.ignored.update(message.outcome.ignored)
        return message.outcome.events


@dataclass(frozen=True, slots=True)
class Telling:
    """A notice and the event that made it; None: time alone did, or a feed that goes live."""

    notice: Notice
    event: AnyEvent | None = None


class Fortnight:
    """The fortnight, replayed notice by notice."""

    def __init__(self) -> None:
        self.service = Service(settings())
        self.tally = Tally()
        self._replay = Replay(Ward(self.service.monitor, MemoryCharts()), to_utc(ENDS))

    def tellings(self) -> Iterator[Telling]:
        """What is told, in the order in which it is told."""
        intake = Intake(self.service.settings.site, self.service.tables, MemoryDirectory())
        events = [e for m in messages(intake) for e in self.tally.saw(m)]
        for event in self.service.sorted(events):
            for notice in self._replay.take(event):
                yield Telling(notice, event if _made(notice, event) else None)
        yield from (Telling(notice) for notice in self._replay.run(()))

    def standing(self) -> list[Alert]:
        """What stands in the end."""
        return self._replay.standing()


def _made(notice: Notice, event: AnyEvent) -> bool:
    return to_utc(notice.decided_at) == to_utc(event.recorded_at) and notice.patient_id in _people(event)


def _people(event: AnyEvent) -> Iterable[str]:
    return {event.patient_id, getattr(event, "into", event.patient_id)}
