"""What a site says of itself, and what the intake remembers between messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from schemas.events import AnyEvent


@dataclass(frozen=True, slots=True)
class Site:
    """Settings of the intake.

    Topic: identity as docs/intake.md has it: `AUTHORITY|number`, bare for the default assigner.
    """

    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """HL7 v2 times without an offset are local times of this zone."""
    default_assigner: str | None = None
    """The assigning authority whose numbers are written bare."""
    preferred_identifier_type: str = "MR"
    """HL7 table 0203 type of the PID-3 repetition that names the patient."""
    preferred_authority: str | None = None
    """If set, a PID-3 repetition of this authority comes before any other."""
    fhir_authorities: Mapping[str, str] = field(default_factory=dict)
    """FHIR identifier system -> assigning authority."""
    fhir_base: str = ""
    """Base address that relative FHIR references are resolved against."""
    source: str | None = None
    """Name of the feed; else MSH-3 and MSH-4, or `fhir`."""

    def name(self, number: str, authority: str | None) -> str:
        """The `patient_id` of a number under an authority."""
        return number if authority in (None, "", self.default_assigner) else f"{authority}|{number}"


class Directory(Protocol):
    """What has been seen before: who a FHIR Patient is, and whom a record was about."""

    def patient(self, reference: str) -> str | None:
        """The `patient_id` that a FHIR reference (`BASE/Patient/ID`) became known as, or None."""

    def know_patient(self, reference: str, patient_id: str) -> str | None:
        """Remember it; returns what it was known as before."""

    def last_version(self, source: str, record_id: str) -> AnyEvent | None:
        """The latest-recorded event of this record, whoever it was about."""

    def know_version(self, event: AnyEvent) -> None:
        """Remember the event if none recorded later is known for its record."""


class MemoryDirectory:
    """A directory that lives as long as the process."""

    def __init__(self) -> None:
        self._patients: dict[str, str] = {}
        self._records: dict[tuple[str, str], AnyEvent] = {}

    def patient(self, reference: str) -> str | None:
        return self._patients.get(reference)

    def know_patient(self, reference: str, patient_id: str) -> str | None:
        before = self._patients.get(reference)
        self._patients[reference] = patient_id
        return before

    def last_version(self, source: str, record_id: str) -> AnyEvent | None:
        return self._records.get((source, record_id))

    def know_version(self, event: AnyEvent) -> None:
        key = (event.source, event.record_id)
        known = self._records.get(key)
        if known is None or known.recorded_at <= event.recorded_at:
            self._records[key] = event
