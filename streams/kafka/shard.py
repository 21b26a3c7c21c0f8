"""One partition on one state: what becomes of its records, of the passage of time, and of a new rule pack.

Law: one record that cannot be taken costs no other; it is a dead letter, and the partition goes on.
"""

import hashlib
import hmac
import secrets
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from alerting.lifecycle import Cause
from schemas.alerts import Notice
from schemas.days import FOREVER, to_utc
from schemas.events import AnyEvent, Erasure, PatientMerge, PatientUnmerge
from schemas.facts import Fact
from schemas.wire import NotJsonError, decode
from streams.chart import codec
from streams.chart.chart import Chart
from streams.intake.native import translate_native
from streams.intake.outcome import Refusal
from streams.kafka import records
from streams.kafka.partition_ward import PartitionWard, pieces
from streams.kafka.records import Moved, Piece
from streams.kafka.shard_state import Kept, StatePages, StatePeople
from streams.kafka.shard_telling import ShardTelling
from streams.kafka.work import Count, Given, Sent, State, Work
from streams.monitor import Monitor
from streams.paged_charts import HELD, PagedCharts, decided_by
from streams.people import People, link_of
from streams.ward import Erasures

_CLOCK: Final = b"clock"
_KEY: Final = b"erasure_key"
_PIECE: Final = b"piece/"
_WHOLE: Final = b"moved/"
_MOST_FACTS: Final = 1_000
"""Facts of a record that moves them: about 150 KB, and a broker takes 1 MB."""
_WORDS: Final = (
    "recorded_in_future",
    "erased",
    "unmapped_code",
    "not_read",
    "forwarded",
    "duplicate",
    "unconvertible_unit",
)
"""What may become of an event but that it is accepted."""

PartitionOf = Callable[[bytes], int]
"""The partition of a key: murmur2, as Java's clients have it."""


class _ForgetsError(Exception):
    """What a record makes forgotten must have been written before it, so that it can be taken out."""


