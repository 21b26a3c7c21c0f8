"""The segments of a result or order message, gathered to what belongs together.

Source: HL7 v2.5.1 chapter 7.3 (ORU^R01, OUL^R22, ORU^R30), 4.4 (ORM, OMG, OML), 4.13 (OMP, RDE, RDS, RAS).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.intake.hl7v2.message import Message, Segment


@dataclass(slots=True)
class Observed:
    """An OBX with its comments."""

    obx: Segment
    notes: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class Order:
    """One order: its segments by name, the observations and the patient that it is about.

    `notes` are those of the order, not of its observations. `specimens` in an OUL precede the order.
    """

    patient: Segment | None
    visit: Segment | None = None
    common: Segment | None = None
    request: Segment | None = None
    specimens: list[Segment] = field(default_factory=list)
    observed: list[Observed] = field(default_factory=list)
    notes: list[Segment] = field(default_factory=list)
    others: list[Segment] = field(default_factory=list)

    def named(self, name: str) -> list[Segment]:
        return [segment for segment in self.others if segment.name == name]

    def find(self, name: str) -> Segment | None:
        return next((segment for segment in self.others if segment.name == name), None)

    @property
    def specimen(self) -> Segment | None:
        """The specimen, where it is one: with two, none of them is that of every observation."""
        return self.specimens[0] if len(self.specimens) == 1 else None


def orders(message: Message) -> Iterator[Order]:
    """The orders of a message, each from its ORC, or from its OBR where that comes first.

    Observations that stand before any order (those of a visit or a specimen) are an order without ORC and OBR.
    """
    patient = visit = None
    specimens: list[Segment] = []  # of an OUL: they precede the orders that were made on them
    current = Order(None)
    specimen_first = message.header.value(9) == "OUL"
    for segment in message.segments:
        match segment.name:
            case "PID":
                yield from _if_any(current)
                patient, visit, specimens = segment, None, []
                current = Order(patient)
            case "PV1":
                visit = segment
                current.visit = visit
            case "SPM" if specimen_first:
                yield from _if_any(current)
                specimens = [segment]
                current = Order(patient, visit, specimens=specimens)
            case "ORC" | "OBR" if _opens(current, segment, specimen_first=specimen_first):
                yield from _if_any(current)
                current = Order(patient, visit, specimens=list(specimens))
                _place(current, segment)
            case _:
                _place(current, segment)
    yield from _if_any(current)


def _opens(current: Order, segment: Segment, *, specimen_first: bool) -> bool:
    if segment.name == "OBR":
        return current.request is not None or current.common is None or bool(current.observed)
    follows_its_request = specimen_first and current.request is not None and not current.observed
    return current.common is not None or not follows_its_request


def _if_any(order: Order) -> Iterator[Order]:
    if order.common or order.request or order.observed or order.others:
        yield order


def _place(order: Order, segment: Segment) -> None:
    match segment.name:
        case "ORC":
            order.common = segment
        case "OBR":
            order.request = segment
        case "SPM":
            order.specimens.append(segment)
        case "OBX":
            order.observed.append(Observed(segment))
        case "NTE" if order.observed:
            order.observed[-1].notes.append(segment)
        case "NTE":
            order.notes.append(segment)
        case _:
            order.others.append(segment)
