"""The desk of a node: what becomes of one message, of the passage of time, and of a new rule pack.

Law: everything that one message changes is part of one transaction; one message that cannot be taken costs no other.
"""

import dataclasses
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache, partial
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec

from schemas.alerts import Notice
from schemas.days import FOREVER, to_utc
from schemas.events import AnyEvent, Erasure, PatientMerge, PatientUnmerge
from schemas.tables import Tables
from schemas.wire import LARGEST_MESSAGE, NotJsonError, decode, encode
from streams.inputs import Intake, refused
from streams.intake.fhir import translate_fhir_bytes
from streams.intake.native import translate_decoded
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.charts import StoredCharts
from streams.node.directory import StoredDirectory
from streams.node.engine_erasing import Eraser
from streams.node.engine_telling import Telling
from streams.node.port import Incoming, ItemOutcome, Outcome
from streams.node.schema import instant, stamp
from streams.node.store import DISK, Store
from streams.node.store_rows import Count, digest_of
from streams.node.watch import Decided
from streams.people import People, link_of
from streams.ward import Erasures, Ward

Done = TypeVar("Done")

_CLOCK: Final = "clock"
_WORDS: Final = ("recorded_in_future", "erased", "unmapped_code", "not_read", "duplicate")
"""What may become of an event but that it is accepted."""
_BESIDE: Final = ("event_id_reused", "recorded_ahead")
"""What is noticed of an event beside what became of it."""


class _Before(msgspec.Struct, frozen=True):
    """What the ward knew before a message, beside its charts."""

    people: People
    erasures: Erasures
    counts: dict[Count, int]
    sources: dict[str, "_Seen"]
    ages: int


class _Seen(msgspec.Struct, frozen=True):
    """What a transaction saw of a source."""

    received_at: datetime
    recorded_at: datetime
    events: int
    live: bool


class _Taken(msgspec.Struct):
    """What became of a message so far."""

    items: list[ItemOutcome]
    refusals: list[Refusal]
    ignored: int
    counted: Counter[str]
    blank: bool = False


