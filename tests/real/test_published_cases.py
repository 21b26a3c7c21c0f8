"""Published cases and negative controls, as somebody else wrote them: each rule on its exact day, none forbidden."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT
from schemas.wire import decode
from tests.support import days_from_zero
from tests.wards import told

FOLDER = Path(__file__).parents[3] / "shared" / "clinical"
WRITER = FOLDER / "case_events.py"
pytestmark = pytest.mark.skipif(not WRITER.exists(), reason=f"the cases are not at {FOLDER}")


@cache
def cases() -> dict[str, dict[str, Any]]:
    """The cases by id."""
    path = FOLDER / "cases.jsonl"
    found = map(json.loads, path.read_text("utf-8").splitlines()) if path.exists() else ()
    return {case["id"]: case for case in found}


@pytest.mark.parametrize("name", sorted(cases()))
def test_a_case_raises_what_it_expects_on_its_day_and_nothing_that_it_forbids(name: str) -> None:
    written = subprocess.run([sys.executable, str(WRITER), name], capture_output=True, check=True, timeout=60).stdout
    events = [EVENT.validate_python(decode(line)) for line in written.splitlines()]
    raised: dict[str, set[int]] = {}
    for notice in told(events, 900).notices:
        if notice.transition in {"raised", "reopened"}:
            raised.setdefault(notice.rule_id, set()).add(int(days_from_zero(notice.effective_at)))
    case = cases()[name]
    missing = [(rule, day) for rule, day in case["expect"] if day not in raised.get(rule, set())]
    assert missing == []
    assert raised.keys() & set(case["must_not_fire"]) == set()
