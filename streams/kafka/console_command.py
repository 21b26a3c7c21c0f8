"""`trabecula console` as it is asked for: settings in, what an operator can put right as one line out."""

from streams.kafka.connection import connection_of
from streams.kafka.console import Options, console
from streams.kafka.process import announce, run
from streams.node.access_settings import AccessSettings
from streams.node.serve import until_signalled
from streams.service import Service
from streams.settings import Asked, Settings
from streams.settings_kafka import KafkaSettings
from streams.settings_node import LogSettings, NodeSettings


def run_console(asked: Asked, *, rebuild: bool) -> None:
    """Run it to its end.

    Errors: SettingsError; typer.Exit.
    """
    node = asked.load(NodeSettings)
    options = Options(
        connection_of(asked.load(KafkaSettings)),
        node.data,
        node.http,
        asked.load(AccessSettings),
        node.http_certificate,
        node.http_key,
        rebuild,
    )
    service = Service(asked.load(Settings))
    run(console(service, options, announce, until_signalled), asked.load(LogSettings))
