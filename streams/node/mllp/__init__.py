"""MLLP in: HL7 v2 messages over TCP or TLS, each acknowledged once it is durable."""

from streams.node.mllp.framing import Block, BrokenOff, Framer, Oversize
from streams.node.mllp.server import MllpServer, serve_mllp
from streams.node.mllp.settings import Counted, Counts, MllpSettings, TlsSettings, Uncounted
from streams.node.mllp.tls import client_name, tls_context

__all__ = [
    "Block",
    "BrokenOff",
    "Counted",
    "Counts",
    "Framer",
    "MllpServer",
    "MllpSettings",
    "Oversize",
    "TlsSettings",
    "Uncounted",
    "client_name",
    "serve_mllp",
    "tls_context",
]