class Desk:
    """One ward on one store."""

    def __init__(self, store: Store, monitor: Monitor, tables: Tables, site: Site, decided_by: str, held: int) -> None:
        self._store = store
        self._rows = store.rows
        self._tables = tables
        self._site = site
        self.decided_by = decided_by
        self.charts = StoredCharts(store.rows, monitor, decided_by, held)
        self.ward = Ward(monitor, self.charts, store.mark)
        self._counts: Counter[Count] = Counter()
        self._sources: dict[str, _Seen] = {}
        self._took: list[float] = []
        self._ages: list[float] = []
        self.telling = Telling(store.rows, self.ward, self._counts, lambda: self.now)
        self._last = store.rows.last_message()
        self.now = _kept_clock(store)
        self._directory = StoredDirectory(store.rows, self.now)
        self._intake = lru_cache(maxsize=256)(self._intake_of)
        self._eraser = Eraser(store, self.ward)
        self.ward.people = People(store.rows.links())
        self.ward.erasures = store.rows.erasures()
        self.ward.expect(store.rows.checks())

    def _intake_of(self, feed: str | None) -> Intake:
        """The intake of a feed: its name stands for the source of events that carry none."""
        site = self._site if self._site.source or feed is None else dataclasses.replace(self._site, source=feed)
        return Intake(site, self._tables, self._directory)

    # ---- a transaction

    def begin(self, clock: datetime) -> datetime:
        """The instant at which everything of a transaction is decided: a clock that goes back is not followed."""
        self.now = max(self.now, to_utc(clock))
        self._directory.now = self.now
        return self.now

    def write(self) -> None:
        """Write what was only counted, last thing before the commit."""
        for source, seen in self._sources.items():
            self._rows.saw_source(source, seen.received_at, seen.recorded_at, seen.events, live=seen.live)
        self._rows.count(self._counts)
        self._rows.set_setting(_CLOCK, str(stamp(self.now)).encode())

    def committed(self) -> None:
        """The transaction is durable."""
        self.charts.committed()
        self._sources.clear()
        self._counts.clear()
        self._took, self._ages = [], []
        self._eraser.committed()

    def seen(self) -> Decided:
        """What the transaction did, for whoever looks on."""
        return Decided(self.now, self._took, self._ages, self._counts)

    # ---- a part of a transaction

    def apart(self, work: Callable[[], Done], park: Callable[[Exception], Done]) -> Done:
        """Do some work so that, if it fails, nothing of it remains; `park` says then what becomes of it."""
        before = _Before(self.ward.people, self.ward.erasures, dict(self._counts), dict(self._sources), len(self._ages))
        self._store.begin_part()
        try:
            done = work()
            changed = self.charts.changed()
            self.telling.write(changed, self.now)
            self.charts.write(changed)
        except DISK:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one message must not stop all the others
            self._store.take_back_part()
            self._take_back(before)
            return park(error)
        self._store.keep_part()
        self.charts.keep_message()
        return done

    def _take_back(self, before: _Before) -> None:
        self.ward.people = before.people
        self.ward.erasures = before.erasures
        self._counts.clear()
        self._counts.update(before.counts)
        self._sources = before.sources
        del self._ages[before.ages :]
        for patient_id, chart in self.charts.take_back_message():
            at = FOREVER if chart is None else chart.next_check_at
            # What is due already is what failed: it would fail again at once.
            self.ward.look_again(patient_id, at if at > self.now else FOREVER)
        self.telling.load()

    # ---- time

    def tick(self) -> None:
        """Decide the chart that is due next at the instant of its crossing; one that cannot be decided is parked."""
        began = perf_counter()
        self.apart(lambda: self.telling.of_clock(self.ward.tick()), self._undecided)
        self._took.append(perf_counter() - began)

    def _undecided(self, error: Exception) -> None:
        """Time changes nothing of this chart until an event, or the next start, comes."""
        self._counts["undecided", (("why", type(error).__name__),)] += 1

    def examine(self, most: int) -> int:
        """Decide some charts anew that another rule pack decided; returns how many."""
        found = self._rows.decided_otherwise(self.decided_by, most)
        for patient_id in found:
            self.apart(partial(self._examine, patient_id), partial(self._unexamined, patient_id))
        return len(found)

    def _examine(self, patient_id: str) -> None:
        self.telling.of_clock(self.ward.examine(patient_id, self.now))

    def _unexamined(self, patient_id: str, error: Exception) -> None:
        """It stays as the former rule pack decided it."""
        self._undecided(error)
        self._rows.set_decided_by(patient_id, self.decided_by)

    # ---- what people ask for

    def go_live(self, source: str) -> list[Notice]:
        """End the loading of a source's old data; returns the digest."""
        return self.telling.go_live(source)

    def audit(self, line: Mapping[str, Any]) -> None:
        """Write a line of the audit."""
        self._rows.put_audit({"at": self.now, **line})

    def redrive(self, letter_id: int) -> Outcome | None:
        """Take a refused message again; None if it is no longer kept."""
        message = self._rows.message_of_letter(letter_id)
        return None if message is None else self.take(message)

    # ---- messages

    def take(self, message: Incoming) -> Outcome:
        """What becomes of a message."""
        digest = digest_of(message)
        known = self._rows.known_message(digest)
        if known is not None and known.outcome is not None:
            self._count_message(message, "duplicate")
            return known.outcome
        number = None if known is None else known.raw_id
        began = perf_counter()
        taken = self.apart(partial(self._take, message, digest, number), partial(self._park, message, digest, number))
        self._took.append(perf_counter() - began)
        return taken

    def _take(self, message: Incoming, digest: bytes, number: int | None) -> Outcome:
        raw_id = self._number(number)
        taken = _Taken([], [], 0, Counter())
        for translation, name in self._translated(message):
            self._take_translated(translation, name, taken, message, raw_id)
        return self._settled(message, digest, raw_id, taken, again=number is not None)

    def _number(self, known: int | None) -> int:
        """The number of a message: the one that it has, or the next."""
        if known is not None:
            return known
        self._last += 1
        return self._last

    def _settled(self, message: Incoming, digest: bytes, raw_id: int, taken: _Taken, *, again: bool) -> Outcome:
        for refusal in dict.fromkeys(taken.refusals):
            self._rows.put_dead_letter(raw_id, refusal, self.now)
            self._counts["dead_letters", (("reason", _word(refusal)),)] += 1
        whole = bool(taken.refusals) and all(item.outcome == "refused" for item in taken.items)
        outcome = Outcome(
            tuple(taken.items), tuple(taken.refusals), taken.ignored, refused_whole=whole, counted=dict(taken.counted)
        )
        self._rows.put_message(raw_id, message, digest, outcome, blank=taken.blank)
        if again and not taken.refusals:
            self._rows.take_dead_letters(raw_id, self.now)
        if taken.blank:
            self._eraser.blank(raw_id)
        self._count_message(message, "refused" if whole else "partly refused" if taken.refusals else "accepted")
        return outcome

    def _count_message(self, message: Incoming, outcome: str) -> None:
        labels = ("channel", message.channel), ("format", message.format), ("outcome", outcome)
        self._counts["messages", labels] += 1

    def _park(self, message: Incoming, digest: bytes, number: int | None, error: Exception) -> Outcome:
        """Keep a message that made us fail; where and how is said, but nothing of its content."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        refusal = Refusal("message", f"failed: {type(error).__name__}; kept as a dead letter", where)
        taken = _Taken([], [refusal], 0, Counter())
        return self._settled(message, digest, self._number(number), taken, again=number is not None)

    # ---- translation

    def _translated(self, message: Incoming) -> Iterator[tuple[Translation, str]]:
        """The outcomes of the parts of a message, each with the name of what was to be one event."""
        intake = self._intake(message.feed if message.format == "event" else None)
        match message.format:
            case "hl7v2":
                yield intake.hl7v2(message.raw), ""
            case "fhir":
                yield self._fhir(message, intake), ""
            case "event":
                yield from _native(message.raw, intake)

    def _fhir(self, message: Incoming, intake: Intake) -> Translation:
        return translate_fhir_bytes(
            message.raw,
            site=intake.site,
            tables=intake.tables,
            directory=intake.directory,
            received_at=message.received_at,
        )

    def _take_translated(
        self, translation: Translation, name: str, taken: _Taken, message: Incoming, raw_id: int
    ) -> None:
        for event in translation.events:
            item = self._event(event, message, raw_id, taken)
            taken.items.append(item)
        if translation.refused_whole and message.format == "event":
            taken.items.append(ItemOutcome(name, "refused", translation.refusals[0].reason))
        taken.refusals += translation.refusals
        taken.ignored += sum(translation.ignored.values())
        taken.counted.update(translation.counted)
        for family, counts in (("ignored", translation.ignored), ("noticed", translation.counted)):
            for word, n in counts.items():
                self._counts[family, (("what", word),)] += n

    # ---- events

    def _event(self, event: AnyEvent, message: Incoming, raw_id: int, taken: _Taken) -> ItemOutcome:
        if self._is_forgotten(event):
            taken.blank = True
            return self._became(event, message, "erased", taken)
        ordinal = self._rows.put_event(event, encode(event), raw_id, self.now)
        if ordinal is None:
            return self._became(event, message, "duplicate", taken)
        people, erasures = self.ward.people, self.ward.erasures
        self.ward.counts, self.ward.unmapped = Counter(), Counter()
        notices = self.ward.receive(event, self.now)
        for system, n in self.ward.unmapped.items():
            self._counts["unmapped_codes", (("system", system),)] += n
        taken.counted.update({w: n for w, n in self.ward.counts.items() if w in _BESIDE and n})
        word = next((w for w in _WORDS if self.ward.counts[w]), "accepted")
        if word == "recorded_in_future":
            self._rows.remove_event(ordinal)
            taken.refusals.append(Refusal(f"event {event.event_id}", word, "recorded_at"))
            return self._became(event, message, word, taken)
        if isinstance(event, Erasure):
            taken.blank = True
            self._rows.blank_event(ordinal, self.ward.mark(event.patient_id))
        if self.ward.people is not people and isinstance(event, PatientMerge | PatientUnmerge):
            self._link(event)
        if self.ward.erasures is not erasures and isinstance(event, Erasure):
            self._eraser.erase(event, self.now)
        self.telling.of_event(event, notices)
        self._saw(event, message)
        return self._became(event, message, word, taken)

    def _link(self, event: PatientMerge | PatientUnmerge) -> None:
        link = link_of(event)
        if link is not None:
            self._rows.put_link(link)

    def _is_forgotten(self, event: AnyEvent) -> bool:
        """It speaks of somebody who was forgotten; a link is kept all the same, for the numbers that it connects."""
        if not self.ward.erasures or isinstance(event, Erasure | PatientMerge | PatientUnmerge):
            return False
        return self.ward.forgets(event.patient_id, to_utc(event.recorded_at))

    def _saw(self, event: AnyEvent, message: Incoming) -> None:
        at, recorded_at = to_utc(message.received_at), to_utc(event.recorded_at)
        before = self._sources.get(event.source)
        live = event.source not in self.telling.history.loading
        latest = max(before.recorded_at, recorded_at) if before else recorded_at
        if not event.history:
            self._ages.append((self.now - recorded_at).total_seconds())
        self._sources[event.source] = _Seen(at, latest, (before.events if before else 0) + 1, live)

    def _became(self, event: AnyEvent, message: Incoming, word: str, taken: _Taken) -> ItemOutcome:
        labels = ("channel", message.channel), ("kind", event.kind), ("outcome", word)
        self._counts["events", labels] += 1
        if word in ("erased", "recorded_in_future"):
            return ItemOutcome(event.event_id, "refused", word)
        if word in ("unmapped_code", "not_read"):
            taken.counted[word] += 1
            return ItemOutcome(event.event_id, "accepted", word)
        if word == "duplicate":
            return ItemOutcome(event.event_id, "duplicate")
        return ItemOutcome(event.event_id, "accepted")


def _native(raw: bytes, intake: Intake) -> Iterator[tuple[Translation, str]]:
    """The native events of a JSON text: one, or an array of them; each keeps its place."""
    if len(raw) > LARGEST_MESSAGE:
        yield refused("event", f"larger than {LARGEST_MESSAGE} bytes; send fewer events at once"), ""
        return
    try:
        given = decode(raw)
    except NotJsonError as error:
        yield refused("event", f"{error}; one JSON object or an array of them is expected"), ""
        return
    for one in given if isinstance(given, list) else [given]:
        name = one.get("event_id") if isinstance(one, dict) else None
        yield translate_decoded(one, source=intake.site.source), name if isinstance(name, str) else ""


def _word(refusal: Refusal) -> str:
    """The reason of a dead letter as it is counted: one of few words."""
    return refusal.reason if refusal.reason in _WORDS else "failed" if refusal.refused == "message" else "refused"


def _kept_clock(store: Store) -> datetime:
    kept = store.rows.setting(_CLOCK)
    return instant(int(kept) if kept else 0)
