"""Commands of the Kafka deployment. What only they need is imported when one runs: other commands start faster."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schemas.topics import topics_of_site
from streams.cli_options import ConfigOption
from streams.settings import load
from streams.settings_kafka import KafkaSettings

if TYPE_CHECKING:
    from streams.kafka.topics import Standing

topics_app: Final = typer.Typer(help="The topics of the Kafka deployment.", no_args_is_help=True)

BootstrapOption = Annotated[
    str | None, typer.Option("--bootstrap", help="HOST:PORT of some brokers, with commas between (127.0.0.1:9092).")
]
PartitionsOption = Annotated[
    int | None, typer.Option("--partitions", help="Partitions of what is kept by patient (12); they never change.")
]
ReplicationOption = Annotated[
    int | None, typer.Option("--replication", help="Copies of every partition (3); 1 to try it out on one broker.")
]


@topics_app.command("create")
def topics_create(
    bootstrap: BootstrapOption = None,
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the topics that are missing and wait for their leaders; change nothing that is there."""
    from streams.kafka.topics import create  # noqa: PLC0415 - as the module says

    _told(create, load(KafkaSettings, config, bootstrap=bootstrap, partitions=partitions, replication=replication))


@topics_app.command("check")
def topics_check(
    bootstrap: BootstrapOption = None,
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    config: ConfigOption = None,
) -> None:
    """Say of each topic whether it is as declared; exit status 1 if one is not."""
    from streams.kafka.topics import check  # noqa: PLC0415 - as the module says

    _told(check, load(KafkaSettings, config, bootstrap=bootstrap, partitions=partitions, replication=replication))


def _told(look: Any, settings: KafkaSettings) -> None:
    from streams.kafka.connection import connection_of  # noqa: PLC0415 - as the module says

    declared = topics_of_site(settings.partitions, settings.replication, settings.retention_days)
    found: list[Standing] = _run(look(connection_of(settings), declared))
    for standing in found:
        typer.echo(standing)
    if not all(standing.is_well for standing in found):
        raise typer.Exit(1)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it; what an operator can put right is said in one line, with exit status 2."""
    from streams.kafka.connection import NoBrokerError  # noqa: PLC0415 - as the module says
    from streams.kafka.topics import TopicsError  # noqa: PLC0415

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it says is said by us, in one line
    try:
        return asyncio.run(work)
    except (NoBrokerError, TopicsError) as error:
        typer.echo(f"trabecula: {error}", err=True)
        raise typer.Exit(2) from None
