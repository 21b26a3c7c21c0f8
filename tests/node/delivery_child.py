"""A node that puts notices into its outbox and delivers them until it is killed: FOLDER URL FILE NOTICES."""

import asyncio
import sys
from pathlib import Path

from alerting.delivery.settings import DeliverySettings
from streams.node.delivery import Delivery
from tests.delivery.receiving import AT, file, notice, webhook
from tests.node.engine_clinic import Node
from tests.node.test_delivery import UTC_ZONE, put, until

ALERTS = 9


async def deliver(folder: Path, url: str, out: Path, notices: int) -> None:
    """Go on from where the outbox ends; say so when everything was delivered."""
    made = Node(folder, AT)
    receivers = (webhook(url, retry_after=0.01), file(out))
    delivery = Delivery(DeliverySettings(receivers=receivers), made.store, made.engine, UTC_ZONE, clock=made.clock)
    await delivery.start()
    first = len(made.reading.notices(0, 1_000))
    for number in range(first, first + notices):
        one = notice(number // ALERTS + 1, alert=f"A{number % ALERTS}")
        put(made, [one])
        await asyncio.sleep(0.002)
    await until(lambda: not any(status.waiting for status in delivery.status()))
    await delivery.close()
    made.close()
    sys.stdout.write("delivered\n")


if __name__ == "__main__":
    asyncio.run(deliver(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
