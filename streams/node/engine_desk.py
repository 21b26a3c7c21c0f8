"""The desk of a node: what becomes of one message, of the passage of time, and of a new rule pack.

Law: everything that one message changes is part of one transaction; one message that cannot be taken costs no other.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec

from alerting.lifecycle import Cause
from schemas.alerts import Notice
from schemas.days import FOREVER, to_utc
from schemas.events import AnyEvent, Erasure, PatientMerge, PatientUnmerge
from schemas.tables import Tables
from schemas.wire import encode
from streams.intake.outcome import Refusal, Translation
from streams.intake.site import Site
from streams.monitor import Monitor
from streams.node.directory import StoredDirectory
from streams.node.engine_clock import CORRECTED, KEPT
from streams.node.engine_erasing import Eraser
from streams.node.engine_reading import NOT_WHOLE, MessageReading
from streams.node.engine_taken import ERASED, UNTAKEN, NothingTakenError, Taken, failed, word_of
from streams.node.engine_telling import Telling
from streams.node.port import Incoming, ItemOutcome, Outcome
from streams.node.schema import instant, stamp
from streams.node.store import DISK, Store
from streams.node.store_rows import Count, digest_of
from streams.node.watch import Decided
from streams.paged_charts import PagedCharts
from streams.people import People, link_of
from streams.ward import RULE_PACK, Erasures, Ward

Done = TypeVar("Done")

_WORDS: Final = (*UNTAKEN, "unmapped_code", "not_read", "duplicate", "unconvertible_unit")
"""What may become of an event but that it is accepted."""
_BESIDE: Final = ("event_id_reused", "recorded_ahead", "unconvertible_unit")
"""What is noticed of an event beside what became of it."""


class _Before(msgspec.Struct, frozen=True):
    """What the ward knew before a message, beside its charts."""

    people: People
    erasures: Erasures
    counts: dict[Count, int]
    sources: dict[str, "_Seen"]
    ages: int
    took: int


class _Seen(msgspec.Struct, frozen=True):
    """What a transaction saw of a source."""

    received_at: datetime
    recorded_at: datetime
    events: int
    live: bool


class _ForgetsError(Exception):
    """What a message makes forgotten must have been written before it, so that it can be taken out."""


class Desk:
    """One ward on one store."""

    def __init__(self, store: Store, monitor: Monitor, tables: Tables, site: Site, decided_by: str, held: int) -> None:
        self._store = store
        self._rows = store.rows
        self.decided_by = decided_by
        self.charts = PagedCharts(store.rows, monitor, decided_by, held)
        self.ward = Ward(monitor, self.charts, store.mark)
        self._counts: Counter[Count] = Counter()
        self._sources: dict[str, _Seen] = {}
        self._together = False
        self._took: list[float] = []
        self._ages: list[float] = []
        self.telling = Telling(store.rows, self.ward, self._counts, lambda: self.now)
        self._last = store.rows.last_message()
        self.now = _kept_clock(store)
        self._directory = StoredDirectory(store.rows, self.now)
        self._reading = MessageReading(site, tables, self._directory)
        self._eraser = Eraser(store, self.ward)
        self.ward.people = People(store.rows.links())
        self.ward.erasures = store.rows.erasures()
        self.ward.expect(store.rows.checks())

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
        self._rows.set_setting(KEPT, str(stamp(self.now)).encode())

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
        before = self._before()
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

    def _before(self) -> _Before:
        sizes = len(self._ages), len(self._took)
        return _Before(self.ward.people, self.ward.erasures, dict(self._counts), dict(self._sources), *sizes)

    def _take_back(self, before: _Before) -> None:
        self.ward.people = before.people
        self.ward.erasures = before.erasures
        self._counts.clear()
        self._counts.update(before.counts)
        self._sources = before.sources
        del self._ages[before.ages :], self._took[before.took :]
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
        if len(found) < most:
            self._rows.remove_setting(CORRECTED)
        return len(found)

    def _examine(self, patient_id: str) -> None:
        corrected = self._rows.setting(CORRECTED) is not None
        cause = Cause() if corrected else RULE_PACK
        self.telling.of_clock(self.ward.examine(patient_id, self.now, cause))

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
        """Take a refused message again; None if it is no longer kept. Of a part nothing can be taken."""
        message = self._rows.message_of_letter(letter_id)
        if message is None:
            return None
        if message.format == "part":
            return Outcome(refusals=(NOT_WHOLE,), refused_whole=True)
        return self.take(message)

    # ---- messages

    def take_all(self, messages: Sequence[Incoming]) -> list[Outcome]:
        """What becomes of messages, in order.

        Topic: together they are one part, which costs half of as many parts; if one of them fails, or forgets
        somebody, it is as if they had not come yet, and each is taken by itself.
        """
        if len(messages) > 1:
            self._together = True
            taken = self.apart(lambda: list(map(self._timed, messages)), _each_by_itself)
            self._together = False
            if taken:
                return taken
        return list(map(self.take, messages))

    def take(self, message: Incoming) -> Outcome:
        """What becomes of a message."""
        return self.apart(partial(self._timed, message), partial(self._park, message))

    def _timed(self, message: Incoming) -> Outcome:
        began = perf_counter()
        outcome = self._take(message)
        self._took.append(perf_counter() - began)
        return outcome

    def _take(self, message: Incoming) -> Outcome:
        digest = digest_of(message)
        known = self._rows.known_message(digest)
        if known is not None and known.outcome is not None:
            self._count_message(message, "duplicate")
            return known.outcome
        number = None if known is None else known.raw_id
        raw_id = self._number(number)
        taken = Taken()
        for translation, name in self._reading.parts(message):
            self._take_translated(translation, name, taken, message, raw_id)
            if translation.all_or_nothing and taken.is_refused():
                raise NothingTakenError(taken)
        return self._settled(message, digest, raw_id, taken, again=number is not None)

    def _number(self, known: int | None) -> int:
        """The number of a message: the one that it has, or the next."""
        if known is not None:
            return known
        self._last += 1
        return self._last

    def _settled(self, message: Incoming, digest: bytes, raw_id: int, taken: Taken, *, again: bool) -> Outcome:
        for refusal in dict.fromkeys(taken.refusals):
            self._rows.put_dead_letter(raw_id, refusal, self.now)
            self._counts["dead_letters", (("reason", word_of(refusal)),)] += 1
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

    def _park(self, message: Incoming, error: Exception) -> Outcome:
        """Keep a message of which nothing is taken."""
        digest = digest_of(message)
        known = self._rows.known_message(digest)
        number = None if known is None else known.raw_id
        taken = error.taken if isinstance(error, NothingTakenError) else failed(error)
        return self._settled(message, digest, self._number(number), taken, again=number is not None)

    def _take_translated(
        self, translation: Translation, name: str, taken: Taken, message: Incoming, raw_id: int
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

    def _event(self, event: AnyEvent, message: Incoming, raw_id: int, taken: Taken) -> ItemOutcome:
        if self._is_forgotten(event):
            taken.blank = True
            return self._became(event, message, ERASED, taken)
        ordinal = self._rows.put_event(event, encode(event), raw_id, self.now)
        if ordinal is None:
            return self._became(event, message, "duplicate", taken)
        people, erasures = self.ward.people, self.ward.erasures
        self.ward.counts, self.ward.unmapped = Counter(), Counter()
        notices = self.ward.receive(event, self.now)
        self._count_event(taken)
        word = next((w for w in _WORDS if self.ward.counts[w]), "accepted")
        if word == "recorded_in_future":
            self._rows.remove_event(ordinal)
            taken.refusals.append(Refusal(f"event {event.event_id}", word, "recorded_at"))
            return self._became(event, message, word, taken)
        if isinstance(event, Erasure):
            if self._together:
                raise _ForgetsError
            taken.blank = True
            self._rows.blank_event(ordinal, self.ward.mark(event.patient_id))
        if self.ward.people is not people and isinstance(event, PatientMerge | PatientUnmerge):
            self._link(event)
        if self.ward.erasures is not erasures and isinstance(event, Erasure):
            self._eraser.erase(event, self.now)
        self.telling.of_event(event, notices)
        self._saw(event, message)
        return self._became(event, message, word, taken)

    def _count_event(self, taken: Taken) -> None:
        for system, n in self.ward.unmapped.items():
            self._counts["unmapped_codes", (("system", system),)] += n
        for beside in _BESIDE:
            if n := self.ward.counts[beside]:
                taken.counted[beside] += n
                self._counts["noticed", (("what", beside),)] += n

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

    def _became(self, event: AnyEvent, message: Incoming, word: str, taken: Taken) -> ItemOutcome:
        labels = ("channel", message.channel), ("kind", event.kind), ("outcome", word)
        self._counts["events", labels] += 1
        if word in UNTAKEN:
            return ItemOutcome(event.event_id, "refused", word)
        if word in ("unmapped_code", "not_read"):
            taken.counted[word] += 1
            return ItemOutcome(event.event_id, "accepted", word)
        if word == "duplicate":
            return ItemOutcome(event.event_id, "duplicate")
        if word == "unconvertible_unit":
            return ItemOutcome(event.event_id, "accepted", word)
        return ItemOutcome(event.event_id, "accepted")


def _each_by_itself(_: Exception) -> list[Outcome]:
    """Whoever failed fails again when it is taken by itself, and is parked then."""
    return []


def _kept_clock(store: Store) -> datetime:
    kept = store.rows.setting(KEPT)
    return instant(int(kept) if kept else 0)
