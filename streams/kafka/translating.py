"""What becomes of a message at a gateway: the records to be written, and what its sender is told once they are.

Law: one message that cannot be translated costs no other; whatever is refused of it is kept raw as a dead letter.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas.days import to_utc
from schemas.events import AnyEvent, Erasure
from schemas.tables import Tables
from schemas.topics import DEAD_LETTERS, EVENTS, PATIENTS, RAW_FHIR, RAW_HL7V2
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Site
from streams.kafka.intake_records import dead_letter, digest_of, event_record, patient_record, raw_record
from streams.kafka.patients import KnownPatients, MessageDirectory
from streams.kafka.work import Count, Sent
from streams.node.engine_reading import MessageReading
from streams.node.engine_taken import failed, word_of
from streams.node.port import Incoming, ItemOutcome, Outcome
from streams.ward import AHEAD

WRITTEN: Final = (EVENTS, RAW_HL7V2, RAW_FHIR, DEAD_LETTERS, PATIENTS)
"""The topics that a gateway writes."""
_OF_UNKNOWN: Final = {"delete_of_unknown": "DELETE", "retraction_of_unknown": "retraction"}
"""What is counted of a message that takes back what it does not say."""
_TELL_IT: Final = "what it takes back is not in this message; send the resource whole, with status entered-in-error"


@dataclass(frozen=True, slots=True)
class Translated:
    """Records to be written of a message, and what is told and counted once they are."""

    outcome: Outcome
    sends: tuple[Sent, ...]
    counts: Counter[Count]


@dataclass(slots=True)
class _Became:
    """What became of a message so far."""

    events: list[AnyEvent] = field(default_factory=list)
    sends: list[Sent] = field(default_factory=list)
    items: list[ItemOutcome] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)


class Translator:
    """The intake of one lane: messages in order, some at a time. `keeps_raw`: they are in no raw topic yet."""

    def __init__(self, site: Site, tables: Tables, known: KnownPatients, *, keeps_raw: bool = True) -> None:
        self._keeps_raw = keeps_raw
        self._directory = MessageDirectory(known)
        self._reading = MessageReading(site, tables, self._directory)

    def take_all(self, messages: Iterable[Incoming], now: datetime) -> list[Translated]:
        """What becomes of messages, in order; `settle` says afterwards whether it was kept."""
        return [self._take(message, now) for message in messages]

    def settle(self, *, kept: bool) -> None:
        """The records of the last messages are durable, or never will be."""
        self._directory.settle(kept=kept)

    def _take(self, message: Incoming, now: datetime) -> Translated:
        self._directory.begin()
        digest = digest_of(message)
        try:
            became = self._became(message, digest, now)
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one message must not stop all the others
            became = _Became(refusals=failed(error).refusals)
        return _written(message, digest, became, now, keeps_raw=self._keeps_raw)

    def _became(self, message: Incoming, digest: str, now: datetime) -> _Became:
        became = _Became()
        for translation, name in self._reading.parts(message):
            _judge(translation, name, message, became, now)
            if translation.all_or_nothing and became.refusals:
                return _Became(refusals=became.refusals, ignored=became.ignored, counted=became.counted)
        became.sends = [event_record(event, digest) for event in became.events]
        became.sends += [patient_record(*told) for told in self._directory.take().items()]
        for event in became.events:
            if isinstance(event, Erasure):
                became.sends += [patient_record(each, None) for each in self._directory.forget(event.patient_id)]
        return became


def _judge(translation: Translation, name: str, message: Incoming, became: _Became, now: datetime) -> None:
    """What becomes of a part of a message."""
    for event in translation.events:
        reason = _reason(event, now)
        if reason is None:
            became.events.append(event)
            became.items.append(ItemOutcome(event.event_id, "accepted"))
        else:
            became.items.append(ItemOutcome(event.event_id, "refused", reason.reason))
            became.refusals.append(reason)
    if translation.refused_whole and message.format == "event":
        became.items.append(ItemOutcome(name, "refused", translation.refusals[0].reason))
    became.refusals += translation.refusals
    # What takes back something that only whoever keeps the patient knows: to pass over it would be a silent loss.
    became.refusals += [
        Refusal(name, _TELL_IT, "") for word, name in _OF_UNKNOWN.items() if word in translation.counted
    ]
    became.ignored.update(translation.ignored)
    became.counted.update(translation.counted)


def _reason(event: AnyEvent, now: datetime) -> Refusal | None:
    """Why an event is not written: it would outrank every correction, or no record holds it."""
    if to_utc(event.recorded_at) - now > AHEAD:
        return Refusal(f"event {event.event_id}", "recorded_in_future", "recorded_at")
    size = len(event_record(event, "").value or b"")
    if size > EVENTS.largest:
        return Refusal(f"event {event.event_id}", f"oversize: {size} bytes; up to {EVENTS.largest} an event", "")
    return None


def _written(message: Incoming, digest: str, became: _Became, now: datetime, *, keeps_raw: bool) -> Translated:
    refusals = tuple(dict.fromkeys(became.refusals))
    raw = raw_record(message, digest) if became.events and keeps_raw else None
    letter = dead_letter(message, digest, refusals, now) if refusals else None
    outcome = Outcome(
        tuple(became.items),
        refusals,
        became.ignored.total(),
        refused_whole=bool(refusals) and all(item.outcome == "refused" for item in became.items),
        counted=dict(became.counted),
    )
    beside = tuple(sent for sent in (raw, letter) if sent is not None)
    return Translated(outcome, (*became.sends, *beside), _counts(message, became, outcome))


def _counts(message: Incoming, became: _Became, outcome: Outcome) -> Counter[Count]:
    word = "refused" if outcome.refused_whole else "partly refused" if outcome.refusals else "accepted"
    channel = ("channel", message.channel)
    counts: Counter[Count] = Counter()
    counts["messages", (channel, ("format", message.format), ("outcome", word))] += 1
    for event in became.events:
        counts["events", (channel, ("kind", event.kind), ("outcome", "accepted"))] += 1
    for refusal in outcome.refusals:
        counts["dead_letters", (("reason", word_of(refusal)),)] += 1
    for family, words in (("ignored", became.ignored), ("noticed", became.counted)):
        for what, n in words.items():
            counts[family, (("what", what),)] += n
    return counts
