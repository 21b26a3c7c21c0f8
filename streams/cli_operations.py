"""Commands of whoever operates a node: a load ends, what was refused is looked at and taken again.

What only a node needs is imported when a command is run: other commands start faster.
"""

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from schemas.wire import encode
from streams.cli_options import (
    AuthorityOption,
    BootstrapOption,
    ConfigOption,
    FolderOption,
    JsonOption,
    KeyFileOption,
    NodeOption,
    RulesOption,
    TablesOption,
    ZoneOption,
)
from streams.cli_plainly import plainly
from streams.service import Service
from streams.settings import Asked, Settings, SettingsError
from streams.settings_node import OperatorSettings
from streams.shell import write

if TYPE_CHECKING:
    from streams.node.operating import Operated

letters_app: Final = typer.Typer(help="What was refused and is kept: look at it, and have it taken again.")
receivers_app: Final = typer.Typer(help="The receivers of notices of a running node.")

_PAGE: Final = 500
_WIDEST: Final = 60
"""Characters of a cell of a table; NDJSON has all of it."""
ReasonOption = Annotated[str | None, typer.Option("--reason", help="A part of the reason.")]
FromOption = Annotated[str | None, typer.Option("--source", help="Who the message says it is from.")]
LetterArgument = Annotated[int, typer.Argument(metavar="ID", min=1, help="The number of a dead letter.")]
ReceiverArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of a receiver.")]


@contextmanager
def operated(asked: Asked, folder: Path | None, bootstrap: str | None) -> Iterator["Operated"]:
    """The node, running where no folder is named; or, where brokers are named, the Kafka deployment.

    Topic: the folder is taken from the flag alone. With that of the environment a command would open the folder of a
    node that happens to be down, and keep it from starting again.
    """
    from streams.node.operating import RunningNode, StoppedNode  # noqa: PLC0415 - as the module says

    if bootstrap is not None:
        with _deployment(asked, bootstrap) as deployment:
            yield deployment
        return
    with plainly():
        if folder is not None and asked.flags.get("http") is not None:
            raise SettingsError("a node is running (--http) or stopped (--data); name one")
        if folder is None:
            with RunningNode(asked.load(OperatorSettings)) as running:
                yield running
            return
        with StoppedNode(folder, Service(asked.load(Settings))) as stopped:
            yield stopped


@contextmanager
def _deployment(asked: Asked, bootstrap: str) -> Iterator["Operated"]:
    from streams.kafka.connection import NoBrokerError, connection_of  # noqa: PLC0415 - as the module says
    from streams.kafka.operating import KafkaDeployment  # noqa: PLC0415
    from streams.kafka.topics import TopicsError  # noqa: PLC0415
    from streams.settings_kafka import KafkaSettings  # noqa: PLC0415

    with plainly():
        settings = Asked(asked.config, {"bootstrap": bootstrap}).load(KafkaSettings)
        try:
            with KafkaDeployment(connection_of(settings)) as deployment:
                yield deployment
        except (NoBrokerError, TopicsError) as error:
            raise SettingsError(str(error)) from None


# ---- live


def live_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The feed whose old data is loaded.")],
    bootstrap: BootstrapOption = None,
    http: NodeOption = None,
    data: FolderOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    rules: RulesOption = None,
    tables: TablesOption = None,
) -> None:
    """End the load of a feed's old data; prints the digest of what stands as NDJSON, critical first."""
    site = {"time_zone": time_zone, "rules": rules, "tables": tables}
    with operated(
        Asked(config, {"http": http, "key_file": key_file, "authority": authority, **site}), data, bootstrap
    ) as node:
        found = node.go_live(source)
    if found is None:
        _fail(f"nothing came from a source {source}; expected its name as it stands in the events")
    if found["was_loading"] is None:
        typer.echo(f"every partition is told that {source} is live, and tells what stands", err=True)
        return
    write(found["digest"])
    count = len(found["digest"])
    said = f"{source} is live; {count} notices are told" if found["was_loading"] else f"{source} was live already"
    typer.echo(said, err=True)


# ---- dead letters


