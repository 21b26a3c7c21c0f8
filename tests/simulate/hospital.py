"""A small simulated hospital for tests: its messages, its events, its truth."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import streams.simulate
from schemas.events import EVENT, AnyEvent
from schemas.tables import Tables
from streams.simulate import native
from streams.simulate.imperfections import Sent
from streams.simulate.options import Options
from streams.simulate.population import Population
from streams.simulate.truth import Row

ILL = 3_000
"""Enriched so that every disease is there among a few dozen patients."""


@dataclass
class Run:
    """One simulation, whole."""

    options: Options
    sent: list[Sent] = field(default_factory=list)
    truth: list[Row] = field(default_factory=list)

    def rows(self, kind: str) -> list[Row]:
        """The truth of one kind."""
        return [row for row in self.truth if row["truth"] == kind]

    @cached_property
    def said(self) -> list[dict[str, Any]]:
        """The events as they are sent, plain."""
        return [event for one in self.sent for event in native.events(one.message)]

    def events(self) -> list[AnyEvent]:
        """The events as they are sent."""
        return [EVENT.validate_python(event) for event in self.said]


@cache
def simulated(options: Options) -> Run:
    """A run of these options, made once."""
    run = Run(options)
    run.sent.extend(Population(options, run.truth.append).messages())
    return run


@cache
def tables() -> Tables:
    """The packaged tables with the codes of the simulated hospital."""
    return Tables.load(Path(streams.simulate.__file__).with_name("site.toml"))


def of_kind(said: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events of a kind."""
    return [event for event in said if event["kind"] == kind]
