"""What a demo says while it runs, on standard error: what goes in, what stands, and what is worth a look."""

import sys
import time
from collections import Counter
from datetime import datetime
from typing import Any, Final

from schemas.intervals import SEVERITIES
from schemas.wire import decode
from streams.node.demo_feeds import Feeds
from streams.node.http.words import day
from streams.node.store_reading import Reading

_SUMMED_EVERY: Final = 2.0
_SUMMED_LATER: Final = 60.0
_FORMS: Final = {"hl7v2": "HL7 v2", "fhir": "FHIR", "event": "events"}


def say(words: str) -> None:
    """Tell whoever looks on."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


class Onlooker:
    """Looks at a node from beside it, and says what it sees."""

    def __init__(self, http: str, feeds: Feeds, reading: Reading) -> None:
        self._at = f"http://{http}"
        self._feeds = feeds
        self._reading = reading
        self._summed = time.monotonic()
        self._seen = 0

    def begin(self, mllp: str) -> None:
        """What is going to happen."""
        say(f"An invented hospital sends its last months: HL7 v2 over MLLP ({mllp}), FHIR and events over HTTP.")
        say("Nobody in it is a real person; what is rare is far too frequent.")

    def passed(self, until: datetime) -> None:
        """So far the months are in."""
        if time.monotonic() - self._summed >= _SUMMED_EVERY:
            self._sum(day(until))

    def look(self) -> None:
        """What was told since the last look; now and then the sum of it."""
        for told in self._reading.notices(self._seen):
            self._seen = told.ordinal
            notice = decode(told.body)
            if notice["severity"] != SEVERITIES[0]:
                became = notice["transition"].replace("_", " ")
                say(f"{notice['severity']}, {became}: {notice['title']}  {self._page(notice)}")
        if time.monotonic() - self._summed >= _SUMMED_LATER:
            self._sum("now")

    def _page(self, of_alert: dict[str, Any]) -> str:
        return f"{self._at}/alerts/{of_alert['alert_id']}"

    def _sum(self, when: str) -> None:
        self._summed = time.monotonic()
        stands: Counter[str] = Counter()
        for severity, _, count in self._reading.alerts_open():
            stands[severity] += count
        alerts = ", ".join(f"{stands[each]} {each}" for each in SEVERITIES[::-1] if stands[each]) or "none"
        sent = sum(self._feeds.sent.values())
        refused = f", {self._feeds.refused} refused" if self._feeds.refused else ""
        say(f"{when}: {sent:,} messages{refused}, {self._reading.how_many_patients():,} patients; alerts: {alerts}")

    def suggest(self) -> None:
        """The months are in: what is worth a look."""
        self._sum("The months are in")
        self._seen = self._reading.last_ordinal()
        by_form = ", ".join(f"{_FORMS[form]} {count:,}" for form, count in sorted(self._feeds.sent.items()))
        urgent = self._reading.alerts(limit=1).items
        alert = self._page(urgent[0]) if urgent else f"{self._at}/alerts/ID"
        say(
            f"""({by_form})

Worth a look:
  {self._at}/  what stands, the most urgent first
  {alert}  what it rests on, the limits that decide, what is not known; answer it there
  {self._at}/docs  every address for programs
  curl -s '{self._at}/v1/alerts?severity=critical'
  curl -s -H 'Content-Type: application/json' -d '{{"action":"acknowledge"}}' \\
    {alert.replace("/alerts/", "/v1/alerts/")}/responses
  curl -s {self._at}/metrics | grep trabecula_alerts_open

Now its last week comes message by message, then the present. Ctrl-C stops the node.
"""
        )
