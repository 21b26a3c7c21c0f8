"""A receiver that is a file: a line of JSON a notice, durable before it counts as taken.

Topic: what waits is written together and made durable once. The file may be renamed at any time (log rotation): a new
one is begun. What the end of the file has already is not written again, so that a crash leaves no line twice.
"""

import asyncio
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from alerting.delivery.message import TAKEN, Answer, Message
from alerting.delivery.settings import FileSettings

_REMEMBERED: Final = 4_096
"""Lines: more than can have been written and not yet be known as taken."""
_BLOCK: Final = 1 << 20


class _Line(msgspec.Struct):
    notice_id: str


class FileReceiver:
    """One file."""

    def __init__(self, settings: FileSettings) -> None:
        self._file = _File(settings.path)
        self._waiting: list[tuple[Message, asyncio.Future[Answer]]] = []
        self._writing: asyncio.Task[None] | None = None
        # One thread for all that is done to the file: a sender that gives up leaves a write under way behind.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="file receiver")

    async def send(self, message: Message) -> Answer:
        """Append its lines, with those of whoever waits as well."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._thread, self._file.append, [message for message, _ in waiting])
                said = TAKEN
            except OSError:
                said = Answer("again", "disk")
            except Exception:  # noqa: BLE001 - nobody may wait in vain for a mistake of ours
                said = Answer("again", "mistake")
            for _, answer in waiting:
                if not answer.done():
                    answer.set_result(said)

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._writing is not None:
            await self._writing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()


class _File:
    """The file of a path, whichever that is just now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    def append(self, messages: list[Message]) -> None:
        """Write the lines that are not there yet and make them durable; all of them, or as if there had been none.

        Errors: OSError.
        """
        file = self._opened()
        lines = {
            notice_id: body
            for message in messages
            for notice_id, body in zip(message.notice_ids, message.bodies, strict=True)
            if notice_id not in self._known
        }
        if not lines:
            return
        before = os.fstat(file).st_size
        try:
            _write_all(file, b"".join(body + b"\n" for body in lines.values()))
            os.fsync(file)
        except OSError:
            # What a failed fsync left in memory must not be found, and be taken for durable, next time.
            self._take_back(file, before)
            raise
        for notice_id in lines:
            self._remember(notice_id)

    def _take_back(self, file: int, size: int) -> None:
        try:
            os.ftruncate(file, size)
        finally:
            self.close()

    def _opened(self) -> int:
        if self._file is not None and not _is_at(self._file, self._path):
            self.close()
        if self._file is None:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _mend(file)
                for notice_id in _last_ids(file):
                    self._remember(notice_id)
                _make_durable(file, self._path.parent)
            except OSError:
                os.close(file)
                raise
            self._file = file
        return self._file

    def _remember(self, notice_id: str) -> None:
        if notice_id in self._known:
            return
        self._known.add(notice_id)
        self._order.append(notice_id)
        if len(self._order) > _REMEMBERED:
            self._known.discard(self._order.popleft())

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _is_at(file: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(file)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _write_all(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _make_durable(file: int, folder: Path) -> None:
    os.fsync(file)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _mend(file: int) -> None:
    """Complete a last line that only lacks its end; cut off one that is torn."""
    last = next(_lines_from_the_end(file))
    if not last:
        return
    if _id_of(last) is not None:
        _write_all(file, b"\n")
    else:
        os.ftruncate(file, os.fstat(file).st_size - len(last))


def _last_ids(file: int) -> list[str]:
    """The notices of the last lines, the earliest first."""
    found = []
    for number, line in enumerate(_lines_from_the_end(file)):
        if number > _REMEMBERED:
            break
        notice_id = _id_of(line)
        if notice_id is not None:
            found.append(notice_id)
    return found[::-1]


def _lines_from_the_end(file: int) -> Iterator[bytes]:
    """The lines of a file, the last first: what follows the last line end is one, though it may be empty."""
    at, rest = os.fstat(file).st_size, b""
    while at > 0:
        begins = max(0, at - _BLOCK)
        rest = os.pread(file, at - begins, begins) + rest
        at = begins
        first, *whole = rest.split(b"\n")
        yield from reversed(whole)
        rest = first
    yield rest


def _id_of(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Line).notice_id
    except msgspec.DecodeError:
        return None
