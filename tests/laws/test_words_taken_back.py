"""A later word about a patient takes an earlier one back; an event_id used twice is counted."""

from schemas.events import EVENT, AnyEvent
from streams.replay import Replay
from streams.ward import MemoryCharts, Ward
from tests.events import heparin, lab, pregnancy
from tests.support import on
from tests.wards import monitor, told


def _patient(event_id: str, recorded: float, **said: str) -> AnyEvent:
    """A word about the patient that names no record."""
    common = {"event_id": event_id, "kind": "patient", "patient_id": "P", "source": "feed"}
    return EVENT.validate_python({**common, "recorded_at": on(recorded).isoformat(), **said})


def test_a_death_said_by_mistake_is_taken_back_by_a_later_word_without_one() -> None:
    woman = (pregnancy(30), heparin(40, starts=40))
    died = _patient("p-1", 80, deceased_at=on(60).isoformat())
    lives = _patient("p-2", 81, birth_date="1994-05-06")
    assert "HEP-02" not in told((*woman, died), 100).standing()
    assert "HEP-02" in told((*woman, died, lives), 100).standing()
    assert died.record_id == lives.record_id == "patient/P"


def test_an_event_id_used_again_with_other_content_is_counted_and_taken_as_a_message_of_its_own() -> None:
    first = lab(30, "41171-0", 0.5, "ng/mL", record="a", event_id="e-1")
    again = lab(31, "41171-0", 0.6, "ng/mL", record="a", event_id="e-1")
    elsewhere = lab(32, "41171-0", 0.6, "ng/mL", record="a", event_id="e-1", source="clinic")
    ward = Ward(monitor(), MemoryCharts())
    assert list(Replay(ward, on(40)).run([first, again, elsewhere])) == []
    assert ward.counts["event_id_reused"] == 1
    assert ward.counts["accepted"] == 3
