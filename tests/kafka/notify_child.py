"""Notify with a session that is soon over: `python -m tests.kafka.notify_child BOOTSTRAP PREFIX DATA URL`."""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from alerting.delivery.settings import DeliverySettings
from streams.kafka.connection import Connection
from streams.kafka.notify import Options, notify
from streams.kafka.process import announce, run
from streams.node.serve import until_signalled
from streams.settings_node import LogSettings
from tests.delivery.receiving import webhook


def main(bootstrap: str, prefix: str, data: str, url: str) -> None:
    delivery = DeliverySettings(receivers=(webhook(url),))
    options = Options(Connection(bootstrap, prefix), Path(data), "127.0.0.1:0", ZoneInfo("UTC"), delivery, session=2.0)
    run(notify(options, announce, until_signalled), LogSettings())


if __name__ == "__main__":
    main(*sys.argv[1:])
