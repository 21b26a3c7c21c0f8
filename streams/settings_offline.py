"""Settings of the commands that work on files: `explain` and `simulate`."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from schemas.values import NotWhatWasExpectedError, day, instant
from streams.settings_layers import LayeredSettings
from streams.simulate.options import FIRST_DAY, Imperfections, Options

Share = Annotated[float, Field(ge=0, le=1)]
_USUAL = Options()


class ExplainSettings(LayeredSettings):
    """What is to be explained."""

    patient: str | None = None
    """The patient's identity, as in the events."""
    rule: str | None = None
    """Only this rule."""
    at: datetime | None = None
    """The instant asked about; none: after the last event."""
    as_json: bool = False
    """One JSON object a rule instead of text."""

    @field_validator("at", mode="before")
    @classmethod
    def _instant(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        try:
            return instant(given)
        except NotWhatWasExpectedError as error:
            raise ValueError(str(error)) from None


class SimulateSettings(LayeredSettings):
    """What is to be simulated; streams.simulate.options says more of each."""

    format: Literal["events", "hl7v2", "fhir"] = "events"
    seed: int = _USUAL.seed
    patients: int = Field(default=_USUAL.patients, ge=0)
    days: int = Field(default=_USUAL.days, ge=1)
    start: date = FIRST_DAY
    run_in: int = Field(default=_USUAL.run_in, ge=0)
    rate: float = Field(default=0.0, ge=0)
    """Messages a second; 0: as fast as possible."""
    mix: Literal["courses", "hospital"] = "courses"
    messages: int = Field(default=_USUAL.messages, ge=0)
    enrich: float = Field(default=_USUAL.enrich, ge=1)
    late: Share = 0.0
    duplicated: Share = 0.0
    corrected: Share = 0.0
    cancelled: Share = 0.0
    merged: Share = 0.0
    unmerged: Share = 0.0
    truth: Path | None = None
    """Where what is true is written."""

    @field_validator("start", mode="before")
    @classmethod
    def _day(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        try:
            return day(given)
        except NotWhatWasExpectedError as error:
            raise ValueError(str(error)) from None

    @field_validator("truth")
    @classmethod
    def _in_a_folder(cls, file: Path | None) -> Path | None:
        if file is not None and not file.absolute().parent.is_dir():
            raise ValueError("expected a file in a folder that is there")
        return file

    def options(self, zone: ZoneInfo) -> Options:
        """The population that is asked for."""
        return Options(
            seed=self.seed,
            patients=self.patients,
            start=self.start,
            days=self.days,
            run_in=self.run_in,
            zone=zone,
            mix=self.mix,
            messages=self.messages,
            enrich=self.enrich,
            imperfections=Imperfections(
                self.late, self.duplicated, self.corrected, self.cancelled, self.merged, self.unmerged
            ),
        )
