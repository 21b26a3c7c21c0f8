"""Whole synthetic women whom nobody here wrote: nothing of warning or above without a finding a clinician accepts."""

from pathlib import Path

import pytest

from schemas.wire import decode
from streams.intake.fhir import translate_fhir
from streams.intake.site import MemoryDirectory, Site
from streams.replay import Replay
from streams.ward import MemoryCharts, Ward
from tests.events import recorded
from tests.support import on, tables
from tests.wards import monitor

FOLDER = Path(__file__).parents[3] / "shared" / "fixtures" / "synthea-pregnant"
WOMEN = sorted(FOLDER.glob("*.json"))


@pytest.mark.skipif(not WOMEN, reason=f"third-party women are not at {FOLDER}")
@pytest.mark.parametrize("path", WOMEN or [FOLDER], ids=lambda p: p.stem[:8])
def test_a_synthetic_woman_raises_only_that_her_pregnancies_are_undated(path: Path) -> None:
    """Synthea dates no pregnancy; that is asked (DQ-01), as info, and delivered to nobody."""
    found = translate_fhir(decode(path.read_bytes()), site=Site(), tables=tables(), directory=MemoryDirectory())
    replay = Replay(Ward(monitor(), MemoryCharts()), on(3650))
    notices = list(replay.run(sorted(found.events, key=recorded)))
    assert {n.rule_id for n in notices} == {"DQ-01"}
    assert {n.severity for n in notices} == {"info"}
    kinds = {e.kind for e in found.events}
    assert {"pregnancy", "patient", "encounter"} <= kinds
