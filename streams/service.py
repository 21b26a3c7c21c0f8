"""One service put together from its settings: tables, rule pack, monitor, and a ward for offline work."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import alerting
from alerting.rules import RULES
from schemas.days import Calendar
from schemas.events import AnyEvent
from schemas.rulepack import RulePack, load_pack
from schemas.tables import Tables
from streams.explain import Explanation, explain
from streams.inputs import Intake, UnreadableError, readings
from streams.monitor import Monitor
from streams.replay import Replay
from streams.settings import Settings
from streams.shelf import Shelf, ShelvedDirectory
from streams.shell import Report
from streams.sorting import in_recorded_order
from streams.ward import MemoryCharts, Ward

PACKAGED: Final = Path(alerting.__file__).parent / "pack"


def packaged_pack(site: Path | None = None) -> RulePack:
    """The packaged rule pack with a site's overrides.

    Errors: RulePackError names file, rule and field.
    """
    return load_pack(PACKAGED, site)


class Service:
    """What a process is made of; built from settings when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def tables(self) -> Tables:
        """The code and unit tables with the site's additions."""
        return Tables.load(self.settings.tables)

    @cached_property
    def monitor(self) -> Monitor:
        """The monitor with the site's rule pack."""
        return Monitor(packaged_pack(self.settings.rules), self.tables, Calendar(ZoneInfo(self.settings.time_zone)))

    def events(self, files: Iterable[Path], report: Report) -> Iterator[AnyEvent]:
        """The events of files; what else became of their messages goes into the report."""
        with closing(ShelvedDirectory()) as directory:
            intake = Intake(self.settings.site, self.tables, directory)
            for path in files:
                try:
                    for reading in readings(path, intake):
                        report.saw(reading)
                        yield from reading.translation.events
                except UnreadableError as error:
                    report.cannot_read(str(error))

    def sorted(self, events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
        """The events in the order of their recording."""
        return in_recorded_order(events)

    @contextmanager
    def replaying(self, until: datetime | None) -> Iterator[Replay]:
        """A replay whose charts beyond memory are kept in a temporary file."""
        shelf = Shelf(self.monitor)
        try:
            yield Replay(Ward(self.monitor, shelf), until)
        finally:
            shelf.close()

    def explain(
        self, events: Iterable[AnyEvent], patient: str, rule: str | None, at: datetime | None
    ) -> list[Explanation] | None:
        """Each rule's account of a patient's chart, as known at an instant; None if nothing is known of the patient."""
        replaying = Replay(Ward(self.monitor, MemoryCharts()), at)
        known = (e for e in in_recorded_order(events) if at is None or e.recorded_at <= at)
        for _ in replaying.run(known):
            pass
        chart = replaying.ward.charts.get(replaying.ward.people.survivor(patient))
        if chart is None:
            return None
        rules = [r for r in RULES if rule is None or r.id == rule]
        return explain(self.monitor, chart, replaying.clock, rules)
