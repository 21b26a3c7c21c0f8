"""What an order control code does to an order.

Source: HL7 v2.5.1 chapter 4.5.1 (ORC), table 0119 (ORC-1), table 0038 (ORC-5).
"""

from typing import Final, Literal

from streams.intake.hl7v2.message import Segment
from streams.intake.hl7v2.untranslatable import UntranslatableError

Change = Literal["version", "on_hold", "active", "stopped", "cancelled", "completed"]

_CHANGES: Final[dict[str, Change]] = {
    "NW": "version", "XO": "version", "XX": "version", "XR": "version",
    "RO": "version",  # it opens what RP, RU, RQ stop
    "RP": "stopped", "RU": "stopped", "RQ": "stopped",
    "CH": "version",  # a child order stands for itself
    "RE": "version",  # in an RDE: the order as the pharmacy encoded it
    "OP": "version", "PY": "version",  # an order, or its replacement, for an outside dispense
    "HD": "on_hold", "HR": "on_hold", "OH": "on_hold",
    "RL": "active", "OE": "active", "OR": "active",
    "DC": "stopped", "DR": "stopped", "OD": "stopped",
    "CA": "cancelled", "CR": "cancelled", "OC": "cancelled",
}  # fmt: skip
_BY_STATUS: Final[dict[str, Change]] = {
    "A": "active", "IP": "active", "SC": "active",
    "CA": "cancelled", "CM": "completed", "DC": "stopped", "HD": "on_hold", "RP": "stopped",
}  # fmt: skip
_STATUS_CHANGED: Final = "SC"
_NOTHING: Final = frozenset(
    {"UA", "UC", "UD", "UH", "UR", "UX"}
    | {
        "OK",
        "NA",
        "SN",
        "PA",
        "SS",
        "SR",
        "RR",
        "LI",
        "UN",
        "UF",
        "UM",
        "RF",
        "AF",
        "DF",
        "FU",
        "DE",
        "CN",
        "MC",
        "PR",
        "ER",
    }
)
"""Refusals of a request by the filler, and words between placer and filler that leave the order as it is."""


def change(common: Segment) -> Change | None:
    """What ORC-1 does to the order; None: nothing.

    Errors: UntranslatableError for a code that is not of table 0119, or SC without a status of table 0038.
    """
    code = common.value(1).upper()
    if code == _STATUS_CHANGED:
        return _by_status(common)
    if code in _NOTHING:
        return None
    if code not in _CHANGES:
        raise UntranslatableError(f"no known order control; accepted: {', '.join(_CHANGES)}, SC", common.where(1))
    return _CHANGES[code]


def _by_status(common: Segment) -> Change | None:
    status = common.value(5).upper()
    if status == "ER":
        return None
    if status not in _BY_STATUS:
        raise UntranslatableError(f"SC without a known status; accepted: {', '.join(_BY_STATUS)}", common.where(5))
    return _BY_STATUS[status]
