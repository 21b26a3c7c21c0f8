"""Metrics in a registry of their own: what HTTP counts, and what the engine counts, asked for at each scrape.

Law: no label holds anything of a patient, and no family grows without bound: labels are those of `FAMILIES`, what looks
like no word of its label is `other`, and so is what comes after `MOST_MEMBERS` members of a family.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.intake.fhir.versions import R4_TYPES
from streams.node.http.reads import Sample
from streams.node.port import Channel

Kind = Literal["counter", "gauge"]
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
MOST_MEMBERS: Final = 2_000
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:/#|^-]{0,127}|")
_LONGEST_NAME: Final = 128
_OUTCOME: Final = re.compile(r"(?:[a-z][a-z_]{0,63}(?: [a-z_]{1,63})?)?")
_WHAT: Final = re.compile(
    r"[a-z][a-z0-9_]{0,63}"  # a word of ours
    r"|(?:OBX|ORC|MSH)-[0-9]{1,2} [A-Z]{1,2}"  # a field and the code in it
    r"|[A-Z][A-Z0-9]{2}|[A-Z]{3}\^[A-Z][A-Z0-9]{2}"  # a segment; a message's type and trigger: a feed writes them
    r"|GET|HEAD|DELETE|PATCH"
)
_WHAT_PHRASES: Final = frozenset(
    {
        "merge into itself",
        "pregnancy undecided",
        "order of another service",
        "appointment of another service",
        "entry without resource",
    }
)
_OF_A_RESOURCE: Final = re.compile(r"[A-Za-z-]{0,32}")
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

FAMILIES: Final[dict[str, tuple[Kind, tuple[str, ...], str]]] = {
    "trabecula_events_total": ("counter", ("channel", "kind", "outcome"), "Events by what became of them."),
    "trabecula_notices_total": ("counter", ("rule", "transition", "severity", "mode"), "Notices."),
    "trabecula_alerts_open": ("gauge", ("severity", "state"), "Alerts that stand."),
    "trabecula_deliveries_total": ("counter", ("receiver", "outcome"), "Deliveries of notices."),
    "trabecula_dead_letters_total": ("counter", ("reason",), "Messages that could not be taken, kept raw."),
    "trabecula_unmapped_codes_total": ("counter", ("system",), "Codes that are in no table."),
    "trabecula_messages_total": ("counter", ("channel", "format", "outcome"), "Messages by what became of them."),
    "trabecula_ignored_total": ("counter", ("what",), "Messages, segments and resources that matter to nobody."),
    "trabecula_noticed_total": ("counter", ("what",), "Oddities of messages that were taken all the same."),
    "trabecula_undecided_total": ("counter", ("why",), "Charts that the rules failed on."),
    "trabecula_feed_silence_seconds": ("gauge", ("source",), "Time since a feed's last message."),
    "trabecula_patients": ("gauge", (), "Charts."),
    "trabecula_rulepack_info": ("gauge", ("version", "sha256"), "The rule pack in force."),
    "trabecula_rule_last_notice_timestamp_seconds": (
        "gauge",
        ("rule",),
        "When a rule last made a notice, since 1970; 0: never.",
    ),
}
"""The families that the engine counts, the contract's and a few more: type, labels, help."""


class Metrics:
    """The registry and what HTTP itself counts; `registry` may have families of the engine as well."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._acknowledge = Histogram(
            "trabecula_acknowledge_seconds",
            "From a message's arrival to its being durable.",
            ("channel",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._requests = Counter(
            "trabecula_http_requests", "Requests by route.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "trabecula_http_request_seconds",
            "From a request's head to the end of its answer; streams are not counted.",
            ("route",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._streams = Gauge("trabecula_http_streams", "Readers of notices.", registry=self.registry)

    def acknowledged(self, channel: Channel, seconds: float) -> None:
        """A message was durable after so long."""
        self._acknowledge.labels(channel).observe(seconds)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def streaming(self, count: int) -> None:
        """So many read notices."""
        self._streams.set(count)

    def asks(self, samples: Callable[[], Iterable[Sample]]) -> None:
        """Ask for the engine's samples at each scrape."""
        self.registry.register(_Asked(samples))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


class _Asked(Collector):
    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def describe(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        return [_family(name) for name in FAMILIES]

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        members: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in FAMILIES}
        for sample in self._samples():
            found = members.get(sample.family)
            if found is None:
                continue
            labels = tuple(_word(name, sample.labels.get(name, "")) for name in FAMILIES[sample.family][1])
            if labels not in found and len(found) >= MOST_MEMBERS:
                labels = ("other",) * len(labels)
            found[labels] = _together(sample, found.get(labels))
        for name, values in members.items():
            family = _family(name)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    kind, labels, words = FAMILIES[name]
    made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    return made(name, words, labels=labels)


def _together(sample: Sample, before: float | None) -> float:
    """Counts of one member add up; of several gauges the largest is shown: the longest silence."""
    if before is None:
        return sample.value
    return before + sample.value if FAMILIES[sample.family][0] == "counter" else max(before, sample.value)


def _word(label: str, value: str) -> str:
    return value if _KNOWN.get(label, _is_word)(value) else "other"


def _is_word(value: str) -> bool:
    return _WORD.fullmatch(value) is not None


def _is_name(value: str) -> bool:
    """A feed's name, of settings or MSH-3 and MSH-4, in any script; what begins with a digit may be a number."""
    return value[:1].isalpha() and value.isprintable() and len(value) <= _LONGEST_NAME


def _is_what(value: str) -> bool:
    kind, _, more = value.partition(" ")
    of_a_resource = kind in R4_TYPES and _OF_A_RESOURCE.fullmatch(more)
    return value in _WHAT_PHRASES or bool(of_a_resource or _WHAT.fullmatch(value))


_KNOWN: Final[dict[str, Callable[[str], bool]]] = {
    "source": _is_name,
    "what": _is_what,
    "outcome": lambda value: _OUTCOME.fullmatch(value) is not None,
    "version": lambda _: True,
    "sha256": lambda _: True,
}
"""What may stand in a label; in any other, what looks like a word."""
