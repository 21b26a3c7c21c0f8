"""Clients that nobody here wrote: python-hl7's, as a library and as a command."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from streams.node.mllp import MllpServer
from streams.node.port import NotDurableError
from tests.node.mllp_clinic import PATIENCE, REFUSED, FakeReceiver, listening, message, told

MLLP_SEND = Path(sys.executable).with_name("mllp_send")


def send_all(server: MllpServer, controls: list[str]) -> list[tuple[str, str]]:
    with MLLPClient(*server.address) as client:
        client.socket.settimeout(PATIENCE)
        return [told(client.send_message(message(control))[1:-2]) for control in controls]


async def test_python_hl7s_client() -> None:
    receiver = FakeReceiver({"M2": REFUSED, "M3": [NotDurableError("full")]})
    async with listening(receiver) as server:
        found = await asyncio.to_thread(send_all, server, ["M1", "M2", "M3", "M3", "M1"])
    assert found == [("AA", "M1"), ("AR", "M2"), ("AE", "M3"), ("AA", "M3"), ("AA", "M1")]


async def test_python_hl7s_asynchronous_client() -> None:
    async with listening(FakeReceiver()) as server:
        reader, writer = await open_hl7_connection(*server.address)
        for control in ("M1", "M2"):
            writer.writeblock(message(control))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), PATIENCE)
            assert (str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) == ("AA", control)
        writer.close()


def mllp_send(server: MllpServer, file: Path, *options: str) -> bytes:
    host, port = server.address
    command = [str(MLLP_SEND), "--port", str(port), "--file", str(file), *options, host]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ([], b"".join(b"\x0b" + message(f"M{n}") + b"\x1c\r" for n in range(20))),
        (["--loose"], b"\r\n".join(message(f"M{n}", ends="\r\n") for n in range(20))),
    ],
)
async def test_the_command_mllp_send(tmp_path: Path, options: list[str], content: bytes) -> None:
    file = tmp_path / "messages.hl7"
    file.write_bytes(content)
    receiver = FakeReceiver()
    async with listening(receiver) as server:
        printed = await asyncio.to_thread(mllp_send, server, file, *options)
    answers = [told(part.strip(b"\x0b\r\n")) for part in printed.split(b"\x1c") if part.strip()]
    assert answers == [("AA", f"M{n}") for n in range(20)]
    assert len(receiver.durable) == 20


async def test_a_client_process_that_is_killed_mid_message(tmp_path: Path) -> None:
    """SIGKILL of a real process in the middle of a block; the next client is served."""
    receiver = FakeReceiver()
    async with listening(receiver) as server:
        script = tmp_path / "sender.py"
        script.write_text(
            "import socket, sys, time\n"
            f"s = socket.create_connection({server.address!r})\n"
            f"s.sendall(b'\\x0b' + {message('M1')!r})\n"
            "print('sent', flush=True)\n"
            "time.sleep(60)\n"
        )
        client = await asyncio.create_subprocess_exec(sys.executable, str(script), stdout=asyncio.subprocess.PIPE)
        assert client.stdout is not None
        await client.stdout.readline()
        client.kill()
        await client.wait()
        assert await asyncio.to_thread(send_all, server, ["M2"]) == [("AA", "M2")]
    assert receiver.durable == [message("M2")]
