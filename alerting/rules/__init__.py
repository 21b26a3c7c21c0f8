"""All rules, in the order in which they are listed, and the clinical nouns that they share: one line a file."""

from collections.abc import Callable, Iterable
from typing import Any

from alerting.rule import Rule
from alerting.rules import (
    bone_density,
    calcium,
    coded,
    feeding,
    fractures,
    glucocorticoid,
    heparin,
    lactation,
    marker_quality,
    marker_series,
    markers,
    recovery,
    risk_items,
    safety_drugs,
    safety_imaging,
    safety_rest,
    secondary,
    vitamin_d,
)
from schemas.definitions import Definition
from schemas.rulepack import RulePack
from schemas.tables import Tables

RULES: tuple[Rule, ...] = (
    *heparin.RULES,
    *lactation.RULES,
    *recovery.RULES,
    *markers.RULES,
    *marker_quality.RULES,
    *vitamin_d.RULES,
    *calcium.RULES,
    *secondary.RULES,
    *glucocorticoid.RULES,
    *bone_density.RULES,
    *safety_drugs.RULES,
    *safety_imaging.RULES,
    *safety_rest.RULES,
)

DEFINITIONS: tuple[Callable[[RulePack, Tables], Iterable[Definition[Any]]], ...] = (
    coded.definitions,
    feeding.definitions,
    fractures.definitions,
    marker_series.definitions,
    risk_items.definitions,
    vitamin_d.definitions,
)
"""Shared nouns: each is made from the pack's limits and the published tables."""
