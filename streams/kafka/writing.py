"""One thread that writes a store, for processes that decide nothing: each job is a transaction.

Law: an answer is there only once what the job wrote is durable; a disk that failed takes nothing more.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from streams.node.access_audit import AuditEntry
from streams.node.port import NotDurableError
from streams.node.store import Store, StoreError
from streams.node.store_rows import Rows

T = TypeVar("T")


class Writer:
    """The writer of one store (streams.node.delivery.Writer, streams.node.access_audit.AuditSink)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failure: StoreError | None = None
        """Why nothing is written any more."""
        self._thread = ThreadPoolExecutor(1, "store writer")

    def call(self, job: Callable[[Any], Any]) -> Future[Any]:
        """Do a job as a part of a transaction; its exception takes it back. It is given nothing.

        Errors: of the answer NotDurableError; whatever the job raises.
        """
        return self._thread.submit(self._done, lambda: job(None))

    async def do(self, job: Callable[[Rows], T]) -> T:
        """Do a job on the rows, as a transaction of its own.

        Errors: NotDurableError; whatever the job raises.
        """
        return await asyncio.wrap_future(self._thread.submit(self._done, lambda: job(self.store.rows)))

    def _done(self, job: Callable[[], T]) -> T:
        if self.failure is not None:
            raise NotDurableError(str(self.failure))
        try:
            with self.store.transaction():
                answer = job()
            self.store.tidy()
        except StoreError as error:
            self.failure = error
            raise NotDurableError(str(error)) from error
        return answer

    async def forget(self, job: Callable[[Rows], None]) -> None:
        """Do a job that takes somebody out; nothing of them is left in the log of the file either.

        Errors: NotDurableError; whatever the job raises.
        """
        await self.do(job)
        await asyncio.wrap_future(self._thread.submit(self.store.tidy, wholly=True))

    async def record(self, entry: AuditEntry) -> None:
        """Keep an entry of the audit; returns once it is durable.

        Errors: NotDurableError.
        """
        await self.do(lambda rows: rows.put_audit(dataclasses.asdict(entry)))

    def close(self) -> None:
        """Finish what was asked for, and leave the store to others."""
        self._thread.shutdown()
        self.store.close()
