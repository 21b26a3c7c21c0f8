"""Commands of the node."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from schemas.wire import encode
from streams.node.access_settings import AccessSettings
from streams.node.serve import Listen, Running, serve
from streams.service import Service
from streams.settings import load_settings


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
    config: Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="IANA name of the site's time zone.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="TOML file of overrides of the rule pack.")] = None,
    tables: Annotated[Path | None, typer.Option("--tables", help="TOML file of the site's codes and units.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Name of the feed.")] = None,
) -> None:
    """Run one node: HTTP and MLLP in, monitor, pages and metrics, everything durable in one folder.

    Once it is ready it prints one JSON line with the addresses in use; nothing else goes to stdout.
    """
    settings = load_settings(config, time_zone=time_zone, rules=rules, tables=tables, source=source)
    listen = Listen(http, mllp, AccessSettings(keys=keys))
    asyncio.run(serve(Service(settings), data, listen, announce))


def announce(node: Running) -> None:
    """Say where the node listens, as one line of JSON."""
    os.write(1, encode({"http": node.http, "mllp": node.mllp}) + b"\n")
