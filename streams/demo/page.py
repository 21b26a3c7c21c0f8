"""The fortnight on a terminal: for each notice who is told what and why, and in the end what became of everything."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas.alerts import Alert, EvidenceItem, LimitItem, Notice
from schemas.events import AlertResponse, AnyEvent, PatientMerge
from schemas.intervals import SEVERITIES
from streams.demo.hospital import STARTS, Tally, Telling
from streams.demo.stories import STORY_OF

_STYLES: Final = {
    "critical": "bold white on red",
    "warning": "bold black on yellow",
    "advisory": "black on cyan",
    "info": "dim",
}
_STANDS: Final = frozenset({"raised", "reopened", "severity_raised", "severity_lowered"})
"""Transitions that say something new; of the others the sentence was told before."""
_MOST_EVIDENCE: Final = 3
_MOST_LIMITS: Final = 4
_WIDEST: Final = 110
_GROUPED_FROM: Final = 10_000  # as the sentences group digits
_INDENT: Final = 6


class Page:
    """Prints what is told, day by day."""

    def __init__(self, console: Console) -> None:
        self._console = console
        console.width = min(console.width, _WIDEST)
        self._day = ""
        self._notices: list[Notice] = []

    # ---- what is told

    def opening(self) -> None:
        """What this is, and what it is not."""
        self._console.print(Text("Trabecula: a fortnight of an invented hospital", "bold"))
        words = "It says that a published or chosen limit was crossed and asks for a review. It makes no diagnosis."
        self._console.print(Text(f"{words} Nobody here is a real person.", "dim"))

    def tell(self, telling: Telling) -> None:
        """One notice."""
        notice = telling.notice
        self._heading(notice)
        if notice.severity == "info":
            self._console.print(_recorded(notice), no_wrap=True, overflow="crop")
        else:
            self._console.print("", *self._story(notice), _head(notice), *self._body(telling), sep="\n")
        self._notices.append(notice)

    def _heading(self, notice: Notice) -> None:
        at = notice.decided_at
        day = f"{at:%A}, {_day(at)}" if at >= STARTS else "Told when a feed goes live: what stands from before"
        if day != self._day:
            self._day = day
            self._console.print("", Rule(Text(day, "bold"), align="left", style="dim"), sep="\n")

    def _story(self, notice: Notice) -> Iterator[RenderableType]:
        story = STORY_OF.get(notice.patient_id)
        told = {STORY_OF.get(n.patient_id) for n in self._notices if n.severity != "info"}
        if story is not None and story not in told:
            yield _indented(Text.assemble((f"{story.title}. ", "bold italic"), (story.tells, "italic")))

    def _body(self, telling: Telling) -> Iterator[RenderableType]:
        notice = telling.notice
        known = any(n.alert_id == notice.alert_id for n in self._notices)
        yield _indented(Text(notice.title, "bold"))
        if notice.transition in _STANDS or not known:
            yield _indented(Text(notice.sentence))
            yield _line("because", _because(telling))
            yield from _basis(notice)
        else:
            yield _line("because", _because(telling))

    # ---- what became of everything

    def closing(self, tally: Tally, standing: Iterable[Alert], seconds: float) -> None:
        """The summary."""
        self._console.print("", Rule(Text("The fortnight in numbers", "bold"), align="left", style="dim"), sep="\n")
        tables = (_messages(tally), _left(tally), _counted(self._notices), _standing(standing))
        for table in tables:
            self._console.print("", table, sep="\n")
        self._console.print("", *_told(self._notices), _taken(tally, seconds), sep="\n")


# ---- a notice


def _head(notice: Notice) -> Text:
    at = notice.decided_at
    return Text.assemble(
        f"{at:%H:%M} " if at >= STARTS else f"{_day(at)} ",
        (f" {notice.severity.upper()} ", _STYLES[notice.severity]),
        (f" {notice.transition.replace('_', ' ')}", "bold"),
        f"  {notice.rule_id}, patient {notice.patient_id}  ",
        ("told to ", "dim"),
        _receiver(notice),
    )


def _receiver(notice: Notice) -> str:
    if notice.mode == "shadow" or notice.severity == "info":
        return "nobody"
    if notice.transition in {"withdrawn", "transferred"}:
        return "whoever got the first notice"
    if notice.transition == "escalated":
        return "on-call and the next in line"
    return "on-call, in the daily digest" if notice.delivery == "daily_digest" else "on-call"


def _because(telling: Telling) -> str:
    """What made the notice: a message, an answer, or time alone."""
    notice, event = telling.notice, telling.event
    if event is None:
        return _ended(notice) or (
            "nobody answered" if notice.transition == "escalated" else "time alone, no message came"
        )
    if notice.corrects:
        return f"{_named(event)} corrected what it rested on"
    match event:
        case AlertResponse():
            return f"{event.by} answered: {event.action}"
        case PatientMerge():
            return f"{_named(event)} made {event.patient_id} and {event.into} one person: the alert goes on as hers"
    return _named(event)


def _ended(notice: Notice) -> str:
    return "a graver finding of the same chart stands" if notice.transition == "superseded" else ""


def _named(event: AnyEvent) -> str:
    return f"{event.kind.replace('_', ' ')} {event.event_id[:_LONGEST_ID]} from {event.source}"


_LONGEST_ID: Final = 32


def _basis(notice: Notice) -> Iterator[RenderableType]:
    if notice.effective_at != notice.decided_at:
        yield _line("holds since", f"{_day(notice.effective_at)}, {notice.effective_at:%H:%M}")
    if notice.evidence:
        shown = [_evidence(e) for e in notice.evidence[:_MOST_EVIDENCE]]
        yield _line("rests on", "; ".join(shown) + _more(len(notice.evidence), _MOST_EVIDENCE))
    for i, limit in enumerate(notice.limits[:_MOST_LIMITS]):
        yield _line("" if i else "limits", _limit(limit))
    if more := _more(len(notice.limits), _MOST_LIMITS):
        yield _line("", Text(f"{more.removeprefix('; ')}: trabecula rules show {notice.rule_id}", "dim"))
    if notice.open_questions:
        yield _line("not known", "; ".join(notice.open_questions))


def _more(count: int, shown: int) -> str:
    return f"; {count - shown} more" if count > shown else ""


def _indented(what: RenderableType) -> RenderableType:
    return Padding(what, (0, 0, 0, _INDENT), expand=False)


def _line(label: str, text: str | Text) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=12, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(label, text if isinstance(text, Text) else Text(text))
    return _indented(grid)


def _evidence(item: EvidenceItem) -> str:
    value = " ".join(filter(None, (_number(item.value), item.unit)))
    days = " to ".join(dict.fromkeys(_day(at) for at in (item.begins, item.ends) if at))
    said = ", ".join(filter(None, (" ".join(filter(None, (item.what, value))), days)))
    return f"{said} ({item.record_id})" if item.record_id else said


def _number(value: str | float | None) -> str:
    if isinstance(value, int | float):
        return f"{value:,}" if abs(value) >= _GROUPED_FROM else f"{value:g}"
    return value or ""


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"


def _limit(limit: LimitItem) -> Text:
    figure = f"{limit.name} {_number(limit.value)} {limit.unit} "
    return Text.assemble(figure, (f"[{limit.flag}] {limit.citation}", "dim"))


def _recorded(notice: Notice) -> Text:
    """A notice that is shown and told to nobody, in a line."""
    head = f"{notice.decided_at:%H:%M} info {notice.transition}, told to nobody: "
    return Text(f"{head}{notice.rule_id}, patient {notice.patient_id}, {notice.title}", "dim")


# ---- the summary


def _table(title: str, *columns: str, numbers: int = 0) -> Table:
    """A table whose last columns are numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i >= len(columns) - numbers else "left")
    return table


