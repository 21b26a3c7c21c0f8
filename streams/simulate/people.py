"""Invented people: a number, a name of trees and stones, a birth day. No one is meant."""

from datetime import date
from typing import Final, NamedTuple

_GIVEN: Final = {
    "female": (
        "Ada",
        "Bea",
        "Cleo",
        "Dora",
        "Elin",
        "Fay",
        "Gia",
        "Hazel",
        "Ivy",
        "Juno",
        "Kaia",
        "Luna",
        "Mira",
        "Nora",
    ),
    "male": ("Abel", "Boris", "Cyril", "Dario", "Emil", "Felix", "Gustav", "Hugo", "Ivo", "Jonas", "Karl", "Levin"),
}
_FAMILY: Final = (
    "Alder", "Aspen", "Basalt", "Beech", "Birch", "Cedar", "Chert", "Cypress", "Dolomite", "Elm", "Feldspar", "Fir",
    "Gneiss", "Granite", "Hornbeam", "Juniper", "Larch", "Limestone", "Linden", "Maple", "Marble", "Oak", "Olivine",
    "Pine", "Poplar", "Pumice", "Quartz", "Rowan", "Sandstone", "Schist", "Slate", "Spruce", "Sycamore", "Willow",
)  # fmt: skip
_SPREAD: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1


class Person(NamedTuple):
    """Who a message is about."""

    number: str
    given: str
    family: str
    sex: str
    born: str


def spread(seed: int, number: int) -> int:
    """A number that tells nothing of the one it was made of, always the same."""
    mixed = ((seed + 1) * _SPREAD + number) & _WORD
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _WORD
    return mixed ^ (mixed >> 31)


def person(number: str, mixed: int, sex: str, born: int) -> Person:
    """Somebody of a sex and a birth day (ordinal), with a name that the number decides."""
    given = _GIVEN[sex]
    return Person(
        number,
        given[mixed % len(given)],
        _FAMILY[(mixed >> 8) % len(_FAMILY)],
        sex,
        date.fromordinal(born).isoformat(),
    )
