"""What an operator can put right is said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def plainly() -> Iterator[None]:
    """Whatever of a node is in the way ends the command with status 2 and one line."""
    import apsw  # noqa: PLC0415 - a node's, and only these commands'

    from streams.node.access_settings import AccessError  # noqa: PLC0415
    from streams.node.backup import BackupError  # noqa: PLC0415
    from streams.node.port import NotDurableError  # noqa: PLC0415
    from streams.node.schema import SchemaError  # noqa: PLC0415
    from streams.node.store import StoreError  # noqa: PLC0415
    from streams.node.store_folder import FolderInUseError  # noqa: PLC0415

    of_a_node = (AccessError, BackupError, NotDurableError, SchemaError, StoreError, FolderInUseError)
    try:
        yield
    except (*of_a_node, apsw.Error, OSError) as error:
        if isinstance(error, BrokenPipeError):  # whoever reads our output has seen enough
            raise
        typer.echo(f"trabecula: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None
