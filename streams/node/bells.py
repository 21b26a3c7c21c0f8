"""Who is woken when notices have become durable: nobody has to look for them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress


class Bells:
    """Rung by the writer after a commit, whatever thread that is; each rings where it was hung."""

    def __init__(self) -> None:
        self._bells: list[Callable[[], None]] = []

    def hang(self, ring: Callable[[], None]) -> Callable[[], None]:
        """Have something called in this event loop after every commit of notices, until what is returned is called."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed, and with it whoever would have been woken
                loop.call_soon_threadsafe(ring)

        self._bells.append(wake)
        return lambda: self._bells.remove(wake)

    def ring(self) -> None:
        """There are new notices."""
        for wake in tuple(self._bells):
            wake()
