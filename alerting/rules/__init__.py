"""All rules, in the order in which they are listed, and the clinical nouns that they share: one line a file."""

from collections.abc import Callable, Iterable
from typing import Any

from alerting.rule import Rule
from alerting.rules import (
    back_pain,
    bone_density,
    calcium,
    coded,
    data_doses,
    data_maternal,
    data_quality,
    feeding,
    fractures,
    glucocorticoid,
    heights,
    heparin,
    heparin_signal,
    hip,
    hip_osteoporosis,
    lactation,
    marker_quality,
    marker_series,
    markers,
    monoclonal,
    recovery,
    risk_items,
    safety_drugs,
    safety_imaging,
    safety_rest,
    secondary,
    spine,
    spine_fractures,
    vitamin_d,
    work_up,
    work_up_gap,
)
from schemas.definitions import Definition
from schemas.rulepack import RulePack
from schemas.tables import Tables

RULES: tuple[Rule, ...] = (
    *heparin.RULES,
    *heparin_signal.RULES,
    *back_pain.RULES,
    *spine_fractures.RULES,
    *spine.RULES,
    *hip.RULES,
    *hip_osteoporosis.RULES,
    *lactation.RULES,
    *recovery.RULES,
    *markers.RULES,
    *marker_quality.RULES,
    *vitamin_d.RULES,
    *calcium.RULES,
    *secondary.RULES,
    *glucocorticoid.RULES,
    *work_up_gap.RULES,
    *monoclonal.RULES,
    *bone_density.RULES,
    *safety_drugs.RULES,
    *safety_imaging.RULES,
    *safety_rest.RULES,
    *data_maternal.RULES,
    *data_doses.RULES,
    *data_quality.RULES,
)

DEFINITIONS: tuple[Callable[[RulePack, Tables], Iterable[Definition[Any]]], ...] = (
    coded.definitions,
    feeding.definitions,
    fractures.definitions,
    heights.definitions,
    heparin.definitions,
    hip_osteoporosis.definitions,
    marker_series.definitions,
    risk_items.definitions,
    vitamin_d.definitions,
    work_up.definitions,
)
"""Shared nouns: each is made from the pack's limits and the published tables."""
