"""What the feeds of a hospital send while its node is killed, and senders that resend until they are answered.

Topic: a sender sends in order; what was not acknowledged when the connection broke it sends again after the next start,
as real ones do. It notes what was acknowledged, and how.
"""

import http.client
import json
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, Literal

from schemas.wire import encode
from streams.intake.hl7v2 import split_hl7v2
from streams.simulate import fhir, hl7v2, native
from streams.simulate.codes import CALCIUM, HEPARIN
from streams.simulate.diagnostics import single
from streams.simulate.messages import Message
from streams.simulate.options import Imperfections, Options
from streams.simulate.population import Population

Way = Literal["events", "fhir", "mllp", "hl7v2"]
WAYS: Final[tuple[Way, ...]] = ("events", "fhir", "mllp", "hl7v2")
CONNECTIONS: Final = 2
"""Of each way."""
PATIENCE: Final = 20.0
WRONG: Final = Imperfections(late=0.1, duplicated=0.1, corrected=0.1, cancelled=0.1, merged=0.2, unmerged=0.2)
ACKNOWLEDGED: Final = frozenset({"AA", "accepted", "duplicate", "200 OK"})
_DAYS: Final = 200
_MSA: Final = re.compile(rb"MSA\|(A[AER])\|([^|\r]*)")


@dataclass(frozen=True, slots=True)
class Payload:
    """One thing that is sent and answered: a body, or several MLLP messages in one write."""

    way: Way
    raws: tuple[bytes, ...]
    """The messages that the node keeps: lines, Bundles, HL7 v2 messages."""
    path: str = ""
    kind: str = ""
    body: bytes = b""


# ---- what is sent


def feeds(seed: int, patients: int, ends: date) -> list[list[Payload]]:
    """What each sender sends of the days until one. A patient is of one sender, as she would be of one system."""
    start = ends - timedelta(days=_DAYS)
    options = Options(
        seed=seed, patients=patients, start=start, days=_DAYS, run_in=100, enrich=3_000, imperfections=WRONG
    )
    population = Population(options)
    live_from = population.days.at(options.first)
    by_sender: list[list[Message]] = [[] for _ in range(len(WAYS) * CONNECTIONS)]
    ill: set[str] = set()
    for one in population.messages():
        ours = by_sender[_number(one.message) % len(by_sender)]
        ours.append(one.message)
        if one.message.person.number not in ill:
            ill.add(one.message.person.number)
            ours += _grave(one.message)
    rng = random.Random(seed)
    says: dict[Way, Callable[[Message], Any]] = {
        "events": lambda message: native.lines(message, live_from).splitlines(),
        "fhir": fhir.resources,
        "mllp": hl7v2.text,
        "hl7v2": hl7v2.text,
    }
    made = []
    for nth, messages in enumerate(by_sender):
        way = WAYS[nth % len(WAYS)]
        said = [found for message in messages if (found := says[way](message))]
        made.append([_PAYLOADS[way](rng, some) for some in _some(rng, said)])
    return made


def _grave(first: Message) -> Iterator[Message]:
    """What makes alerts, which a simulated hospital has few of: heparin without an end, and a critical calcium.

    Of every second patient the calcium was a mistake, which is corrected: the alert is taken back.
    """
    number, person = _number(first), first.person
    drug, hour = HEPARIN, timedelta(hours=1)
    order: dict[str, Any] = {
        "kind": "prescription",
        "record_id": f"G{person.number}",
        "placer_order": f"G{person.number}",
        "drug": drug.coded,
        "status": "active",
        "dose": {"value": 10_000, "unit": drug.unit},
        "doses_per_day": 2,
        "route": drug.route,
        "starts_at": first.at,
    }
    yield Message(first.at, "RDE^O11", "PHARMACY", person, (order,), f"{person.number}.G1")
    result = single(f"G{person.number}", first.at, CALCIUM, 14.2)
    yield Message(first.at + hour, "ORU^R01", "LAB", person, (result,), f"{person.number}.G2")
    if number % 2:
        right = {**result, "value": 9.4, "status": "corrected"}
        yield Message(first.at + 2 * hour, "ORU^R01", "LAB", person, (right,), f"{person.number}.G3")


