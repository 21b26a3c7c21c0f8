"""A shard that counts, of which every test knows what it must hold (streams.kafka.work.Shard)."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from schemas.days import FOREVER
from schemas.topics import NOTICES
from streams.kafka.work import Given, Sent, State, Work

COUNT = b"count/"
DUE = b"due/"
RAISE = b"raise"
NOTICE = b"notice"
HANG = b"hang"


def number(value: bytes | None) -> int:
    return 0 if value is None else int.from_bytes(value, "big")


class CountingShard:
    """Counts the records of each key.

    Topic: a record `raise` makes it fail; `notice...` is told; `due MILLISECONDS` is told when so much time has passed;
    `hang` never ends.
    """

    def __init__(self, partition: int, _: int, state: State) -> None:
        self.partition = partition
        self._state = state
        self._due = {key: datetime.fromisoformat(value.decode()) for key, value in state.scan(DUE)}
        self._changes: dict[bytes, bytes | None] = {}
        self._open = False

    def take(self, chunk: Sequence[Given], now: datetime) -> Work:
        self._begin()
        sends: list[Sent] = []
        for given in chunk:
            assert given.key is not None
            assert given.value is not None
            self._one(given.key, given.value, now, sends)
        return Work(tuple(sends), self._changes, Counter({("events", ()): len(chunk)}))

    def _one(self, key: bytes, value: bytes, now: datetime, sends: list[Sent]) -> None:
        if value == RAISE:
            raise RuntimeError("asked to")
        while value == HANG:
            pass
        name = COUNT + key
        known = self._changes.get(name) or self._state.get(name)
        self._changes[name] = (number(known) + 1).to_bytes(8, "big")
        if value.startswith(NOTICE):
            sends.append(Sent(NOTICES.name, key, value))
        if value.startswith(DUE[:-1] + b" "):
            at = now + timedelta(milliseconds=int(value[4:]))
            self._changes[DUE + key] = at.isoformat().encode()

    def tick(self, now: datetime, most: int) -> Work:
        self._begin()
        due = [key for key, at in self._due.items() if at <= now][:most]
        self._changes.update(dict.fromkeys(due))
        return Work(tuple(Sent(NOTICES.name, key[len(DUE) :], b"due") for key in due), self._changes)

    def next_check_at(self) -> datetime:
        return min(self._due.values(), default=FOREVER)

    def committed(self) -> None:
        assert self._open
        for key, value in self._changes.items():
            if key.startswith(DUE):
                self._due.pop(key, None)
                if value is not None:
                    self._due[key] = datetime.fromisoformat(value.decode())
        self._end()

    def dropped(self) -> None:
        assert self._open
        self._end()

    def _begin(self) -> None:
        assert not self._open, "the last work was neither committed nor dropped"
        self._open = True

    def _end(self) -> None:
        self._changes = {}
        self._open = False