class MonitorShard:
    """A partition that decides (streams.kafka.work.Shard)."""

    def __init__(
        self,
        monitor: Monitor,
        number: int,
        partitions: int,
        state: State,
        partition_of: PartitionOf,
        *,
        held: int = HELD,
    ) -> None:
        self._number = number
        self._partitions = partitions
        self._partition_of = partition_of
        self._kept = Kept(state)
        self._pages = StatePages(self._kept)
        self._people = StatePeople(self._kept)
        self.decided_by = decided_by(monitor)
        self.charts = PagedCharts(self._pages, monitor, self.decided_by, held)
        self._key = self._erasure_key()
        self.ward = PartitionWard(monitor, self.charts, self._mark, self.is_here, self)
        self._sends: list[Sent] = []
        self._counts: Counter[Count] = Counter()
        self._ages: list[float] = []
        self.ward.people = People(self._people.links())
        self.ward.erasures = self._people.erasures()
        self.telling = ShardTelling(self._kept, self.ward, self._sends, self._counts)
        self.now = _clock_of(self._kept)
        self._committed: tuple[People, Erasures] = (self.ward.people, self.ward.erasures)
        self._grouped = False
        self._to_examine = self._expect()

    def _expect(self) -> deque[str]:
        """Take up when charts are to be looked at again; returns those that another rule pack decided."""
        known = list(self._pages.checks())
        self.ward.expect((patient_id, to_utc(at)) for patient_id, at, _ in known if at is not None)
        return deque(patient_id for patient_id, _, by in known if by != self.decided_by)

    def _erasure_key(self) -> bytes:
        """The key of this partition's marks; it is written with the first work."""
        known = self._kept.get(_KEY)
        return known if known is not None else secrets.token_bytes(32)

    def _mark(self, patient_id: str) -> str:
        return hmac.new(self._key, records.key_of(patient_id), hashlib.sha256).hexdigest()

    def is_here(self, patient_id: str) -> bool:
        """The chart of an identity that survives is kept in this partition."""
        return self._partition_of(records.key_of(patient_id)) == self._number

    # ---- as the engine asks (streams.kafka.work.Shard)

    def take(self, chunk: Sequence[Given], now: datetime) -> Work:
        self._begin(now)
        if not self._together(chunk):
            for given in chunk:
                self._apart(partial(self._take, given), partial(self._park, given))
        return self._work()

    def tick(self, now: datetime, most: int) -> Work:
        self._begin(now)
        for _ in range(most):
            if self.ward.next_check_at() <= self.now:
                self._apart(lambda: self.telling.of_clock(self.ward.tick()), self._undecided)
            elif self._to_examine:
                self._examine(self._to_examine.popleft())
            else:
                break
        return self._work()

    def next_check_at(self) -> datetime:
        return self.now if self._to_examine else self.ward.next_check_at()

    def committed(self) -> None:
        self.charts.committed()
        self._committed = self.ward.people, self.ward.erasures

    def dropped(self) -> None:
        self._kept.begin()
        self.charts.drop()
        self.ward.people, self.ward.erasures = self._committed
        self.telling.load()
        self._to_examine = self._expect()

    # ---- a transaction

    def _begin(self, now: datetime) -> None:
        """A clock that goes back is not followed."""
        self._kept.begin()
        self._sends.clear()
        self._counts.clear()
        self._ages = []
        self.now = max(self.now, to_utc(now))

    def _work(self) -> Work:
        self._kept.put(_CLOCK, self.now.isoformat().encode())
        self._kept.put(_KEY, self._key)
        self._kept.keep_record()
        return Work(tuple(self._sends), dict(self._kept.changes), dict(self._counts), tuple(self._ages))

    def _together(self, chunk: Sequence[Given]) -> bool:
        """Take records as one part, which is cheaper; False, and as if none had come, where one of them fails."""
        failed: list[Exception] = []

        def take_all() -> None:
            for given in chunk:
                self._take(given)

        self._grouped = True
        self._apart(take_all, failed.append)
        self._grouped = False
        return not failed

    def _apart(self, work: Callable[[], None], park: Callable[[Exception], None]) -> None:
        """Do some work so that, if it fails, nothing of it remains; `park` says then what becomes of it."""
        people, erasures, sent, counted = self.ward.people, self.ward.erasures, len(self._sends), Counter(self._counts)
        ages = len(self._ages)
        try:
            work()
            changed = self.charts.changed()
            self.telling.write(changed, self.now)
            self.charts.write(changed)
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one record must not stop the partition
            self._kept.take_back_record()
            del self._sends[sent:], self._ages[ages:]
            self._counts.clear()
            self._counts.update(counted)
            self._take_back(people, erasures, self.charts.take_back_message())
            park(error)
        self._kept.keep_record()
        self.charts.keep_message()

    def _take_back(self, people: People, erasures: Erasures, touched: Iterable[tuple[str, Chart | None]]) -> None:
        self.ward.people, self.ward.erasures = people, erasures
        for patient_id, chart in touched:
            at = FOREVER if chart is None else chart.next_check_at
            # What is due already is what failed: it would fail again at once.
            self.ward.look_again(patient_id, at if at > self.now else FOREVER)
        self.telling.load()

    # ---- records

    def _take(self, given: Given) -> None:
        if records.header(given, records.LIVE) is not None:
            self._live(given)
        elif records.header(given, records.MOVED) is not None:
            self._arrive(given)
        else:
            self._take_event(given)

    def _take_event(self, given: Given) -> None:
        translation = translate_native(given.value or b"")
        for refusal in translation.refusals:
            self._refuse(given, refusal)
        for event in translation.events:
            self._event(event, given)

    def _event(self, event: AnyEvent, given: Given) -> None:
        if records.header(given, records.FOR) is None and records.header(given, records.ALL) is None:
            if not self.is_here(event.patient_id):
                self._sends.append(records.event_record(event))
                self._became(event, "misplaced")
                return
            if isinstance(event, PatientMerge | PatientUnmerge | Erasure) and self._partitions > 1:
                self._sends += records.for_all(given, self._partitions)
                self._became(event, "told to all")
                return
        self._decide(event, given)

    def _decide(self, event: AnyEvent, given: Given) -> None:
        people, erasures = self.ward.people, self.ward.erasures
        self.ward.counts, self.ward.unmapped = Counter(), Counter()
        notices = self.ward.receive(event, self.now)
        for system, n in self.ward.unmapped.items():
            self._counts["unmapped_codes", (("system", system),)] += n
        word = next((w for w in _WORDS if self.ward.counts[w]), "accepted")
        self._became(event, word)
        if word == "recorded_in_future":
            self._refuse(given, Refusal(f"event {event.event_id}", word, "recorded_at"))
        if word in ("recorded_in_future", "forwarded"):
            return
        if self.ward.people is not people and isinstance(event, PatientMerge | PatientUnmerge):
            link = link_of(event)
            if link is not None:
                self._people.put_link(link)
        if self.ward.erasures is not erasures:
            if self._grouped:
                raise _ForgetsError
            self._people.put_erasures(self.ward.erasures)
        if not event.history:
            self._ages.append((self.now - to_utc(event.recorded_at)).total_seconds())
        self.telling.of_event(event, notices, self.now)

    def _live(self, given: Given) -> None:
        try:
            said = decode(given.value or b"")
        except NotJsonError as error:
            self._refuse(given, Refusal("live", str(error), "$"))
            return
        source = said.get("source") if isinstance(said, dict) else None
        if isinstance(source, str):
            self.telling.go_live(source, self.now)
        else:
            self._refuse(given, Refusal("live", 'expected {"source": NAME}', "$.source"))

    # ---- whoever moves

    def forward(self, event: AnyEvent, survivor: str) -> None:
        """(streams.kafka.partition_ward.Leaving)."""
        self._sends.append(records.forwarded(event, survivor))

    def move(self, chart: Chart, cause: Cause) -> None:
        """(streams.kafka.partition_ward.Leaving)."""
        names = {*chart.patient_ids, *(told.patient_id for told in chart.told.values())}
        beside = self.telling.leaving(names, chart.told)
        some = list(pieces(chart.facts, _MOST_FACTS)) or [[]]
        move_id = f"{self._number}/{chart.patient_id}/{cause.event_id}/{self.now.isoformat()}"
        for number, facts in enumerate(some, 1):
            last = number == len(some)
            page = codec.encode(chart.patient_id, facts, chart.told.values() if last else (), None)
            piece = Piece(move_id, chart.patient_id, cause.event_id, page, beside if last else None)
            self._sends.append(records.piece_record(piece, number, len(some)))

    def _arrive(self, given: Given) -> None:
        """Keep a piece until the last one is here."""
        piece = records.piece_of(given)
        place = _PIECE + piece.move_id.encode("utf-8", "surrogatepass") + b"/"
        whole = _WHOLE + place
        if self._kept.get(whole) is not None:  # it was a dead letter: the others did not wait for it
            self._taken_in(piece.facts, piece, piece.beside or Moved())
            return
        before = list(self._kept.scan(place))
        if piece.beside is None:
            self._kept.put(place + b"%08d" % (len(before) + 1), piece.page)
            return
        if records.header(given, records.MOVED) != "1/1":
            self._kept.put(whole, b"1")
        facts = [fact for _, page in before for fact in codec.decode(page).facts]
        for key, _ in before:
            self._kept.put(key, None)
        self._taken_in([*facts, *piece.facts], piece, piece.beside)

    def _taken_in(self, facts: Iterable[Fact], piece: Piece, beside: Moved) -> None:
        self.telling.arriving(beside)
        notices = self.ward.arrive(facts, piece.memory, self.now, Cause(piece.event_id))
        self.telling.of_clock(notices)

    # ---- what fails

    def _refuse(self, given: Given, refusal: Refusal) -> None:
        word = refusal.reason if refusal.reason in _WORDS else "failed" if refusal.refused == "record" else "refused"
        self._counts["dead_letters", (("reason", word),)] += 1
        self._sends.append(records.dead_letter(given, refusal, self.now))

    def _park(self, given: Given, error: Exception) -> None:
        """Keep a record that made us fail; where and how is said, but nothing of its content."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        self._refuse(given, Refusal("record", f"failed: {type(error).__name__}; kept as a dead letter", where))

    def _undecided(self, error: Exception) -> None:
        """Time changes nothing of this chart until an event, or the next start, comes."""
        self._counts["undecided", (("why", type(error).__name__),)] += 1

    def _examine(self, patient_id: str) -> None:
        """Decide a chart anew that another rule pack decided; if that fails it stays as it was decided."""
        self._apart(lambda: self._looked_at(self.ward.examine(patient_id, self.now)), self._undecided)

    def _looked_at(self, notices: list[Notice]) -> None:
        self.telling.of_clock(notices)

    def _became(self, event: AnyEvent, word: str) -> None:
        self._counts["events", (("channel", "kafka"), ("kind", event.kind), ("outcome", word))] += 1


def _clock_of(kept: Kept) -> datetime:
    known = kept.get(_CLOCK)
    return to_utc(datetime.fromisoformat(known.decode() if known else "1970-01-01T00:00:00+00:00"))
