"""The webhook receiver: what each answer means, and what never leaves the house."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from standardwebhooks import Webhook

from alerting.delivery.message import Answer, Message
from alerting.delivery.settings import DeliverySettings
from alerting.receivers.webhook import WebhookReceiver
from schemas.wire import encode
from tests.delivery.receiving import SECRET, Reply, Server, file, notice, server, webhook

OTHER = SECRET[:-4] + "AAA="
MESSAGE = Message("A-1", ("A-1",), (encode(notice(1)),))


async def send(url: str, message: Message = MESSAGE, **more: Any) -> Answer:
    receiver = WebhookReceiver(webhook(url, **more))
    try:
        return await receiver.send(message)
    finally:
        await receiver.close()


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (200, "taken", "taken"),
        (201, "taken", "taken"),
        (204, "taken", "taken"),
        (301, "again", "redirects"),
        (307, "again", "redirects"),
        (400, "refused", "refused"),
        (401, "refused", "refused"),
        (404, "refused", "refused"),
        (408, "again", "timed_out"),
        (410, "refused", "refused"),
        (413, "refused", "refused"),
        (425, "again", "busy"),
        (429, "again", "busy"),
        (500, "again", "failing"),
        (503, "again", "failing"),
        (599, "again", "failing"),
    ],
)
async def test_what_an_answer_means(status: int, outcome: str, reason: str) -> None:
    with server(lambda _r, _b: Reply(status, body=b"" if status == 204 else b"said")) as ward:
        answer = await send(ward.url)
    assert (answer.outcome, answer.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        ("-3", None, None),
        ("soon", None, None),
        ("9" * 40, None, None),
        ("in 5 minutes", 290, 301),
        ("5 minutes ago", 0, 0),
    ],
)
async def test_how_long_a_receiver_asks_to_be_left_alone(said: str, least: float | None, most: float | None) -> None:
    dates = {"in 5 minutes": 5, "5 minutes ago": -5}
    if said in dates:
        said = format_datetime(datetime.now(UTC) + timedelta(minutes=dates[said]), usegmt=True)
    with server(lambda _r, _b: Reply(429, {"Retry-After": said})) as ward:
        answer = await send(ward.url)
    if least is None or most is None:
        assert answer.wait is None
    else:
        assert answer.wait is not None
        assert least <= answer.wait <= most


async def test_a_redirect_is_not_followed_with_what_the_notice_says() -> None:
    with server() as elsewhere, server(lambda _r, _b: Reply(307, {"Location": elsewhere.url})) as ward:
        assert (await send(ward.url)).reason == "redirects"
        assert len(ward.requests) == 1
        assert elsewhere.requests == []


async def test_a_receiver_that_does_not_answer_is_left_in_time() -> None:
    with server(lambda _r, _b: Reply(after=1.0)) as ward:
        began = time.monotonic()
        assert (await send(ward.url, timeout=0.2)).reason == "timed_out"
        assert time.monotonic() - began < 0.9


async def test_a_body_that_drips_for_ever_is_left_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 no\r\ncontent-length: 100000\r\n\r\n")
        try:
            for _ in range(200):
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    began = time.monotonic()
    answer = await send(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert (answer.outcome, answer.reason) == ("again", "timed_out")
    assert time.monotonic() - began < 1.0
    listening.close()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 2", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"]
)
async def test_what_is_no_whole_answer_is_tried_again(said: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    listening = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    answer = await send(f"http://127.0.0.1:{port}/")
    assert (answer.outcome, answer.reason) == ("again", "unreachable")
    listening.close()


async def test_nobody_there_is_tried_again() -> None:
    assert (await send("http://127.0.0.1:1/")).reason == "unreachable"


async def test_both_secrets_sign_while_the_receiver_changes_over() -> None:
    with server() as ward:
        await send(ward.url, secret=OTHER, former_secret=SECRET)
    (request,) = ward.requests
    assert request.verified
    Webhook(OTHER).verify(request.raw, dict(request.headers))


# ---- certificates


@contextmanager
def secure(folder: Path, host: str) -> Iterator[tuple[Server, Path]]:
    """A server with a certificate for a host that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    with server(context=context) as ward:
        yield ward, certificate


async def test_a_certificate_is_verified(tmp_path: Path) -> None:
    with secure(tmp_path, "127.0.0.1") as (ward, certificate):
        assert (await send(ward.url)).reason == "insecure"
        assert ward.requests == []
        assert (await send(ward.url, authorities=certificate)).outcome == "taken"


async def test_a_certificate_for_another_host_is_none(tmp_path: Path) -> None:
    with secure(tmp_path, "127.0.0.2") as (ward, certificate):
        assert (await send(ward.url, authorities=certificate)).reason == "insecure"
        assert ward.requests == []


# ---- settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://hospital.example/notices"},
        {"url": "ftp://hospital.example/"},
        {"url": "https://user:pass@hospital.example/"},
        {"url": "hospital.example"},
        {"secret": "whsec_c2hvcnQ="},
        {"secret": SECRET.removeprefix("whsec_")},
        {"secret": "whsec_!!"},
        {"name": "Ward 7"},
        {"severities": ["urgent"]},
        {"rules": ["hep"]},
        {"digest_at": "07:00:00+01:00"},
        {"nonsense": 1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused_without_showing_the_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        webhook(**wrong)
    assert SECRET not in str(refused.value)
    assert str(wrong.get("secret", "a secret")) not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://hospital.example/x", "http://localhost:1/", "http://[::1]/", "http://127.8.8.8/"]
)
def test_addresses_that_are_safe(url: str) -> None:
    assert webhook(url).url == url


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    assert SECRET not in repr(webhook()) + str(webhook()) + webhook().model_dump_json()


def test_receivers_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="two receivers of one name"):
        DeliverySettings(receivers=(webhook(), webhook()))
    with pytest.raises(ValidationError, match="two receivers write one file"):
        DeliverySettings(receivers=(file(tmp_path / "a"), file(tmp_path / "a", name="b")))
    with pytest.raises(ValidationError, match="absolute"):
        file("relative")
