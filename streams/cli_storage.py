"""Commands on what a node keeps: its backups, the version of its tables, its audit, its keys."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli_options import ConfigOption, DataOption
from streams.cli_plainly import plainly
from streams.settings import SettingsError, load
from streams.settings_node import NodeSettings

if TYPE_CHECKING:
    from streams.node.backup import Contents

store_app: Final = typer.Typer(help="What a node keeps: what is in it, and the version of its tables.")
audit_app: Final = typer.Typer(help="Who did what: whether the record is as it was written.")
keys_app: Final = typer.Typer(help="API keys.")


# ---- backups


def backup_command(
    to: Annotated[Path, typer.Option("--to", help="A new file, or a folder in which one is named by the time.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy what a node keeps into one file, while it runs or not; the copy is checked, and overwrites nothing."""
    from streams.node.backup import backup, contents  # noqa: PLC0415 - only this command

    folder = load(NodeSettings, config, data=data).data
    target = to / f"trabecula-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite" if to.is_dir() else to
    with plainly():
        backup(folder, target, _progress("copied"))
        held = contents(target)
    typer.echo(f"{target}: {_in_words(held)}")


def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `trabecula backup` made.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a backup into a folder that holds nothing yet; says what it restored."""
    from streams.node.backup import restore  # noqa: PLC0415 - only this command

    folder = load(NodeSettings, config, data=data).data
    with plainly():
        held = restore(file, folder, _progress("restored"))
    typer.echo(f"{folder}: {_in_words(held)}")


def _progress(word: str) -> Callable[[int, int], None]:
    def show(done: int, of: int) -> None:
        end = "\n" if done == of else ""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{word} {done:,} of {of:,} pages{end}")
        elif end:
            sys.stderr.write(f"{word} {of:,} pages, checking\n")
        sys.stderr.flush()

    return show


def _in_words(held: "Contents") -> str:
    last = "none" if held.last_event_at is None else held.last_event_at.isoformat(timespec="seconds")
    return (
        f"{held.size:,} bytes, version {held.version}; {held.charts:,} charts, {held.events:,} events (last {last}), "
        f"{held.standing:,} alerts stand, {held.notices:,} notices, {held.dead_letters:,} dead letters, "
        f"{held.audit_lines:,} lines of audit, last hash {held.audit_hash or 'none'}"
    )


# ---- the store


@store_app.command("show")
def store_show(data: DataOption = None, config: ConfigOption = None) -> None:
    """Say what is in a node's folder, and the version of its tables; a node may work in it."""
    from streams.node.backup import contents  # noqa: PLC0415 - only this command
    from streams.node.schema import VERSION  # noqa: PLC0415
    from streams.node.store_folder import FILE  # noqa: PLC0415

    folder = load(NodeSettings, config, data=data).data
    _is_there(folder)
    with plainly():
        held = contents(folder / FILE)
    typer.echo(f"{folder}: {_in_words(held)}\nthis service writes version {VERSION} and reads 1 to {VERSION}")


@store_app.command("roll-back")
def store_roll_back(
    version: Annotated[int, typer.Option("--version", help="The version that the former service writes.")],
    keep: Annotated[Path, typer.Option("--keep", help="A new file: a backup of everything as it is now.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring the tables of a stopped node back to an earlier version, for the service before this one.

    What that version has no table for is left out; it is in the backup that is made first.
    """
    from streams.node.backup import roll_back_kept  # noqa: PLC0415 - only this command

    folder = load(NodeSettings, config, data=data).data
    _is_there(folder)
    with plainly():
        try:
            before = roll_back_kept(folder, version, keep)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    typer.echo(f"{folder}: version {before} is version {version} now; {keep} has it as it was")


@store_app.command("follow-clock")
def store_follow_clock(data: DataOption = None, config: ConfigOption = None) -> None:
    """Go back to the machine's clock where a stopped node's was ahead: what was decided since is decided anew.

    A node that finds the clock behind its latest decision takes nothing and says so; if the clock is right now, this is
    the way on. What was told falsely is withdrawn with the next start.
    """
    from streams.node.clock import SystemClock  # noqa: PLC0415 - only this command
    from streams.node.engine_clock import follow  # noqa: PLC0415
    from streams.node.store import Store  # noqa: PLC0415

    folder = load(NodeSettings, config, data=data).data
    _is_there(folder)
    now = SystemClock().now()
    with plainly():
        store = Store(folder)
        try:
            charts = follow(store, now)
        finally:
            store.close()
    typer.echo(
        f"{folder}: {now.isoformat(timespec='seconds')} it is; {charts:,} charts are decided anew at the next start"
    )


def _is_there(folder: Path) -> None:
    from streams.node.store_folder import FILE  # noqa: PLC0415 - as above

    if not (folder / FILE).exists():
        raise SettingsError(f"there is no store in {folder}; name the node's folder by --data")


# ---- the audit


@audit_app.command("verify")
def audit_verify(
    data: DataOption = None,
    noted: Annotated[
        str | None, typer.Option("--noted", help="A hash noted earlier, which must still be there.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Go through the audit; exit status 1 if it is not what was written, and where. A node may work in the folder."""
    from streams.node.store_audit import place_of, verify  # noqa: PLC0415 - only this command

    folder = load(NodeSettings, config, data=data).data
    _is_there(folder)
    with plainly():
        found = verify(folder)
        place = None if noted is None else place_of(folder, noted)
    if found.broken_at is not None:
        typer.echo(
            f"broken at line {found.broken_at}: lines 1 to {found.lines} are as they were written (hash "
            f"{found.last_hash or 'none'}); this one, or one before it, was changed or taken out"
        )
        raise typer.Exit(1)
    if noted is not None and place is None:
        typer.echo(f"the noted hash is not there: lines were taken off the end; {found.lines} are left")
        raise typer.Exit(1)
    at = "" if place is None else f"; the noted hash is that of line {place}"
    typer.echo(f"ok: {found.lines} lines, last hash {found.last_hash or 'none'}{at}")


# ---- keys


@keys_app.command("new")
def keys_new(
    name: Annotated[str, typer.Option("--name", help="Whose key it is: it stands in the audit.")],
    role: Annotated[list[str], typer.Option("--role", help="feed, clinician, operator or auditor; again for each.")],
    expires: Annotated[str | None, typer.Option("--expires", help="The instant at which it ends.")] = None,
    append: Annotated[Path | None, typer.Option("--append", help="Write the entry to the end of this file.")] = None,
) -> None:
    """Make an API key: it is printed once and kept nowhere; its entry for the file of keys has only a hash."""
    from pydantic import ValidationError  # noqa: PLC0415 - only this command

    from schemas.values import NotWhatWasExpectedError, instant  # noqa: PLC0415
    from streams.node.access_keys import append_entry, new_key  # noqa: PLC0415

    try:
        ends = None if expires is None else instant(expires)
        key, entry = new_key(name, *role, expires=ends)  # type: ignore[arg-type]
    except NotWhatWasExpectedError as error:
        raise SettingsError(f"setting expires: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise SettingsError(f"setting {first['loc'][0]}: {first['msg']}") from None
    if ends is not None and ends <= datetime.now(UTC):
        raise SettingsError("setting expires: it is past; accepted is an instant to come")
    if append is not None:
        with plainly():
            append_entry(append, entry)
    typer.echo(key)
    typer.echo(f"\n{entry}" if append is None else "", nl=False)
