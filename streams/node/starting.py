"""From the settings of a node to what it is started with."""

from datetime import timedelta

from alerting.delivery.settings import DeliverySettings
from streams.node.access_settings import AccessSettings
from streams.node.delivery_file import load_receivers
from streams.node.engine import Limits
from streams.node.mllp import TlsSettings
from streams.node.serve import Listen
from streams.settings_node import NodeSettings


def listen_of(node: NodeSettings, access: AccessSettings) -> Listen:
    """Where a node listens, who may come in, whom it tells, and how much it takes.

    Errors: SettingsError where the file of receivers cannot be used.
    """
    return Listen(
        node.http,
        node.mllp,
        access,
        certificate=node.http_certificate,
        private_key=node.http_key,
        mllp_tls=tls_of(node),
        mllp_clients=frozenset(node.mllp_client),
        delivery=DeliverySettings() if node.receivers is None else load_receivers(node.receivers),
        limits=limits_of(node),
    )


def tls_of(node: NodeSettings) -> TlsSettings | None:
    """The certificates of MLLP; None: it is spoken in the clear."""
    if node.mllp_certificate is None or node.mllp_key is None:
        return None
    return TlsSettings(node.mllp_certificate, node.mllp_key, node.mllp_authority)


def limits_of(node: NodeSettings) -> Limits:
    """How much the engine takes, holds and keeps."""
    return Limits(
        waiting=node.most_waiting,
        waiting_bytes=node.most_waiting_bytes,
        together=node.most_together,
        charts_in_memory=node.charts_in_memory or Limits().charts_in_memory,
        keep_raw=None if node.keep_raw_days is None else timedelta(days=node.keep_raw_days),
    )
