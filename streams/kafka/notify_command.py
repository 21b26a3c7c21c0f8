"""`trabecula notify` as it is asked for: settings in, what an operator can put right as one line out."""

from pathlib import Path

from alerting.delivery.settings import DeliverySettings
from streams.kafka.connection import connection_of
from streams.kafka.notify import Options, notify
from streams.kafka.process import announce, run
from streams.node.delivery_file import load_receivers
from streams.node.serve import until_signalled
from streams.settings import Asked, Settings, SettingsError
from streams.settings_kafka import KafkaSettings
from streams.settings_node import LogSettings, NodeSettings


def run_notify(asked: Asked) -> None:
    """Run it to its end.

    Errors: SettingsError; typer.Exit.
    """
    node = asked.load(NodeSettings)
    options = Options(
        connection_of(asked.load(KafkaSettings)),
        node.data,
        node.http,
        asked.load(Settings).site.time_zone,
        _receivers(node.receivers),
    )
    run(notify(options, announce, until_signalled), asked.load(LogSettings))


def _receivers(path: Path | None) -> DeliverySettings:
    if path is None:
        raise SettingsError("setting receivers: who is to be told? Name a file of receivers by --receivers")
    return load_receivers(path)
