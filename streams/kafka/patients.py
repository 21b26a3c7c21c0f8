"""Who FHIR Patients are known as, and what a translation may know of earlier messages.

Topic: of earlier messages a gateway knows the Patients alone. Whose a record was, and what it said, is known where its
patient is kept; a gateway reads of a record what the message itself says, and refuses by name what needs more.
"""

import sqlite3
import threading
from collections.abc import Iterable
from typing import Final

from schemas.events import AnyEvent
from streams.intake.site import MemoryDirectory

_TABLE: Final = "CREATE TABLE patient (reference TEXT PRIMARY KEY, patient_id TEXT NOT NULL) WITHOUT ROWID"
_PROVISIONAL: Final = "fhir|"


class KnownPatients:
    """What all gateways have learned, as far as it has been read; asked and told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A database without a name is a temporary file of SQLite's own, gone with the connection.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute(_TABLE)

    def patient(self, reference: str) -> str | None:
        """The `patient_id` of a Patient's address; None if nobody told it."""
        sql = "SELECT patient_id FROM patient WHERE reference = ?"
        with self._lock:
            row = self._db.execute(sql, (reference,)).fetchone()
        return None if row is None else str(row[0])

    def learn(self, told: Iterable[tuple[str, str | None]]) -> None:
        """Take in addresses and who they are; None: it is forgotten."""
        with self._lock:
            for reference, patient_id in told:
                if patient_id is None:
                    self._db.execute("DELETE FROM patient WHERE reference = ?", (reference,))
                else:
                    self._db.execute("INSERT OR REPLACE INTO patient VALUES (?, ?)", (reference, patient_id))

    def addresses(self, patient_id: str) -> list[str]:
        """Every address of somebody, also where nothing but the address is known."""
        with self._lock:
            found = self._db.execute("SELECT reference FROM patient WHERE patient_id = ?", (patient_id,)).fetchall()
        own = [patient_id.removeprefix(_PROVISIONAL)] if patient_id.startswith(_PROVISIONAL) else []
        return sorted({*own, *(str(reference) for (reference,) in found)})

    def close(self) -> None:
        """Remove the file."""
        self._db.close()


class MessageDirectory:
    """A `Directory` for messages that are translated together: what they teach is known to all only once it is kept."""

    def __init__(self, known: KnownPatients) -> None:
        self._known = known
        self._records = MemoryDirectory()
        self.learned: dict[str, str | None] = {}
        """What the messages taught that are taken."""
        self._of_message: dict[str, str] = {}

    def patient(self, reference: str) -> str | None:
        if reference in self._of_message:
            return self._of_message[reference]
        return self.learned[reference] if reference in self.learned else self._known.patient(reference)

    def know_patient(self, reference: str, patient_id: str) -> str | None:
        before = self.patient(reference)
        if before != patient_id:
            self._of_message[reference] = patient_id
        return before

    def last_version(self, source: str, record_id: str) -> AnyEvent | None:
        return self._records.last_version(source, record_id)

    def know_version(self, event: AnyEvent) -> None:
        self._records.know_version(event)

    def begin(self) -> None:
        """The next message: of the last one nothing is known but what it taught, if it was taken."""
        self._records = MemoryDirectory()
        self._of_message = {}

    def take(self) -> dict[str, str]:
        """The message is taken; what it taught."""
        self.learned |= self._of_message
        return self._of_message

    def forget(self, patient_id: str) -> list[str]:
        """Somebody is to be forgotten; the addresses that were theirs."""
        ours = [reference for reference, known in self.learned.items() if known == patient_id]
        found = sorted({*ours, *self._known.addresses(patient_id)})
        self.learned |= dict.fromkeys(found)
        return found

    def settle(self, *, kept: bool) -> None:
        """The messages are durable, or were not taken after all."""
        if kept:
            self._known.learn(self.learned.items())
        self.learned = {}
        self.begin()
