"""What a demo is fed: one simulated population, told as a hospital's systems tell it, each in a format of its own.

Law: of every record one system speaks, in one format, so the three formats together say what is true and nothing twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from schemas.days import to_utc
from streams.simulate import fhir, hl7v2, native
from streams.simulate.messages import Message
from streams.simulate.options import Imperfections, Options
from streams.simulate.population import Population

Form = Literal["hl7v2", "fhir", "event"]
FORMS: Final[Mapping[str, Form]] = {
    "ADT": "hl7v2",
    "LAB": "hl7v2",
    "ORDERS": "hl7v2",
    "PHARMACY": "fhir",
    "CHART": "hl7v2",
    "MATERNITY": "fhir",
    "RADIOLOGY": "event",
    "WARD": "event",
}
"""By system the format that it speaks: events where neither of the others says all that is meant."""
PAST: Final = 60
"""Days before the first start that the simulated days begin; courses that began earlier are there too."""
_LENGTH: Final = PAST + 365
_PATIENTS: Final = 400
_SEED: Final = 5
_ENRICH: Final = 1_000.0
"""What is rare is so many times as frequent, or there would be nothing to look at."""
_WRONG: Final = Imperfections(late=0.01, duplicated=0.01, corrected=0.03, cancelled=0.01, merged=0.03)
_A_WEEKDAY: Final = 20_000
"""Messages of the hospital around them."""


class Letter(NamedTuple):
    """What one system sends at an instant: HL7 v2 messages, FHIR resources or events."""

    at: datetime
    sender: str
    form: Form
    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Invented:
    """An invented hospital, always the same for a day on which its demo was first started."""

    first_started: date
    zone: ZoneInfo

    @property
    def options(self) -> Options:
        """Of the patients' courses."""
        start = self.first_started - timedelta(days=PAST)
        return Options(
            seed=_SEED, patients=_PATIENTS, start=start, days=_LENGTH, zone=self.zone, enrich=_ENRICH,
            imperfections=_WRONG,
        )  # fmt: skip

    def courses(self) -> Iterator[Letter]:
        """What is said of the patients, in order of arrival, into the days to come."""
        return _letters(self.options)

    def traffic(self, today: date) -> Iterator[Letter]:
        """The ordinary messages around them, from a day on."""
        options = Options(
            seed=_SEED, patients=0, start=today, days=_LENGTH, zone=self.zone, mix="hospital", messages=_A_WEEKDAY
        )
        return _letters(options)


def _letters(options: Options) -> Iterator[Letter]:
    for sent in Population(options).messages():
        form = FORMS[sent.message.sender]
        parts = tuple(_parts(form, sent.message))
        if parts:
            yield Letter(to_utc(sent.arrives), sent.message.sender, form, parts)


def _parts(form: Form, message: Message) -> Iterator[bytes]:
    match form:
        case "hl7v2":
            yield hl7v2.text(message).removesuffix(b"\n")
        case "fhir":
            yield from fhir.lines(message).splitlines()
        case "event":
            yield from native.lines(message).splitlines()
