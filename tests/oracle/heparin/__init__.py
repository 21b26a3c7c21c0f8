"""Exposed days of a drug: administered before dispensed before ordered, day by day; heparin courses and episodes."""

from .doses import HEPARINS, drug_of, heparin_dose, is_flush, unclear, weight_on
from .episodes import Episode, Heparin, courses, episodes_of
from .exposure import Day, active_spans, exposure, given, is_active, supplies

__all__ = [
    "HEPARINS",
    "Day",
    "Episode",
    "Heparin",
    "active_spans",
    "courses",
    "drug_of",
    "episodes_of",
    "exposure",
    "given",
    "heparin_dose",
    "is_active",
    "is_flush",
    "supplies",
    "unclear",
    "weight_on",
]
