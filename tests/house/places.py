"""Where the house is, and which files belong to it."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("schemas", "streams", "alerting")
_BUILT: Final = {"build", "dist", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project: what git tracks, or would; in an unpacked source archive all that was not built."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    found = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in (found if listed.returncode == 0 else _walked(ROOT)) if path.is_file()))


def _walked(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _BUILT or (path.name.startswith(".") and path.name != ".ci"):
            continue
        if path.is_dir():
            yield from _walked(path)
        else:
            yield path


def named(path: Path) -> str:
    """A file as people name it."""
    return path.relative_to(ROOT).as_posix()


def sources() -> Iterator[Path]:
    """The Python files."""
    return (path for path in files() if path.suffix == ".py")


def text(name: str) -> str:
    """What stands in a file of the project."""
    return (ROOT / name).read_text("utf-8")
