"""kill -9 at random moments under mixed load: nothing acknowledged is lost, nothing is told wrongly, nothing untold.

Every campaign has a data folder of its own, so that workers share them. TRABECULA_TEST_KILLS asks for more kills of
each; `python -m tests.node.kill --kills 1000` is the same by hand.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.node.kill import Campaign

CAMPAIGNS: Final = 4
KILLS: Final = int(os.environ.get("TRABECULA_TEST_KILLS", "13"))


@pytest.mark.parametrize("seed", range(CAMPAIGNS))
def test_after_many_kills_messages_charts_alerts_and_notices_are_what_was_sent(tmp_path: Path, seed: int) -> None:
    found = Campaign(tmp_path, seed, KILLS).run()
    print(f"\n{found}")
    assert found.kills == KILLS
    assert found.broken > KILLS
    assert not found.became.keys() - {"AA", "accepted", "duplicate", "200 OK"}
    assert found.proof is not None
    assert found.proof.standing > KILLS
    assert found.proof.notices > KILLS
