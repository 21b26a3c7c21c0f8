"""What the laboratory, radiology and the bone clinic say."""

from datetime import datetime
from typing import Any, Final, NamedTuple

from streams.simulate import codes
from streams.simulate.codes import Test
from streams.simulate.messages import Said
from streams.simulate.script import Spoken, When

LABORATORY: Final = "LAB"
RADIOLOGY: Final = "RADIOLOGY"
TURNAROUND: Final = 240
"""Minutes from collection to result."""


class Where(NamedTuple):
    """Who examined a sample, how, and whether the patient had fasted."""

    laboratory: str = "Central laboratory"
    assay: str | None = None
    fasting: bool | None = None


def resulted(when: When, results: tuple[tuple[Test, Any], ...], where: Where) -> Spoken:
    """A report of one sample; a text result has no unit."""
    number = f"L{when.number}.{when.day}.{when.minute}"
    collected = when.before(TURNAROUND)
    return Spoken(
        "ORU^R01", LABORATORY, tuple(_result(number, test, value, collected, where) for test, value in results)
    )


def single(number: str, collected: datetime, test: Test, value: float) -> Said:
    """One result of a report."""
    return _result(number, test, value, collected, Where())


def _result(number: str, test: Test, value: Any, collected: Any, where: Where) -> Said:
    said: Said = {
        "kind": "lab_result",
        "record_id": f"{number}:{test.coded['code']}",
        "code": test.coded,
        "status": "final",
        "collected_at": collected,
        "laboratory": where.laboratory,
    }
    if isinstance(value, str):
        said["value_text"] = value
    else:
        said["value"] = round(value, test.places) if test.places else round(value)
        said["unit"] = test.unit
        said["reference_range"] = {"low": test.low, "high": test.high}
    if where.assay is not None:
        said["assay"] = where.assay
    if where.fasting is not None:
        said["fasting"] = where.fasting
    return said


def asked(when: When, tests: tuple[Test, ...]) -> Spoken:
    """Tests asked for."""
    return Spoken(
        "OML^O21",
        WARD_ORDERS,
        tuple(
            {
                "kind": "lab_order",
                "record_id": f"order:Q{when.number}.{when.day}:{test.coded['code']}",
                "code": test.coded,
                "status": "active",
                "ordered_at": when.before(5),
            }
            for test in tests
        ),
    )


WARD_ORDERS: Final = "ORDERS"


def _study(when: When, number: int, study: tuple[str, str], status: str) -> Said:
    modality, region = study
    return {
        "kind": "imaging",
        "record_id": f"imaging:I{when.number}.{number}",
        "status": status,
        "modality": modality,
        "region": region,
    }


def ordered(when: When, number: int, study: tuple[str, str]) -> Spoken:
    """An imaging study asked for."""
    said = {**_study(when, number, study, "ordered"), "ordered_at": when.before(5)}
    return Spoken("OMG^O19", WARD_ORDERS, (said,))


def booked(when: When, number: int, study: tuple[str, str], in_days: int) -> Spoken:
    """An imaging study booked for 10:00 of a later day."""
    said = {**_study(when, number, study, "booked"), "scheduled_for": when.days.at(when.day + in_days, 600)}
    return Spoken("SIU^S12", RADIOLOGY, (said,))


def reported(when: When, number: int, study: tuple[str, str], findings: tuple[Said, ...]) -> Spoken:
    """The final report of a study performed an hour ago."""
    said = {**_study(when, number, study, "final"), "performed_at": when.before(60), "findings": findings}
    return Spoken("ORU^R01", RADIOLOGY, (said,))


def densities(when: When, scores: tuple[tuple[str, float], ...], kind: str) -> Spoken:
    """DXA scores (`z_score`, `t_score`) by site."""
    return Spoken(
        "ORU^R01",
        RADIOLOGY,
        tuple(
            {
                "kind": "bone_density",
                "record_id": f"B{when.number}.{when.day}:{codes.Z_SCORES[site]['code']}",
                "site": site,
                kind: round(score, 1),
                "performed_at": when.before(60),
            }
            for site, score in scores
        ),
    )
