"""Commands of the node. What only a node needs is imported when one is started: other commands start faster."""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from schemas.wire import encode
from streams.service import Service
from streams.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from streams.node.serve import Running


def serve_command(
    data: Annotated[Path, typer.Option(envvar="TRABECULA_DATA", help="Folder that everything is kept in.")] = Path(
        "trabecula-data"
    ),
    http: Annotated[
        str, typer.Option(envvar="TRABECULA_HTTP", help="HOST:PORT; port 0 picks a free one.")
    ] = "127.0.0.1:8080",
    mllp: Annotated[
        str, typer.Option(envvar="TRABECULA_MLLP", help="HOST:PORT; port 0 picks a free one.")
    ] = "127.0.0.1:2575",
    keys: Annotated[
        Path | None, typer.Option(envvar="TRABECULA_KEYS", help="TOML file of API keys; needed off loopback.")
    ] = None,
    receivers: Annotated[
        Path | None, typer.Option(envvar="TRABECULA_RECEIVERS", help="TOML file of the receivers of notices.")
    ] = None,
    mllp_certificate: Annotated[
        Path | None, typer.Option(envvar="TRABECULA_MLLP_CERTIFICATE", help="PEM file; MLLP over TLS then.")
    ] = None,
    mllp_key: Annotated[Path | None, typer.Option(envvar="TRABECULA_MLLP_KEY", help="PEM file of its key.")] = None,
    mllp_authority: Annotated[
        Path | None, typer.Option(envvar="TRABECULA_MLLP_AUTHORITY", help="PEM file: whose clients are let in.")
    ] = None,
    mllp_client: Annotated[
        list[str] | None, typer.Option(envvar="TRABECULA_MLLP_CLIENT", help="Name of a client that is let in.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="IANA name of the site's time zone.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="TOML file of overrides of the rule pack.")] = None,
    tables: Annotated[Path | None, typer.Option("--tables", help="TOML file of the site's codes and units.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Name of the feed.")] = None,
) -> None:
    """Run one node: HTTP and MLLP in, monitor, pages and metrics, everything durable in one folder.

    Once it is ready it prints one JSON line with the addresses in use; nothing else goes to stdout.
    """
    from alerting.delivery.settings import DeliverySettings  # noqa: PLC0415
    from streams.node.access_settings import AccessSettings  # noqa: PLC0415 - as the module says
    from streams.node.delivery_file import load_receivers  # noqa: PLC0415
    from streams.node.mllp import TlsSettings  # noqa: PLC0415
    from streams.node.serve import Listen, serve  # noqa: PLC0415

    settings = load_settings(config, time_zone=time_zone, rules=rules, tables=tables, source=source)
    tls = None
    if mllp_certificate is not None and mllp_key is not None:
        tls = TlsSettings(mllp_certificate, mllp_key, mllp_authority)
    elif mllp_certificate is not None or mllp_key is not None or mllp_authority is not None:
        raise typer.BadParameter("needs both --mllp-certificate and --mllp-key", param_hint="--mllp-certificate")
    clients = frozenset(mllp_client or ())
    delivery = DeliverySettings() if receivers is None else load_receivers(receivers)
    try:
        access = AccessSettings(keys=keys)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise SettingsError(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    listen = Listen(http, mllp, access, mllp_tls=tls, mllp_clients=clients, delivery=delivery)
    _run(serve(Service(settings), data, listen, announce))


def _run(node: Coroutine[Any, Any, None]) -> None:
    """Run a node; what an operator can put right is said in one line, with exit status 2."""
    from streams.node.access_settings import AccessError  # noqa: PLC0415 - as the module says
    from streams.node.schema import SchemaError  # noqa: PLC0415
    from streams.node.serve import AddressError  # noqa: PLC0415
    from streams.node.store import StoreError  # noqa: PLC0415
    from streams.node.store_folder import FolderInUseError  # noqa: PLC0415

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
    http: Annotated[str, typer.Option(help="HOST:PORT of HTTP; port 0 picks a free one.")] = "127.0.0.1:0",
    mllp: Annotated[str, typer.Option(help="HOST:PORT of MLLP; port 0 picks a free one.")] = "127.0.0.1:0",
    config: Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="IANA name of the site's time zone.")] = None,
) -> None:
    """Run a node fed with simulated hospital days, to look at; the first line is its address."""
    from streams.node.demo import demo  # noqa: PLC0415 - as the module says
    from streams.node.serve import Listen  # noqa: PLC0415

    service = Service(load_settings(config, time_zone=time_zone))
    listen = Listen(http, mllp)
    if data is not None:
        _run(demo(service, data, listen, announce_page))
        return
    with tempfile.TemporaryDirectory(prefix="trabecula-demo-") as folder:
        _run(demo(service, Path(folder), listen, announce_page))


def announce_page(node: "Running") -> None:
    """Say where to look."""
    os.write(1, f"http://{node.http}\n".encode())
