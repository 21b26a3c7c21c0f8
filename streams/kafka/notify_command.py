"""`trabecula notify` as it is asked for: settings in, what an operator can put right as one line out."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import typer

from alerting.delivery.settings import DeliverySettings
from schemas.wire import encode
from streams.cli_plainly import plainly
from streams.kafka.connection import NoBrokerError, connection_of
from streams.kafka.notify import NotifyError, Options, notify
from streams.kafka.topics import TopicsError
from streams.kafka.worker_http import AddressError
from streams.node.delivery_file import load_receivers
from streams.node.logs import say_to
from streams.node.serve import until_signalled
from streams.settings import Asked, Settings, SettingsError
from streams.settings_kafka import KafkaSettings
from streams.settings_node import LogSettings, NodeSettings

_OF_A_CLIENT: Final = ("aiokafka", "kafka")


def run_notify(asked: Asked) -> None:
    """Run it to its end.

    Errors: SettingsError; typer.Exit.
    """
    node = asked.load(NodeSettings)
    options = Options(
        connection_of(asked.load(KafkaSettings)),
        node.data,
        node.http,
        asked.load(Settings).site.time_zone,
        _receivers(node.receivers),
    )
    run(notify(options, announce, until_signalled), asked.load(LogSettings))


def _receivers(path: Path | None) -> DeliverySettings:
    if path is None:
        raise SettingsError("setting receivers: who is to be told? Name a file of receivers by --receivers")
    return load_receivers(path)


def run(process: Coroutine[Any, Any, None], logs: LogSettings) -> None:
    """Run a process of the Kafka deployment; exit status 2 for what can be put right, 1 for what ended it."""
    say_to(sys.stderr, logs)
    for name in _OF_A_CLIENT:  # a broker that is away is said once a second; whether we are ready says it as well
        logging.getLogger(name).setLevel(logging.ERROR)
    with plainly():
        try:
            asyncio.run(process)
        except (NoBrokerError, TopicsError, AddressError) as error:
            typer.echo(f"trabecula: {error}", err=True)
            raise typer.Exit(2) from None
        except NotifyError as error:
            typer.echo(f"trabecula: {error}", err=True)
            raise typer.Exit(1) from None


def announce(http: str) -> None:
    """Say where the process listens, as one line of JSON."""
    with suppress(BrokenPipeError):
        os.write(1, encode({"http": http}) + b"\n")
