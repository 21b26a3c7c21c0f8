"""An alert as a card of CDS Hooks.

Topic: a card interrupts whoever opens a chart. So it is shown of what stands unanswered and is more than `info`; it
asks for a review, offers no action, and what it rests on can be looked up.
Source: https://cds-hooks.hl7.org/2.0/#card-attributes
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from schemas.alerts import Alert, EvidenceItem, LimitItem
from schemas.intervals import Severity
from schemas.rulepack import FLAGS

INDICATOR: Final[Mapping[Severity, str]] = {"critical": "critical", "warning": "warning", "advisory": "info"}
"""What is `info` here is recorded and shown, and told to nobody who did not ask."""
LONGEST_SUMMARY: Final = 139
RULE: Final = "urn:trabecula:rule"
REASON: Final = "urn:trabecula:override-reason"
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()<>#|~!&])")
_BLANK: Final = re.compile(r"\s+")
Json = dict[str, Any]


def interrupts(alert: Alert) -> bool:
    """It is shown as a card: live, unanswered, and more than `info`."""
    return alert.mode == "live" and alert.state == "open" and alert.severity in INDICATOR


def card_id(alert_id: str) -> str:
    """The card of an alert: the same id, as a UUID."""
    return str(UUID(alert_id))


def alert_of_card(card: str) -> str | None:
    """The alert of a card; None if no card of ours has this id."""
    try:
        return UUID(card).hex
    except ValueError:
        return None


def card(alert: Alert, address: str, reasons: Sequence[str]) -> Json:
    """The card of an alert. `address`: of the service, for links; `reasons`: why somebody may override it."""
    return {
        "uuid": card_id(alert.alert_id),
        "summary": _summary(alert),
        "indicator": INDICATOR[alert.severity],
        "detail": "\n".join(_detail(alert)),
        "source": {
            "label": f"Trabecula, rule {alert.rule_id}, rule pack {alert.rulepack.version}",
            "url": f"{address}/docs",
            "topic": {"system": RULE, "code": alert.rule_id, "display": alert.title},
        },
        "overrideReasons": [{"system": REASON, "code": each, "display": each.replace("_", " ")} for each in reasons],
        "links": [
            {
                "label": "The alert, its records and history",
                "url": f"{address}/alerts/{alert.alert_id}",
                "type": "absolute",
            }
        ],
    }


def _summary(alert: Alert) -> str:
    """The sentence if it is short enough, else the title."""
    said = next((each for each in (alert.sentence, alert.title) if len(each) <= LONGEST_SUMMARY), alert.title)
    return said if len(said) <= LONGEST_SUMMARY else f"{said[: LONGEST_SUMMARY - 1]}…"


# ---- the detail, in Markdown


def _detail(alert: Alert) -> Iterator[str]:
    yield plain(alert.sentence)
    yield ""
    yield f"Since {alert.effective_at.isoformat(sep=' ', timespec='minutes')}, {alert.severity}."
    for heading, lines in (
        ("What it rests on", [_evidence(each) for each in alert.evidence]),
        ("Limits", [_limit(each) for each in alert.limits]),
        ("Not known", [plain(each) for each in alert.open_questions]),
    ):
        if lines:
            yield from ("", f"**{heading}**", "", *(f"- {line}" for line in lines))


def _evidence(item: EvidenceItem) -> str:
    value = None if item.value is None else plain(f"{item.value} {item.unit or ''}".strip())
    days = " to ".join(at.date().isoformat() for at in (item.begins, item.ends) if at is not None)
    record = plain(f"record {item.record_id}") if item.record_id else None
    said = ", ".join(filter(None, (value, days, record)))
    return f"{plain(item.what)}: {said}" if said else plain(item.what)


def _limit(limit: LimitItem) -> str:
    why = f"; changed here: {plain(limit.reason)}" if limit.reason else ""
    flag = f"{limit.flag}: {FLAGS[limit.flag]}" if limit.flag in FLAGS else limit.flag
    return f"{plain(limit.name)}: {limit.value} {plain(limit.unit)} ({plain(limit.citation)}; {plain(flag)}{why})"


def plain(words: str) -> str:
    """Words that mean nothing in Markdown or HTML, on one line: some of them came in a message."""
    return _MARKUP.sub(r"\\\1", _BLANK.sub(" ", words).strip())
