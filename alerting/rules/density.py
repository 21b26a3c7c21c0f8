"""Bone density by DXA at the named sites, as several rules read it.

Source: docs/intervals.md LAC-02, LAC-04 and Risk items: the latest Z-score of each site counts.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from alerting.judge import Judge
from schemas.facts import Density, Fact
from schemas.intervals import Evidence

NAMED_SITES: Final = ("lumbar_spine", "total_hip", "femoral_neck")
"""The sites that count, in the order in which one is preferred."""


def scans(facts: tuple[Fact, ...]) -> Iterator[tuple[Fact, Density]]:
    """The values of the named sites, in clinical time."""
    for fact in facts:
        if isinstance(fact.payload, Density) and fact.payload.site in NAMED_SITES:
            yield fact, fact.payload


def site_words(site: str) -> str:
    """`lumbar spine`."""
    return site.replace("_", " ")


def z_evidence(fact: Fact, dxa: Density) -> Evidence:
    """The Z-score of one site."""
    what, z = f"Z-score {site_words(dxa.site)}", None if dxa.z_score is None else float(dxa.z_score)
    return Evidence(what, fact.record_id, fact.event_id, fact.source, z, "1", dxa.performed_at)


def latest_z(found: Iterable[tuple[Fact, Density]]) -> dict[str, tuple[Fact, Density]]:
    """The latest Z-score of each site."""
    return {dxa.site: (fact, dxa) for fact, dxa in found if dxa.z_score is not None}


def low_z(judge: Judge, found: Iterable[tuple[Fact, Density]]) -> tuple[Fact, Density] | None:
    """The first site, in their order, whose latest Z-score is at or below the limit `z_score`."""
    latest = latest_z(found)
    there = (latest[site] for site in NAMED_SITES if site in latest)
    return next((one for one in there if judge.at_most("z_score", one[1].z_score)), None)


def gain(found: Iterable[tuple[Fact, Density]]) -> tuple[str, Decimal] | None:
    """The preferred site that was measured twice, and the ratio of its latest density to its first; None: none was."""
    by_site: dict[str, list[tuple[Fact, Density]]] = {}
    for fact, dxa in found:
        if dxa.density is not None:
            by_site.setdefault(dxa.site, []).append((fact, dxa))
    for site in NAMED_SITES:
        values = by_site.get(site, [])
        if values and values[0][1].performed_at < values[-1][1].performed_at:
            first, latest = values[0][1].density, values[-1][1].density
            return (site, latest / first) if first and latest is not None else None
    return None
