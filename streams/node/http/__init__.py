"""HTTP in and out: events, FHIR and HL7 v2; alerts, patients and notices; pages, metrics and probes."""

from streams.node.http.app import app
from streams.node.http.metrics import Metrics
from streams.node.http.reads import Numbered, Readiness, Reads, Sample, Slice, Wanted
from streams.node.http.server import HttpServer
from streams.node.http.settings import HttpSettings

__all__ = [
    "HttpServer",
    "HttpSettings",
    "Metrics",
    "Numbered",
    "Readiness",
    "Reads",
    "Sample",
    "Slice",
    "Wanted",
    "app",
]
