"""A process of the Kafka deployment from the command line: its log, where it listens, and how it ends."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import typer

from schemas.wire import encode
from streams.cli_plainly import plainly
from streams.kafka.connection import NoBrokerError
from streams.kafka.topics import TopicsError
from streams.kafka.worker_http import AddressError
from streams.node.listening import AddressError as NodeAddressError
from streams.node.logs import say_to
from streams.settings_node import LogSettings

_TO_PUT_RIGHT: Final = (NoBrokerError, TopicsError, AddressError, NodeAddressError)


class ProcessError(RuntimeError):
    """What ended a process that was not told to end; the message is for an operator."""


def run(process: Coroutine[Any, Any, None], logs: LogSettings) -> None:
    """Run it to its end; exit status 2 for what can be put right, 1 for what ended it."""
    say_to(sys.stderr, logs)
    # While no broker answers the client says so thousands of times; whether we are ready says it as well.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with plainly():
        try:
            asyncio.run(process)
        except _TO_PUT_RIGHT as error:
            typer.echo(f"trabecula: {error}", err=True)
            raise typer.Exit(2) from None
        except ProcessError as error:
            typer.echo(f"trabecula: {error}", err=True)
            raise typer.Exit(1) from None


def announce(http: str) -> None:
    """Say where the process listens, as one line of JSON."""
    with suppress(BrokenPipeError):
        os.write(1, encode({"http": http}) + b"\n")
