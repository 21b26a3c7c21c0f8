"""kill -9 at random moments under mixed load: nothing acknowledged is lost, nothing is told wrongly, nothing untold.

Every campaign has a data folder of its own, so that workers share them. TRABECULA_TEST_KILLS asks for more kills of
each; `python -m tests.node.kill --kills 1000` is the same by hand.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.node.kill import Kills

CAMPAIGNS: Final = 4
KILLS: Final = int(os.environ.get("TRABECULA_TEST_KILLS", "13"))


@pytest.mark.parametrize("seed", range(CAMPAIGNS))
def test_after_many_kills_messages_charts_alerts_and_notices_are_what_was_sent(tmp_path: Path, seed: int) -> None:
    campaign = Kills(tmp_path, seed, KILLS)
    outcome = campaign.run()
    print(f"\n{campaign.done} kills ({campaign}); {outcome}")
    assert campaign.done == KILLS
    assert outcome.broken > KILLS
    assert not outcome.became.keys() - {"AA", "accepted", "duplicate", "200 OK"}
    assert outcome.proof.standing > KILLS
    assert outcome.proof.notices > KILLS
