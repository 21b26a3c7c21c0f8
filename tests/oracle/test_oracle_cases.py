"""The published cases, decided by the second reading: every expected rule on its day, and nothing that is forbidden."""

import importlib.util
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from .standing import standing

CLINICAL = Path(__file__).resolve().parents[3] / "shared" / "clinical"
DAY_ZERO = date(2025, 1, 6)
ZONE = ZoneInfo("UTC")


def _cases() -> list[dict[str, Any]]:
    path = CLINICAL / "cases.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _events(case: dict[str, Any]) -> list[dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("case_events", CLINICAL / "case_events.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    events: list[dict[str, Any]] = module.events(case)
    return events


def _begins(case: dict[str, Any]) -> dict[str, set[int]]:
    """Every rule that stands on one of many days, with the days of its `effective_at`."""
    events = _events(case)
    found: dict[str, set[int]] = {}
    for day in sorted({*range(0, 720, 12), *(day for _, day in case["expect"])}):
        at = datetime.combine(DAY_ZERO + timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=23)
        known = [e for e in events if datetime.fromisoformat(e["recorded_at"]) <= at]
        for _, rule, _, _, effective_at, _ in standing(known, at, ZONE):
            found.setdefault(rule, set()).add((effective_at.date() - DAY_ZERO).days)
    return found


@pytest.mark.skipif(not CLINICAL.exists(), reason="the published cases lie beside the project, at ../shared")
@pytest.mark.parametrize("case", _cases(), ids=lambda case: str(case["id"]))
def test_a_published_case_raises_what_is_expected_on_its_day_and_nothing_forbidden(case: dict[str, Any]) -> None:
    found = _begins(case)
    assert {(rule, day) for rule, day in case["expect"]} <= {(r, d) for r, days in found.items() for d in days}
    assert not set(case["must_not_fire"]) & set(found)