def _number(message: Message) -> int:
    """The patient behind a number, also a temporary one or that of the stranger mixed up with her."""
    return int(re.sub(r"\D", "", message.person.number))


def _some(rng: random.Random, said: Sequence[Any]) -> Iterator[list[Any]]:
    """Now one message, now a few together."""
    at = 0
    while at < len(said):
        count = rng.choice((1, 1, 1, 2, 4))
        yield list(said[at : at + count])
        at += count


def _events(rng: random.Random, said: list[list[bytes]]) -> Payload:
    lines = tuple(line for each in said for line in each)
    if rng.random() < 0.5:
        return Payload("events", lines, "/v1/events", "application/x-ndjson", b"\n".join(lines))
    return Payload("events", lines, "/v1/events", "application/json", b"[" + b",".join(lines) + b"]")


def _bundle(rng: random.Random, said: list[list[fhir.Resource]]) -> Payload:
    """A collection, a batch, or a transaction, which says one thing of each resource."""
    resources = [resource for each in said for resource in each]
    names = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    kind = rng.choice(("collection", "batch", "transaction") if len(set(names)) == len(names) else ("collection",))
    asked = zip(names, resources, strict=True)
    if kind == "collection":
        entries = [{"resource": resource} for resource in resources]
    else:
        entries = [{"resource": each, "request": {"method": "PUT", "url": name}} for name, each in asked]
    raw = encode({"resourceType": "Bundle", "type": kind, "entry": entries})
    return Payload("fhir", (raw,), "/fhir", "application/fhir+json", raw)


def _blocks(_rng: random.Random, said: list[bytes]) -> Payload:
    messages = tuple(each.strip(b"\r\n") + b"\r" for each in said)
    return Payload("mllp", messages, body=b"".join(b"\x0b" + each + b"\x1c\r" for each in messages))


def _hl7v2(_rng: random.Random, said: list[bytes]) -> Payload:
    body = b"\r\n".join(each.strip(b"\r\n") for each in said) + b"\r\n"
    return Payload("hl7v2", tuple(split_hl7v2(body)), "/hl7v2", "application/hl7-v2", body)


_PAYLOADS: Final[dict[Way, Callable[[random.Random, list[Any]], Payload]]] = {
    "events": _events,
    "fhir": _bundle,
    "mllp": _blocks,
    "hl7v2": _hl7v2,
}


# ---- who sends


