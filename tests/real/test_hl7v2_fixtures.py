"""Real messages that nobody on this project wrote: each gives an outcome, and what another converter sees, we see."""

import json
import re
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.tables import Tables
from streams.intake.hl7v2 import split_hl7v2, translate_hl7v2
from streams.intake.outcome import Translation
from streams.intake.site import MemoryDirectory, Site
from tests.real.agreement import REVIEWED, Comparison, compare

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
FILES = sorted(FIXTURES.rglob("*.hl7"))
CONVERTED = [file for file in FILES if file.with_name(f"{file.stem}-expected.json").exists()]
absent = pytest.mark.skipif(not FILES, reason="the third-party fixtures are not beside this project")


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.load()


def translate(raw: bytes, tables: Tables) -> list[Translation]:
    site, directory = Site(time_zone=ZoneInfo("UTC")), MemoryDirectory()
    return [translate_hl7v2(each, site=site, tables=tables, directory=directory) for each in split_hl7v2(raw)]


def live(raw: bytes) -> bytes:
    """The message as if it were no training message: most published samples say T or D in MSH-11."""
    return re.sub(rb"^((?:\xef\xbb\xbf)?MSH(?:\|[^|\r\n]*){9}\|)[TD](?=[|\r\n^])", rb"\1P", raw, flags=re.MULTILINE)


@absent
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_real_file_gives_an_outcome(file: Path, tables: Tables) -> None:
    for raw in (file.read_bytes(), live(file.read_bytes())):
        outcomes = translate(raw, tables)
        assert outcomes
        for outcome in outcomes:
            assert outcome.events or outcome.refusals or outcome.ignored
            assert all(refused.where and "accepted" in refused.reason for refused in outcome.refusals)


@absent
def test_what_another_converter_sees_we_see_but_for_reviewed_differences(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [each for file in CONVERTED for each in _compared(file, tables)]
    differing = [each for each in found if not each.agrees]
    with capsys.disabled():
        print(_share(found))
    unexplained = [each for each in differing if not _reason(each)]
    assert unexplained == []
    assert {_key(each) for each in differing} == set(REVIEWED), "a reviewed difference that is gone"


def _compared(file: Path, tables: Tables) -> list[Comparison]:
    bundle = json.loads(file.with_name(f"{file.stem}-expected.json").read_bytes())
    events = tuple(event for outcome in translate(live(file.read_bytes()), tables) for event in outcome.events)
    return compare(file.stem, events, bundle)


def _key(each: Comparison) -> tuple[str, str]:
    return (each.file, each.field) if (each.file, each.field) in REVIEWED else ("*", each.field)


def _reason(each: Comparison) -> str | None:
    return REVIEWED.get(_key(each))


def _share(found: list[Comparison]) -> str:
    fields = Counter(each.field for each in found)
    agreeing = Counter(each.field for each in found if each.agrees)
    lines = [f"  {field}: {agreeing[field]} of {count}" for field, count in sorted(fields.items())]
    return f"\nagreement {agreeing.total()} of {fields.total()}\n" + "\n".join(lines)
