"""ICD-10 and ICD-10-CM: two classifications under one name in many feeds, matched by prefix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.terminology.meanings import Match

_INITIAL = frozenset("ABC")
_WITH_SEVENTH_CHARACTER = frozenset("MST")
_NOT_A_CODE = re.compile(r"[^A-Z0-9]")

Concepts = tuple[str, ...]
NOTHING: tuple[int, Concepts] = (0, ())


def plain(code: str) -> str:
    """The code without its dot, in capitals: `m80.88xa` and `M8088XA` are one."""
    return _NOT_A_CODE.sub("", code.upper())


def speaks_of_an_earlier_fracture(code: str) -> bool:
    """Whether the seventh character says follow-up or sequela.

    ICD-10-CM has A, B and C for the initial encounter; D, G, K, P, S and for open fractures E, F, H, J, M, N, Q, R
    follow a fracture that was there before.
    """
    return len(code) == len("M8088XA") and code[0] in _WITH_SEVENTH_CHARACTER and code[6] not in _INITIAL


@dataclass(frozen=True, slots=True)
class Classification:
    """The rows of one classification: those that match a code exactly, and those that match as its beginning."""

    exact: Mapping[str, Concepts]
    prefix: Mapping[str, Concepts]

    def closest(self, code: str) -> tuple[int, Concepts]:
        """(length matched, concepts) of the row nearest to the code; an exact row before any prefix."""
        if code in self.exact:
            return len(code) + 1, self.exact[code]
        for length in range(len(code), 0, -1):
            if code[:length] in self.prefix:
                return length, self.prefix[code[:length]]
        return NOTHING


@dataclass(frozen=True, slots=True)
class Icd:
    """Both classifications, and the concept that stands for each fracture's follow-up."""

    clinical_modification: Classification
    international: Classification
    follow_up: Mapping[str, str]

    def concepts(self, code: str, *, clinical_modification: bool) -> Concepts:
        """The concepts of a code, sorted.

        Feeds label ICD-10-CM as `I10` and the reverse, so both classifications are asked: the closer row wins,
        the labelled classification where they are equally close. `M81.4` exists only in ICD-10, `M80.88XA` only in
        ICD-10-CM. A seventh character of follow-up or sequela turns each fracture into its follow-up concept.
        """
        sought = plain(code)
        national, international = self.clinical_modification.closest(sought), self.international.closest(sought)
        own, other = (national, international) if clinical_modification else (international, national)
        found = own[1] if own[0] >= min(other[0], len(sought)) and own[0] else other[1]
        if speaks_of_an_earlier_fracture(sought):
            return tuple(sorted({self.follow_up.get(concept, concept) for concept in found}))
        return found


def classification(rows: list[tuple[str, Match, str]]) -> Classification:
    """Index (code, match, concept) rows; a code may carry several concepts."""
    gathered: dict[Match, dict[str, set[str]]] = {"exact": {}, "prefix": {}}
    for code, match, concept in rows:
        gathered[match].setdefault(plain(code), set()).add(concept)
    exact, prefix = (
        {code: tuple(sorted(concepts)) for code, concepts in gathered[match].items()} for match in ("exact", "prefix")
    )
    return Classification(exact, prefix)
