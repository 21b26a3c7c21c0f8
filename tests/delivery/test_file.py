"""The file receiver: durable lines, no line twice, a torn end, a renamed file, a full disk."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from alerting.delivery.message import Message
from alerting.receivers.file import FileReceiver
from schemas.wire import encode
from tests.delivery.receiving import file, notice


def message(number: int, alert: str = "A") -> Message:
    one = notice(number, alert)
    return Message(one.notice_id, (one.notice_id,), (encode(one),))


async def send(path: Path, *numbers: int) -> list[str]:
    """Send notices to a file that is opened and closed."""
    receiver = FileReceiver(file(path))
    answers = await asyncio.gather(*(receiver.send(message(number)) for number in numbers))
    await receiver.close()
    return [answer.reason for answer in answers]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["notice_id"] for line in path.read_bytes().splitlines()]


async def test_each_notice_is_a_line_as_it_is_on_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert await send(path, 1, 2) == ["taken", "taken"]
    assert path.read_bytes() == encode(notice(1)) + b"\n" + encode(notice(2)) + b"\n"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_is_in_the_file_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "out"
    await send(path, 1, 2, 3)
    assert await send(path, 2, 3, 4) == ["taken"] * 3
    assert ids(path) == ["A-1", "A-2", "A-3", "A-4"]


@pytest.mark.parametrize("torn", [1, 40, 200])
async def test_a_torn_last_line_is_cut_and_written_whole(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "out"
    await send(path, 1)
    path.write_bytes(path.read_bytes() + encode(notice(2))[:torn])
    await send(path, 2)
    assert ids(path) == ["A-1", "A-2"]


async def test_a_last_line_that_only_lacks_its_end_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(encode(notice(1)))
    await send(path, 1, 2)
    assert ids(path) == ["A-1", "A-2"]


@pytest.mark.parametrize("there", [b"", b"\n", b"not ours\n", b"\xff\xfe", b"{}\n"])
async def test_whatever_lines_are_there_stay(tmp_path: Path, there: bytes) -> None:
    path = tmp_path / "out"
    path.write_bytes(there)
    await send(path, 1)
    whole = there if there.endswith(b"\n") else b""
    assert path.read_bytes() == whole + encode(notice(1)) + b"\n"


async def test_a_renamed_file_is_left_and_a_new_one_begun(tmp_path: Path) -> None:
    path, old = tmp_path / "out", tmp_path / "out.1"
    receiver = FileReceiver(file(path))
    await receiver.send(message(1))
    path.rename(old)
    await receiver.send(message(2))
    await receiver.send(message(1))
    await receiver.close()
    assert (ids(old), ids(path)) == (["A-1"], ["A-2"])


async def test_a_full_disk_leaves_no_part_of_a_line_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    receiver = FileReceiver(file(path))
    await receiver.send(message(1))
    before = path.read_bytes()
    real = os.write
    writes: list[int] = []

    def half(descriptor: int, content: bytes) -> int:
        if writes:
            raise OSError(28, "No space left on device")
        writes.append(real(descriptor, bytes(content)[: len(content) // 2]))
        return writes[0]

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        answer = await receiver.send(message(2))
    assert (answer.outcome, answer.reason) == ("again", "disk")
    assert path.read_bytes() == before
    assert (await receiver.send(message(2))).outcome == "taken"
    await receiver.close()
    assert ids(path) == ["A-1", "A-2"]


async def test_what_a_failed_fsync_left_is_not_taken_for_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    receiver = FileReceiver(file(path))
    await receiver.send(message(1))

    def fails(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        assert (await receiver.send(message(2))).outcome == "again"
        assert (await receiver.send(message(2))).outcome == "again"
    assert ids(path) == ["A-1"]
    assert (await receiver.send(message(2))).outcome == "taken"
    await receiver.close()
    assert ids(path) == ["A-1", "A-2"]


async def test_a_folder_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "out"
    receiver = FileReceiver(file(path))
    assert (await receiver.send(message(1))).reason == "disk"
    path.parent.mkdir()
    assert (await receiver.send(message(1))).reason == "taken"
    await receiver.close()


async def test_a_sender_that_gives_up_leaves_the_file_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = FileReceiver(file(tmp_path / "out"))
    await receiver.send(message(1))
    real = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.1)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    given_up = asyncio.create_task(receiver.send(message(2)))
    await asyncio.sleep(0.03)
    patient = asyncio.create_task(receiver.send(message(3)))
    await asyncio.sleep(0.03)
    given_up.cancel()
    assert (await patient).outcome == "taken"
    await receiver.close()
    assert ids(tmp_path / "out") == ["A-1", "A-2", "A-3"]


async def test_what_waits_is_made_durable_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    real = os.fsync

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        real(descriptor)

    receiver = FileReceiver(file(tmp_path / "out"))
    await receiver.send(message(1))
    monkeypatch.setattr(os, "fsync", counted)
    await asyncio.gather(*(receiver.send(message(number)) for number in range(2, 102)))
    await receiver.close()
    assert len(ids(tmp_path / "out")) == 101
    assert len(syncs) < 10
