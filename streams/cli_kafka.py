"""Commands of the Kafka deployment. What only they need is imported when one runs: other commands start faster."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schemas.topics import topics_of_site
from streams.cli_options import (
    BootstrapOption,
    ChartsOption,
    ConfigOption,
    DataOption,
    FormOption,
    HttpCertificateOption,
    HttpKeyOption,
    HttpOption,
    KeysOption,
    LevelOption,
    ReceiversOption,
    RulesOption,
    TablesOption,
    ZoneOption,
)
from streams.settings import Asked, load
from streams.settings_kafka import KafkaSettings

if TYPE_CHECKING:
    from streams.kafka.topics import Standing

topics_app: Final = typer.Typer(help="The topics of the Kafka deployment.", no_args_is_help=True)

PartitionsOption = Annotated[
    int | None, typer.Option("--partitions", help="Partitions of what is kept by patient (12); they never change.")
]
ReplicationOption = Annotated[
    int | None, typer.Option("--replication", help="Copies of every partition (3); 1 to try it out on one broker.")
]

RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Make all that is shown anew from the topics; the audit stays.")
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


def notify_command(
    bootstrap: BootstrapOption = None,
    data: DataOption = None,
    http: HttpOption = None,
    receivers: ReceiversOption = None,
    log_level: LevelOption = None,
    log_form: FormOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
) -> None:
    """Deliver notices to receivers, each at its own pace; metrics and probes over HTTP.

    Once it is ready it prints one JSON line with the address of its probes; nothing else goes to stdout.
    """
    from streams.kafka.notify_command import run_notify  # noqa: PLC0415 - as the module says

    flags = {"bootstrap": bootstrap, "data": data, "http": http, "receivers": receivers}
    run_notify(Asked(config, {**flags, "log_level": log_level, "log_form": log_form, "time_zone": time_zone}))


def console_command(
    bootstrap: BootstrapOption = None,
    data: DataOption = None,
    http: HttpOption = None,
    keys: KeysOption = None,
    http_certificate: HttpCertificateOption = None,
    http_key: HttpKeyOption = None,
    rebuild: RebuildOption = False,  # noqa: FBT002 - a flag of the command line
    log_level: LevelOption = None,
    log_form: FormOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    rules: RulesOption = None,
    tables: TablesOption = None,
) -> None:
    """Show what the topics say: pages, reads, notices as they are told; answers to alerts go to the events.

    Once it is ready it prints one JSON line with the address in use; nothing else goes to stdout.
    """
    from streams.kafka.console_command import run_console  # noqa: PLC0415 - as the module says

    flags = {"bootstrap": bootstrap, "data": data, "http": http, "keys": keys}
    flags |= {"http_certificate": http_certificate, "http_key": http_key}
    logs = {"log_level": log_level, "log_form": log_form}
    site = {"time_zone": time_zone, "rules": rules, "tables": tables}
    run_console(Asked(config, {**flags, **logs, **site}), rebuild=rebuild)


def worker_command(
    bootstrap: BootstrapOption = None,
    data: DataOption = None,
    http: HttpOption = None,
    standbys: Annotated[
        int | None, typer.Option("--standbys", help="Workers that keep each partition beside its owner (1).")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="memory, or rocksdb in the folder of --data (memory).")
    ] = None,
    session_seconds: Annotated[
        float | None, typer.Option("--session-seconds", help="Silent for so long, others take over (10).")
    ] = None,
    stalled_seconds: Annotated[
        float | None, typer.Option("--stalled-seconds", help="A partition without progress for so long ends it (120).")
    ] = None,
    records_together: Annotated[
        int | None, typer.Option("--records-together", help="Records in one transaction at most (1000).")
    ] = None,
    charts_in_memory: ChartsOption = None,
    log_level: LevelOption = None,
    log_form: FormOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    rules: RulesOption = None,
    tables: TablesOption = None,
) -> None:
    """Decide on the events of some partitions, as many workers as there are share them; metrics and probes over HTTP.

    Once every partition of its own is worked on it prints one JSON line; nothing else goes to stdout.
    """
    from streams.kafka.worker_command import run_worker  # noqa: PLC0415 - as the module says

    flags = {"bootstrap": bootstrap, "data": data, "http": http, "standbys": standbys, "worker_store": store}
    bounds = {"session_seconds": session_seconds, "stalled_seconds": stalled_seconds}
    bounds |= {"records_together": records_together, "charts_in_memory": charts_in_memory}
    flags |= {"time_zone": time_zone, "rules": rules, "tables": tables}
    run_worker(Asked(config, {**flags, **bounds, "log_level": log_level, "log_form": log_form}))


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
