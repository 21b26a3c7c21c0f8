"""What is cited can be looked up here: every section that the pack and the code name is in docs/, with its figures."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Final

import pytest

from alerting.rules import RULES
from tests.house.places import ROOT, files, named, text
from tests.support import pack

PACK: Final = tuple(named(path) for path in sorted((ROOT / "alerting" / "pack").glob("*.toml")))
CITING: Final = tuple(
    name
    for path in files()
    if (name := named(path)).endswith((".py", ".toml", ".md")) and not name.startswith("tests/house/")
)
"""Pages and code that may cite; this test writes the words that it looks for."""

_NUMBER: Final = r"\d+(?:\.\d+)*"
_SHEET: Final = re.compile(rf"(?:evidence sheet|docs/evidence\.md) ({_NUMBER}(?:(?:,| and| to) {_NUMBER}(?![\w%]))*)")
_RULE: Final = r"[A-Z]{2,3}-\d\d"
_INTERVALS: Final = re.compile(rf"docs/intervals\.md ({_RULE}(?:(?:,| and| to) {_RULE})*)")
_PART: Final = re.compile(r"docs/intervals\.md, ([A-Z]\w+)")
_ELSEWHERE: Final = re.compile(r"\b(?:intervals|rules)\.csv|clinical README|stored (?:source|text)")


@cache
def headings(page: str) -> dict[str, str]:
    """The parts of a page by the first word of their heading."""
    parts = re.split(r"^#+ (.+)$", text(page), flags=re.MULTILINE)
    return {head.split()[0].rstrip(".,"): body for head, body in zip(parts[1::2], parts[2::2], strict=True)}


def cited(pattern: re.Pattern[str], names: tuple[str, ...], one: str) -> Iterator[tuple[str, str]]:
    """(page, section) of what is cited; `one`: what a single section looks like."""
    for name in names:
        words = " ".join(text(name).split())
        for found in pattern.finditer(words):
            yield from ((name, section) for section in re.findall(one, found[1]))


def test_every_section_of_the_evidence_sheet_that_the_pack_cites_is_there() -> None:
    found = list(cited(_SHEET, PACK, _NUMBER))
    assert found
    assert [c for c in found if c[1] not in headings("docs/evidence.md")] == []


def test_every_section_that_code_and_pages_cite_is_there() -> None:
    sheet, rules = headings("docs/evidence.md"), headings("docs/intervals.md")
    assert [c for c in cited(_SHEET, CITING, _NUMBER) if c[1] not in sheet] == []
    assert [c for c in cited(_INTERVALS, CITING, _RULE) if c[1] not in rules] == []
    assert [c for c in cited(_PART, CITING, r"\w+") if c[1] not in rules] == []


def test_nothing_is_cited_that_is_not_in_the_repository() -> None:
    assert [(name, found[0]) for name in CITING if (found := _ELSEWHERE.search(text(name)))] == []


def test_every_source_that_the_sheet_names_is_in_its_list() -> None:
    sheet = headings("docs/evidence.md")
    listed = set(re.findall(r"^\| (R\d+[ab]?) \|", sheet["9"], flags=re.MULTILINE))
    used = {one for number, body in sheet.items() if number != "9" for one in re.findall(r"\bR\d+[ab]?\b", body)}
    assert used - listed == set()


def _figures(words: str) -> set[Decimal]:
    """The numbers of a text: 20,000 is one, and so is 1/100 two."""
    return {Decimal(found.replace(",", "")) for found in re.findall(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?", words)}


@pytest.mark.parametrize("rule_id", [rule.id for rule in RULES])
def test_a_rule_has_its_section_with_its_severity_and_its_figures(rule_id: str) -> None:
    """docs/intervals.md has no second opinion on a figure: each limit of the pack stands in the rule's own section."""
    section, rule = headings("docs/intervals.md")[rule_id], pack().rules[rule_id]
    assert rule.severity in section.casefold()
    known = _figures(section)
    assert {name: limit.value for name, limit in rule.limits.items() if limit.value not in known} == {}


def test_the_sheet_grades_every_rule() -> None:
    assert [rule.id for rule in RULES if f"\n| {rule.id} |" not in headings("docs/evidence.md")["7"]] == []
