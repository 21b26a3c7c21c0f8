"""What a patient is called, for those who may see it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.values import instant

_RANKS: Final = {"entered_in_error": 2, "cancelled": 1, "active": 0}


def name_of(told: Iterable[Mapping[str, Any]]) -> str | None:
    """The name of the latest `patient` event that has one.

    Law: of each record its latest version alone counts, and none that was taken back.
    """
    versions: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in sorted(told, key=_place, reverse=True):
        versions.setdefault((each["source"], each["record_id"]), each)
    return next((e["name"] for e in versions.values() if e["record_status"] == "active" and e.get("name")), None)


def _place(told: Mapping[str, Any]) -> tuple[datetime, int, str]:
    return instant(told["recorded_at"]), _RANKS[told["record_status"]], told["event_id"]
