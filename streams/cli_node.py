"""Commands of the node. What only a node needs is imported when one is started: other commands start faster."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.wire import encode
from streams.cli_options import (
    ChartsOption,
    CheckOption,
    ConfigOption,
    DataOption,
    FormOption,
    HttpCertificateOption,
    HttpKeyOption,
    HttpOption,
    KeepRawOption,
    KeysOption,
    LevelOption,
    MllpAuthorityOption,
    MllpCertificateOption,
    MllpClientOption,
    MllpKeyOption,
    MllpOption,
    MostBytesOption,
    MostTogetherOption,
    MostWaitingOption,
    ReceiversOption,
    RulesOption,
    SourceOption,
    TablesOption,
    ZoneOption,
)
from streams.node.access_settings import AccessError, AccessSettings
from streams.service import Service
from streams.settings import Asked, Settings
from streams.settings_node import HTTP, MLLP, DemoSettings, LogSettings, NodeSettings

if TYPE_CHECKING:
    from streams.node.serve import Running


def serve_command(
    data: DataOption = None,
    http: HttpOption = None,
    mllp: MllpOption = None,
    keys: KeysOption = None,
    receivers: ReceiversOption = None,
    http_certificate: HttpCertificateOption = None,
    http_key: HttpKeyOption = None,
    mllp_certificate: MllpCertificateOption = None,
    mllp_key: MllpKeyOption = None,
    mllp_authority: MllpAuthorityOption = None,
    mllp_client: MllpClientOption = None,
    keep_raw_days: KeepRawOption = None,
    most_waiting: MostWaitingOption = None,
    most_waiting_bytes: MostBytesOption = None,
    most_together: MostTogetherOption = None,
    charts_in_memory: ChartsOption = None,
    log_level: LevelOption = None,
    log_form: FormOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    rules: RulesOption = None,
    tables: TablesOption = None,
    source: SourceOption = None,
    check: CheckOption = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Run one node: HTTP and MLLP in, monitor, pages and metrics, everything durable in one folder.

    Once it is ready it prints one JSON line with the addresses in use; nothing else goes to stdout.
    """
    node = {"data": data, "http": http, "mllp": mllp, "keys": keys, "receivers": receivers}
    tls = {"http_certificate": http_certificate, "http_key": http_key, "mllp_certificate": mllp_certificate}
    tls |= {"mllp_key": mllp_key, "mllp_authority": mllp_authority}
    limits = {"keep_raw_days": keep_raw_days, "most_waiting": most_waiting, "most_waiting_bytes": most_waiting_bytes}
    limits |= {"most_together": most_together, "charts_in_memory": charts_in_memory}
    logs = {"log_level": log_level, "log_form": log_form}
    site = {"time_zone": time_zone, "rules": rules, "tables": tables, "source": source}
    asked = Asked(config, {**node, **tls, **limits, **logs, **site, "mllp_client": tuple(mllp_client or ()) or None})
    if check:
        raise typer.Exit(_check(asked))
    _serve(asked)


def _serve(asked: Asked) -> None:
    from streams.node.serve import serve  # noqa: PLC0415 - as the module says
    from streams.node.starting import listen_of  # noqa: PLC0415

    settings, node, logs = asked.load(Settings), asked.load(NodeSettings), asked.load(LogSettings)
    listen = listen_of(node, asked.load(AccessSettings))
    _run(serve(Service(settings), node.data, listen, announce), logs)


def _check(asked: Asked) -> int:
    """Errors: none; each is a line."""
    from streams.node.checking import check  # noqa: PLC0415 - as the module says

    failed = False
    for found in check(asked):
        failed = failed or not found.is_well
        typer.echo(found)
    return int(failed)


def _run(node: Coroutine[Any, Any, None], logs: LogSettings) -> None:
    """Run a node; what an operator can put right is said in one line, with exit status 2."""
    from streams.node.listening import AddressError  # noqa: PLC0415
    from streams.node.logs import say_to  # noqa: PLC0415 - as the module says
    from streams.node.schema import SchemaError  # noqa: PLC0415
    from streams.node.store import StoreError  # noqa: PLC0415
    from streams.node.store_folder import FolderInUseError  # noqa: PLC0415

    say_to(sys.stderr, logs)
    try:
        asyncio.run(node)
    except (AccessError, AddressError, FolderInUseError, SchemaError, StoreError, OSError) as error:
        typer.echo(f"trabecula: {error}", err=True)
        raise typer.Exit(2) from None


def announce(node: "Running") -> None:
    """Say where the node listens, as one line of JSON."""
    os.write(1, encode({"http": node.http, "mllp": node.mllp}) + b"\n")


def demo_command(
    data: Annotated[Path | None, typer.Option(help="Folder to keep the demo in; else a temporary one.")] = None,
    http: Annotated[
        str | None, typer.Option(help="HOST:PORT of HTTP; else 127.0.0.1:8080, or a free port if it is in use.")
    ] = None,
    mllp: Annotated[
        str | None, typer.Option(help="HOST:PORT of MLLP; else 127.0.0.1:2575, or a free port if it is in use.")
    ] = None,
    log_level: LevelOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
) -> None:
    """Run a node fed with simulated hospital days, to look at; the first line is its address."""
    from streams.node.demo import NoDemoError, demo, usual_or_free  # noqa: PLC0415 - as the module says
    from streams.node.serve import Listen  # noqa: PLC0415
    from streams.simulate.fhir import IDENTIFIER_SYSTEM  # noqa: PLC0415

    flags = {"demo_data": data, "demo_http": http, "demo_mllp": mllp, "time_zone": time_zone}
    asked = Asked(config, {**flags, "log_level": log_level, "fhir_authorities": {IDENTIFIER_SYSTEM: ""}})
    settings, where, logs = asked.load(Settings), asked.load(DemoSettings), asked.load(LogSettings)
    listen = Listen(where.demo_http or usual_or_free(HTTP), where.demo_mllp or usual_or_free(MLLP))
    if "log_level" not in logs.model_fields_set:  # what the demo itself says is what one came to read
        logs = logs.model_copy(update={"log_level": "warning"})
    kept = where.demo_data
    with tempfile.TemporaryDirectory(prefix="trabecula-demo-") if kept is None else nullcontext(kept) as folder:
        try:
            _run(demo(Service(settings), Path(folder), listen, announce_page), logs)
        except NoDemoError as error:
            raise typer.BadParameter(str(error), param_hint="--data") from None


def announce_page(node: "Running") -> None:
    """Say where to look."""
    os.write(1, f"http://{node.http}\n".encode())
