"""Packaged rows, read once: comma-separated files beside the code, found through the package itself."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files


class TableError(ValueError):
    """A table that cannot be used; the message names file, row and field, and what would be accepted."""


def rows(package: str, name: str) -> Iterator[dict[str, str]]:
    """Each row of a packaged file as column -> text; an empty cell is ""."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines(), strict=True)


def number(text: str) -> Decimal | None:
    """The number of a cell; None: the cell is empty."""
    return Decimal(text) if text else None
