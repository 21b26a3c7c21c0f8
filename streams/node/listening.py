"""Where a process listens for messages: addresses, and the MLLP listener with what it counts."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from streams.node.access import is_loopback
from streams.node.mllp import MllpServer, MllpSettings, TlsSettings, serve_mllp, tls_context
from streams.node.mllp.settings import Counted
from streams.node.port import Receiver
from streams.node.reporting import Feeds


class AddressError(ValueError):
    """An address that cannot be listened on; the message says what would be accepted."""


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `HOST:PORT`; port 0 picks a free one.

    Errors: AddressError.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - the largest port there is
        raise AddressError(f"{address}: expected HOST:PORT, e.g. 127.0.0.1:8080 (port 0 picks a free one)")
    return host.strip("[]") or "127.0.0.1", int(port)


class MllpCounts:
    """What the MLLP listener counted, as a metric."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, what: Counted) -> None:
        """One more."""
        self.counts[what] += 1

    def collect(self) -> Iterator[Metric]:
        """The family of the listener (a prometheus_client collector)."""
        family = CounterMetricFamily("trabecula_mllp", "Messages and connections of MLLP.", labels=["outcome"])
        for what, n in sorted(self.counts.items()):
            family.add_metric([what], n)
        yield family


async def listen_mllp(
    receiver: Receiver,
    address: tuple[str, int],
    tls: TlsSettings | None,
    clients: frozenset[str],
    counts: MllpCounts,
    feeds: Feeds,
) -> MllpServer:
    """Listen for HL7 v2 over MLLP.

    Errors: AddressError off loopback where nobody has to show a certificate; OSError.
    """
    host, port = address
    if not is_loopback(host) and not (tls and tls.client_authority and clients):
        raise AddressError(
            f"MLLP on {host} can be reached from other machines, and nobody is asked who they are: "
            "set --mllp-certificate, --mllp-key, --mllp-authority and --mllp-client, or listen on 127.0.0.1"
        )
    context = tls_context(tls, counts) if tls else None
    settings = MllpSettings(clients=clients)
    return await serve_mllp(receiver, host, port, settings, context, counts=counts, senders=feeds)


def address_of(server: MllpServer) -> str:
    """`HOST:PORT` in use."""
    host, port = server.address
    return f"{host}:{port}"
