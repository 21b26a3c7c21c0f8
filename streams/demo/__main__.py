"""`python -m streams.demo`: the fortnight on this terminal."""

import time

from rich.console import Console

from streams.demo.hospital import Fortnight
from streams.demo.page import Page


def main() -> None:
    """Replay the fortnight and print it; in colours where the output is a terminal."""
    page = Page(Console(highlight=False))
    begun = time.monotonic()
    fortnight = Fortnight()
    page.opening()
    for telling in fortnight.tellings():
        page.tell(telling)
    page.closing(fortnight.tally, fortnight.standing(), time.monotonic() - begun)


if __name__ == "__main__":
    main()
