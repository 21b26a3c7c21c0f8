"""The truth comes from the course: the simulation knows no rule."""

import ast
from pathlib import Path

import streams.simulate

SOURCES = sorted(Path(streams.simulate.__file__).parent.glob("*.py"))
MAY_KNOW = ("schemas.wire", "streams.simulate")


def imported(path: Path) -> set[str]:
    """Every module of ours that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found.update(name for name in names if name.partition(".")[0] in ("schemas", "streams", "alerting"))
    return found


def test_nothing_is_imported_that_decides_or_translates() -> None:
    assert SOURCES
    assert {n for path in SOURCES for n in imported(path) if not n.startswith(MAY_KNOW)} == set()
