"""Words that have no place in the project: where somebody worked, where packages come from, and notes to oneself."""

import re
from typing import Final

import pytest

from tests.house.places import files, named

# Put together from parts, so that this file does not contain what it forbids.
UNWANTED: Final = {
    "a path of a workplace": "|".join(
        ("/wo" + "rk/", "/fa" + "rm/", r"\.libr" + "ary", "/home/" + r"\w", "/Users/" + r"\w")
    ),
    "a registry's address": "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("deb", "debian", "org"),
            ("repo", "maven", "apache", "org"),
        )
    ),
    "a note to oneself": r"\b(TO" + "DO|FIX" + "ME|XX" + "X)(?!-)\\b",
    "what a merge left behind": "^(<{7}|>{7}) ",
}


@pytest.mark.parametrize("unwanted", UNWANTED)
def test_no_file_contains(unwanted: str) -> None:
    pattern = re.compile(UNWANTED[unwanted].encode(), re.MULTILINE)
    found = [f"{named(path)}: {match[0].decode()}" for path in files() for match in pattern.finditer(path.read_bytes())]
    assert found == []


@pytest.mark.parametrize(
    ("unwanted", "line"),
    [
        ("a path of a workplace", "see /wo" + "rk/notes"),
        ("a registry's address", "--index-url https://py" + "pi.org/simple"),
        ("a note to oneself", "# TO" + "DO: later"),
        ("what a merge left behind", "<" * 7 + " HEAD"),
    ],
)
def test_the_words_would_be_found(unwanted: str, line: str) -> None:
    assert re.search(UNWANTED[unwanted], line, re.MULTILINE)