@letters_app.command("list")
def letters_list(
    reason: ReasonOption = None,
    source: FromOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    taken: Annotated[bool, typer.Option("--taken", help="Also what was taken after all.")] = False,  # noqa: FBT002
    as_json: JsonOption = None,
    bootstrap: BootstrapOption = None,
    http: NodeOption = None,
    data: FolderOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """List dead letters by number: a table on a terminal, else NDJSON. Nothing of the messages is shown."""
    with operated(Asked(config, {"http": http, "key_file": key_file, "authority": authority}), data, bootstrap) as node:
        found = list(_letters(node, reason, source, limit, taken=taken))
    if as_json or (as_json is None and not sys.stdout.isatty()):
        write(found)
    else:
        _table(found, ("letter_id", "times", "last_at", "channel", "source", "refused", "reason"))


def _letters(
    node: "Operated", reason: str | None, source: str | None, limit: int, *, taken: bool = False
) -> Iterator[dict[str, Any]]:
    from streams.node.store_letters import Asked as Wanted  # noqa: PLC0415 - as the module says

    after: int | None = 0
    while limit > 0 and after is not None:
        page = node.letters(Wanted(min(limit, _PAGE), after, reason, source, taken))
        yield from page["items"]
        limit -= len(page["items"])
        after = page["next"]


@letters_app.command("show")
def letters_show(
    letter_id: LetterArgument,
    bootstrap: BootstrapOption = None,
    http: NodeOption = None,
    data: FolderOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """Show a dead letter: its message on stdout, byte by byte; what was refused, and why, on stderr."""
    with operated(Asked(config, {"http": http, "key_file": key_file, "authority": authority}), data, bootstrap) as node:
        found = node.letter(letter_id)
    if found is None:
        _fail(f"there is no dead letter {letter_id}")
    encoding, body = found.pop("encoding"), found.pop("body")
    for name, value in found.items():
        if value is not None:
            typer.echo(f"{name + ':':<11} {value}", err=True)
    if body is None:
        _fail("its message is no longer kept")
    sys.stdout.buffer.write(base64.b64decode(body) if encoding == "base64" else str(body).encode())
    sys.stdout.buffer.flush()


@letters_app.command("redrive")
def letters_redrive(
    letter_id: Annotated[int | None, typer.Argument(metavar="[ID]", min=1, help="A dead letter.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every one, or those that the filters name.")] = False,  # noqa: FBT002
    reason: ReasonOption = None,
    source: FromOption = None,
    bootstrap: BootstrapOption = None,
    http: NodeOption = None,
    data: FolderOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
    time_zone: ZoneOption = None,
    rules: RulesOption = None,
    tables: TablesOption = None,
) -> None:
    """Have refused messages taken again; prints what became of each as NDJSON. Exit status 1 if some still are refused.

    Doing it again changes nothing: what was taken is a duplicate.
    """
    if (letter_id is None) != every:
        raise SettingsError("name one dead letter, or --all")
    site = {"time_zone": time_zone, "rules": rules, "tables": tables}
    with operated(
        Asked(config, {"http": http, "key_file": key_file, "authority": authority, **site}), data, bootstrap
    ) as node:
        refused = 0
        numbers = (each["letter_id"] for each in _letters(node, reason, source, sys.maxsize))
        for number in numbers if letter_id is None else (letter_id,):
            found = node.redrive(number)
            if found is None and not every:
                _fail(f"there is no dead letter {number}, or its message is no longer kept")
            if found is not None:  # of one message several parts may be refused; the first redrive took them all
                refused += found["outcome"] in ("refused", "partly")
                write([found])
    if refused:
        typer.echo(f"trabecula: {refused} still refused", err=True)
        raise typer.Exit(1)


# ---- receivers


@receivers_app.command("list")
def receivers_list(
    as_json: JsonOption = None,
    http: NodeOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """List the receivers and how each fares: a table on a terminal, else NDJSON."""
    from streams.node.operating import RunningNode  # noqa: PLC0415 - as the module says

    asked = Asked(config, {"http": http, "key_file": key_file, "authority": authority})
    with plainly(), RunningNode(asked.load(OperatorSettings)) as node:
        found = node.receivers()["items"]
    if as_json or (as_json is None and not sys.stdout.isatty()):
        write(found)
    else:
        _table(found, ("name", "kind", "waiting", "for_digest", "is_failing", "reason", "status", "oldest_at"))


@receivers_app.command("refused")
def receivers_refused(
    name: ReceiverArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many at most.")] = 100,
    http: NodeOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """List what a receiver refused for good as NDJSON, the latest first."""
    from streams.node.operating import RunningNode  # noqa: PLC0415 - as the module says

    asked = Asked(config, {"http": http, "key_file": key_file, "authority": authority})
    with plainly(), RunningNode(asked.load(OperatorSettings)) as node:
        found = node.refused(name, limit)
    if found is None:
        _fail(f"there is no receiver {name}")
    write(found["items"])


@receivers_app.command("redrive")
def receivers_redrive(
    name: ReceiverArgument,
    notice: Annotated[str | None, typer.Option("--notice", help="One notice by its id; else all.")] = None,
    overtaken: Annotated[bool, typer.Option("--overtaken", help="Also what a later one has overtaken.")] = False,  # noqa: FBT002
    http: NodeOption = None,
    key_file: KeyFileOption = None,
    authority: AuthorityOption = None,
    config: ConfigOption = None,
) -> None:
    """Send again what a receiver refused for good; prints how many notices wait for it again."""
    from streams.node.operating import RunningNode  # noqa: PLC0415 - as the module says

    asked = Asked(config, {"http": http, "key_file": key_file, "authority": authority})
    with plainly(), RunningNode(asked.load(OperatorSettings)) as node:
        found = node.send_again(name, notice, overtaken=overtaken)
    if found is None:
        _fail(f"there is no receiver {name}")
    write([found])


# ---- what is shown


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    shown = [columns, *(tuple(_cell(row[column]) for column in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    said = " ".join(value.split()) if isinstance(value, str) else encode(value).decode()
    return said if len(said) <= _WIDEST else f"{said[: _WIDEST - 1]}…"


def _fail(message: str) -> NoReturn:
    typer.echo(f"trabecula: {message}", err=True)
    raise typer.Exit(2)