class Ward:
    """Where the node is now, and what was acknowledged so far; shared by the senders and whoever kills."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._addresses: dict[str, str] | None = None
        self.acknowledged: list[bytes] = []
        self.became: Counter[str] = Counter()
        self.broken = 0
        self.over = False

    def node_is(self, addresses: dict[str, str] | None) -> None:
        """The node has started at some addresses, or is gone."""
        with self._change:
            self._addresses = addresses
            self._change.notify_all()

    def stop(self) -> None:
        """Let the senders end."""
        with self._change:
            self.over = True
            self._change.notify_all()

    def address(self, which: str) -> tuple[str, int] | None:
        """Where to send, once there is somewhere; None when it is over."""
        with self._change:
            self._change.wait_for(lambda: self.over or self._addresses is not None)
            if self.over or self._addresses is None:
                return None
            host, _, port = self._addresses[which].rpartition(":")
            return host, int(port)

    def heard(self, answered: Sequence[tuple[bytes, str]]) -> None:
        """Messages were acknowledged."""
        with self._change:
            self.acknowledged += [raw for raw, _ in answered]
            self.became.update(how for _, how in answered)
            self._change.notify_all()

    def broke(self) -> None:
        """A connection broke."""
        with self._change:
            self.broken += 1

    def wait_for(self, acknowledged: int, senders: "Sequence[Sender]") -> bool:
        """Wait until so many messages are acknowledged; False if nothing more will be."""
        with self._change:
            found = self._change.wait_for(
                lambda: len(self.acknowledged) >= acknowledged or all(each.done for each in senders), PATIENCE
            )
        assert found, f"no more than {len(self.acknowledged)} messages acknowledged in {PATIENCE:g} s"
        return len(self.acknowledged) >= acknowledged


class NotTakenError(Exception):
    """The answer was no acknowledgement: the same is sent again."""


@dataclass
class Sender:
    """One connection's worth of payloads, each sent until it is acknowledged."""

    ward: Ward
    payloads: list[Payload]
    done: bool = False
    failed: str | None = None
    _thread: threading.Thread = field(init=False)

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until everything was acknowledged.

        Errors: AssertionError where the sender failed.
        """
        self._thread.join(3 * PATIENCE)
        assert self.done, self.failed or "a sender did not come to its end"

    def _run(self) -> None:
        try:
            waiting = list(reversed(self.payloads))
            while waiting and not self.ward.over:
                self._connected(waiting)
            self.done = not waiting
        except BaseException as error:
            self.failed = repr(error)
            raise
        finally:
            self.ward.heard(())

    def _connected(self, waiting: list[Payload]) -> None:
        """Send over one connection until it breaks or everything is acknowledged."""
        over_mllp = self.payloads[0].way == "mllp"
        address = self.ward.address("mllp" if over_mllp else "http")
        if address is None:
            return
        line: Line = MllpLine(address) if over_mllp else HttpLine(address)
        try:
            while waiting:
                self.ward.heard(line.send(waiting[-1]))
                waiting.pop()
        except (OSError, http.client.HTTPException, NotTakenError):
            self.ward.broke()
            time.sleep(0.02)
        finally:
            line.close()


class MllpLine:
    """A connection over MLLP."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def send(self, payload: Payload) -> list[tuple[bytes, str]]:
        """Send messages in one write and read as many answers.

        Errors: OSError, NotTakenError.
        """
        self._socket = self._socket or socket.create_connection(self._address, PATIENCE)
        self._socket.sendall(payload.body)
        read = b""
        while read.count(b"\x1c\r") < len(payload.raws):
            more = self._socket.recv(65_536)
            if not more:
                raise NotTakenError
            read += more
        answers = [(code.decode(), control) for code, control in _MSA.findall(read)]
        assert [control for _, control in answers] == [raw.split(b"|", 10)[9] for raw in payload.raws]
        if any(code == "AE" for code, _ in answers):
            raise NotTakenError
        return [(raw, code) for raw, (code, _) in zip(payload.raws, answers, strict=True)]

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()


class HttpLine:
    """A connection over HTTP."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=PATIENCE)

    def send(self, payload: Payload) -> list[tuple[bytes, str]]:
        """Send a body and read what became of each of its messages.

        Errors: OSError, HTTPException, NotTakenError.
        """
        self._connection.request("POST", payload.path, payload.body, {"Content-Type": payload.kind})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status in (429, 503):
            raise NotTakenError
        became = _became(payload.way, answer.status, said)
        if len(became) != len(payload.raws):
            raise AssertionError(f"{answer.status}: {len(payload.raws)} messages, {len(became)} answers")
        return list(zip(payload.raws, became, strict=True))

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


Line = MllpLine | HttpLine


def _became(way: Way, status: int, said: bytes) -> list[str]:
    """What an answer says of each message."""
    if way == "hl7v2":
        return [code.decode() for code, _ in _MSA.findall(said)]
    told = json.loads(said)
    if way == "events":
        return [item["outcome"] for item in told["items"]]
    found = {entry["response"]["status"] for entry in told.get("entry", ())} - {"200 OK"}
    found |= {issue["severity"] for issue in told.get("issue", ())} - {"information"}
    return [" ".join(sorted(found)) if found or status != 200 else "200 OK"]


def by_way(payloads: Sequence[Sequence[Payload]]) -> dict[Way, list[bytes]]:
    """Every message of all senders, by how it is sent."""
    everything = sorted((p for some in payloads for p in some), key=lambda p: WAYS.index(p.way))
    return {way: [raw for p in some for raw in p.raws] for way, some in groupby(everything, key=lambda p: p.way)}
