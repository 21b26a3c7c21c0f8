"""TLS: who shows a certificate of the authority with a name on the list is let in, and is known by that name."""

import asyncio
import os
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.node.mllp import TlsSettings, client_name, tls_context
from tests.node.mllp_clinic import FakeReceiver, Tally, block, connected, listening, message, until

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None and not os.environ.get("CI"), reason="certificates are made with openssl"
)
CLIENTS = frozenset({"lab.north.example", "Ward Feed"})


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder."""

    folder: Path
    name: str

    def path(self, name: str) -> Path:
        return self.folder / f"{self.name}-{name}"

    def make(self) -> "Authority":
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", f"/CN={self.name}", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem")),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        return self

    def issue(self, name: str, common_name: str, alternative: str | None = None) -> "Authority":
        extension = self.path(f"{name}.ext")
        extension.write_text(f"subjectAltName=DNS:{alternative}\n" if alternative else "basicConstraints=CA:FALSE\n")
        self._openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/O=North/CN={common_name}", "-keyout", self.path(f"{name}.key"), "-out", self.path("csr")),
        )
        self._openssl(
            *("x509", "-req", "-days", "2", "-in", self.path("csr"), "-extfile", extension, "-CAcreateserial"),
            *("-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-out", self.path(f"{name}.pem")),
        )
        return self

    def client(self, name: str | None, trusts: "Authority") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(trusts.path("ca.pem")))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context

    def server(self, tally: Tally | None = None, *, mutual: bool = True) -> ssl.SSLContext:
        authority = self.path("ca.pem") if mutual else None
        return tls_context(TlsSettings(self.path("server.pem"), self.path("server.key"), authority), tally)

    @staticmethod
    def _openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)  # noqa: S607


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certificates"), "authority").make()
    made.issue("server", "node", "localhost")
    return (
        made.issue("lab", "something else", "LAB.north.example")
        .issue("ward", "Ward Feed")
        .issue("unlisted", "Pharmacy")
    )


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return (
        Authority(tmp_path_factory.mktemp("strangers"), "stranger")
        .make()
        .issue("lab", "Ward Feed", "lab.north.example")
    )


@needs_openssl
async def test_tls_without_client_certificates(authority: Authority) -> None:
    receiver = FakeReceiver()
    ours = authority.server(mutual=False)
    client = authority.client(None, authority)
    async with listening(receiver, ssl=ours) as server, connected(server, client) as sender:
        await sender.send(block(message("M1")))
        assert await sender.told() == ("AA", "M1")
    assert receiver.received[0].feed is None


@needs_openssl
@pytest.mark.parametrize(("certificate", "feed"), [("lab", "lab.north.example"), ("ward", "Ward Feed")])
async def test_the_name_of_a_listed_certificate_is_the_feed(authority: Authority, certificate: str, feed: str) -> None:
    receiver = FakeReceiver()
    ours = authority.server()
    client = authority.client(certificate, authority)
    async with listening(receiver, ssl=ours, clients=CLIENTS) as server, connected(server, client) as sender:
        await sender.send(block(message("M1")))
        assert await sender.told() == ("AA", "M1")
    assert receiver.received[0].feed == feed


async def _is_turned_away(authority: Authority, client: ssl.SSLContext) -> None:
    """Whether in the handshake or after it: nothing is taken, it is counted, and the next one is let in."""
    receiver, tally = FakeReceiver(), Tally()
    async with listening(receiver, tally, ssl=authority.server(tally), clients=CLIENTS) as server:
        try:
            async with connected(server, client) as sender:
                await sender.send(block(message("M1")))
                assert await sender.rest() == b""
        except (ssl.SSLError, ConnectionError):
            pass
        await tally.until("unknown_certificate")
        async with connected(server, authority.client("ward", authority)) as sender:
            await sender.send(block(message("M2")))
            assert await sender.told() == ("AA", "M2")
    assert len(receiver.received) == 1
    assert tally.counted == {"unknown_certificate": 1, "accepted": 1}


@needs_openssl
async def test_a_name_that_is_not_listed_is_turned_away(authority: Authority) -> None:
    await _is_turned_away(authority, authority.client("unlisted", authority))


@needs_openssl
async def test_a_listed_name_of_another_authority_is_turned_away(authority: Authority, stranger: Authority) -> None:
    await _is_turned_away(authority, stranger.client("lab", authority))


@needs_openssl
async def test_no_certificate_is_turned_away(authority: Authority) -> None:
    await _is_turned_away(authority, authority.client(None, authority))


@needs_openssl
async def test_a_sender_without_tls_gets_nothing(authority: Authority) -> None:
    receiver = FakeReceiver()
    async with listening(receiver, ssl=authority.server(mutual=False)) as server, connected(server) as sender:
        await sender.send(block(message("M1")))
        assert b"MSA" not in await sender.rest()
    assert receiver.received == []


@needs_openssl
async def test_an_authority_without_a_list_lets_nobody_in(authority: Authority) -> None:
    with pytest.raises(ValueError, match="names that are let in"):
        async with listening(FakeReceiver(), ssl=authority.server()):
            pass


@needs_openssl
async def test_a_stop_over_tls_answers_what_is_being_decided(authority: Authority) -> None:
    receiver = FakeReceiver(takes=0.2)
    ours = authority.server(mutual=False)
    client = authority.client(None, authority)
    async with listening(receiver, ssl=ours) as server, connected(server, client) as sender:
        await sender.send(block(message("M1")))
        await until(lambda: len(receiver.received) == 1)
        stopping = asyncio.create_task(server.stop(within=5))
        assert await sender.told() == ("AA", "M1")
        sender.writer.close()
        await stopping


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (None, None),
        ({}, None),
        ({"subject": ((("commonName", "Ward Feed"),),)}, "Ward Feed"),
        ({"subject": ((("organizationName", "Ward Feed"),),)}, None),
        ({"subjectAltName": (("IP Address", "Ward Feed"), ("DNS", "Lab.North.Example"))}, "lab.north.example"),
        ({"subjectAltName": (("DNS", "other"),), "subject": ((("commonName", "ward feed"),),)}, "Ward Feed"),
        ({"subjectAltName": (("DNS", "*.north.example"),)}, None),
    ],
)
def test_which_name_of_a_certificate_counts(certificate: dict[str, object] | None, name: str | None) -> None:
    assert client_name(certificate, CLIENTS) == name
