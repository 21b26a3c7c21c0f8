"""The command of a gateway. What only it needs is imported when one is started: other commands start faster."""

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.wire import encode
from streams.cli_options import (
    BootstrapOption,
    ConfigOption,
    FormOption,
    HttpCertificateOption,
    HttpKeyOption,
    HttpOption,
    KeysOption,
    LevelOption,
    MllpAuthorityOption,
    MllpCertificateOption,
    MllpClientOption,
    MllpKeyOption,
    MllpOption,
    MostBytesOption,
    MostWaitingOption,
    SourceOption,
    TablesOption,
    ZoneOption,
)
from streams.node.access_settings import AccessError, AccessSettings
from streams.service import Service
from streams.settings import Asked, Settings
from streams.settings_kafka import KafkaSettings
from streams.settings_node import LogSettings, NodeSettings

if TYPE_CHECKING:
    from streams.kafka.gateway import Running

NameOption = Annotated[
    str | None, typer.Option("--name", help="Of this gateway among others, the same at every start (machine and port).")
]


def gateway_command(
    bootstrap: BootstrapOption = None,
    http: HttpOption = None,
    mllp: MllpOption = None,
    name: NameOption = None,
    keys: KeysOption = None,
    http_certificate: HttpCertificateOption = None,
    http_key: HttpKeyOption = None,
    mllp_certificate: MllpCertificateOption = None,
    mllp_key: MllpKeyOption = None,
    mllp_authority: MllpAuthorityOption = None,
    mllp_client: MllpClientOption = None,
    most_waiting: MostWaitingOption = None,
    most_waiting_bytes: MostBytesOption = None,
    log_level: LevelOption = None,
    log_form: FormOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    tables: TablesOption = None,
    source: SourceOption = None,
) -> None:
    """Run a gateway: HTTP and MLLP in, events to Kafka; raw messages that feeds publish there are translated too.

    Once it is ready it prints one JSON line with the addresses in use; nothing else goes to stdout.
    """
    where = {"bootstrap": bootstrap, "http": http, "mllp": mllp, "gateway_name": name, "keys": keys}
    tls = {"http_certificate": http_certificate, "http_key": http_key, "mllp_certificate": mllp_certificate}
    tls |= {"mllp_key": mllp_key, "mllp_authority": mllp_authority}
    limits = {"most_waiting": most_waiting, "most_waiting_bytes": most_waiting_bytes}
    logs = {"log_level": log_level, "log_form": log_form}
    site = {"time_zone": time_zone, "tables": tables, "source": source}
    _run(Asked(config, {**where, **tls, **limits, **logs, **site, "mllp_client": tuple(mllp_client or ()) or None}))


def _run(asked: Asked) -> None:
    """Run it; what an operator can put right is said in one line, with exit status 2."""
    from streams.kafka.connection import NoBrokerError, connection_of  # noqa: PLC0415 - as the module says
    from streams.kafka.gateway import Options, serve  # noqa: PLC0415
    from streams.kafka.publisher import UnreachedError  # noqa: PLC0415
    from streams.kafka.topics import TopicsError  # noqa: PLC0415
    from streams.node.listening import AddressError  # noqa: PLC0415
    from streams.node.logs import say_to  # noqa: PLC0415
    from streams.node.starting import tls_of  # noqa: PLC0415

    node, kafka = asked.load(NodeSettings), asked.load(KafkaSettings)
    access, service = asked.load(AccessSettings), Service(asked.load(Settings))
    options = Options(connection_of(kafka), node, access, tls_of(node), kafka.gateway_name)
    say_to(sys.stderr, asked.load(LogSettings))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # while no broker answers, it says so thousands of times
    try:
        asyncio.run(serve(service, options, announce))
    except (AccessError, AddressError, NoBrokerError, TopicsError, UnreachedError, OSError) as error:
        typer.echo(f"trabecula: {error}", err=True)
        raise typer.Exit(2) from None


def announce(gateway: "Running") -> None:
    """Say where the gateway listens, as one line of JSON."""
    os.write(1, encode({"http": gateway.http, "mllp": gateway.mllp}) + b"\n")