def _messages(tally: Tally) -> Table:
    table = _table("Messages", "form", "type", "messages", "events", "of no concern", "refused", numbers=4)
    for key, count in sorted(tally.messages.items(), key=lambda entry: (entry[0][0], -entry[1])):
        numbers = (count, tally.events[key], tally.untaken[key], tally.refused[key])
        table.add_row(*key, *(_count(n) for n in numbers))
    return table


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _counted(notices: Iterable[Notice]) -> Table:
    table = _table("Notices, every transition", "rule", "", *SEVERITIES, numbers=len(SEVERITIES))
    found = Counter((n.rule_id, n.title, n.severity) for n in notices)
    for rule_id, title in sorted({(rule_id, title) for rule_id, title, _ in found}):
        table.add_row(rule_id, title, *(_count(found[rule_id, title, severity]) for severity in SEVERITIES))
    return table


def _standing(alerts: Iterable[Alert]) -> Table:
    table = _table("What stands in the end", "severity", "rule", "patient", "state", "since")
    shown = (a for a in alerts if a.severity != "info")
    for a in sorted(shown, key=lambda a: (-SEVERITIES.index(a.severity), a.effective_at)):
        severity = Text(f" {a.severity.upper()} ", _STYLES[a.severity])
        table.add_row(severity, a.rule_id, a.patient_id, a.state, f"{_day(a.effective_at)}")
    return table


def _left(tally: Tally) -> Table:
    """Nothing is silent: what was not taken, by name."""
    table = _table("What was ignored or refused", "", "", "times", numbers=1)
    for name, count in sorted(tally.ignored.items()):
        table.add_row("ignored", name, _count(count))
    for system, count in sorted(tally.unmapped.items()):
        table.add_row("unmapped code", f"codes of {system} in no table", _count(count))
    for refusal in tally.refusals:
        table.add_row("refused", f"{refusal.refused} {refusal.where}: {refusal.reason}", "1")
    return table


def _told(notices: Iterable[Notice]) -> Iterator[Text]:
    found = Counter("recorded, told to nobody" if _receiver(n) == "nobody" else "told" for n in notices)
    yield Text(f"{found.total()} notices: " + ", ".join(f"{count} {what}" for what, count in found.most_common()) + ".")


def _taken(tally: Tally, seconds: float) -> Text:
    sent, events = tally.messages.total(), tally.events.total()
    return Text(f"{sent:,} messages became {events:,} events, read and decided in {seconds:.1f} s.", "bold")
