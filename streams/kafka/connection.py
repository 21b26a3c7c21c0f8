"""How brokers are reached by every client of the deployment: addresses, certificates, user, and the prefix of names."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError
from pydantic import SecretStr

from streams.settings_kafka import KafkaSettings
from streams.settings_layers import SettingsError

REQUEST_WITHIN: Final = 10_000
"""Milliseconds after which a request to a broker counts as lost."""


class NoBrokerError(RuntimeError):
    """No broker answers, or none lets us in; the message says where, and nothing of a patient."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client needs to reach the brokers."""

    bootstrap: str
    prefix: str = ""
    protocol: str = "PLAINTEXT"
    context: ssl.SSLContext | None = None
    mechanism: str = "PLAIN"
    user: str | None = None
    password: SecretStr | None = None

    def name(self, name: str) -> str:
        """The name of a topic, a group or a transaction as this deployment has it."""
        return f"{self.prefix}{name}"

    def arguments(self) -> dict[str, Any]:
        """What aiokafka's clients take."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.protocol,
            "ssl_context": self.context,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password.get_secret_value() if self.password else None,
            "request_timeout_ms": REQUEST_WITHIN,
        }


class _Stops(Protocol):
    async def stop(self) -> None: ...


async def let_go(client: _Stops, within: float = 1.0) -> None:
    """Stop a consumer within a bound: where no broker answers it would take leave of it for long, or fail to."""
    with suppress(KafkaError, TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(client.stop(), within)


def connection_of(settings: KafkaSettings) -> Connection:
    """The connection that a site has set.

    Errors: SettingsError names the file that cannot be used.
    """
    return Connection(
        bootstrap=settings.bootstrap,
        prefix=settings.topic_prefix,
        protocol=settings.kafka_protocol,
        context=_context(settings) if "SSL" in settings.kafka_protocol else None,
        mechanism=settings.kafka_mechanism,
        user=settings.kafka_user,
        password=_password(settings),
    )


def _context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.kafka_authority)
    except (OSError, ssl.SSLError):
        raise SettingsError(f"setting kafka_authority: no PEM certificates in {settings.kafka_authority}") from None
    if settings.kafka_certificate and settings.kafka_key:
        try:
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key)
        except (OSError, ssl.SSLError):
            raise SettingsError(
                f"setting kafka_certificate: {settings.kafka_certificate} and {settings.kafka_key} "
                "are no PEM certificate and its key"
            ) from None
    return context


def _password(settings: KafkaSettings) -> SecretStr | None:
    if settings.kafka_password_file is None:
        return None
    try:
        return SecretStr(settings.kafka_password_file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"setting kafka_password_file: {error}") from None
