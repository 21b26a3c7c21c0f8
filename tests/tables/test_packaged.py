"""The packaged rows as rows: sourced, flagged, well-formed, and told in the documentation."""

import csv
import re
import time
from dataclasses import FrozenInstanceError
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

from schemas.tables import Tables

TABLES: Final = [
    ("schemas.terminology", name)
    for name in (
        "systems.csv",
        "observations.csv",
        "drugs.csv",
        "drug_codes.csv",
        "products.csv",
        "conditions.csv",
        "procedures.csv",
        "imaging.csv",
        "care_orders.csv",
    )
] + [("schemas.units", name) for name in ("spellings.csv", "pairs.csv", "markers.csv")]
FLAGS: Final = {"verified", "component", "listed", "recall", "heuristic", "derived", "lit", "exact", "computed"}
ROOT: Final = Path(__file__).resolve().parents[2]


def read(package: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files(package) / name).read_text(encoding="utf-8").splitlines(), strict=True))


@pytest.mark.parametrize(("package", "name"), TABLES)
def test_every_row_tells_its_source_and_how_sure_it_is(package: str, name: str) -> None:
    rows = read(package, name)
    assert rows
    for row in rows:
        assert None not in row, row
        assert row["source"].strip(), row
        assert row["flag"] in FLAGS, row


CODED: Final = [name for _, name in TABLES if name not in ("systems.csv", "drugs.csv", "spellings.csv", "pairs.csv")]


def coded() -> list[tuple[str, str, str]]:
    return [
        (name, row["system"], row["code"])
        for package, name in TABLES
        if name in CODED
        for row in read(package, name)
        if "system" in row
    ]


def luhn(code: str) -> bool:
    digits = [int(digit) for digit in code.replace("-", "")]
    doubled = [digit * 2 if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(digit // 10 + digit % 10 for digit in doubled) % 10 == 0


DIHEDRAL: Final = [[(i + j) % 5 if j < 5 else (i + j) % 5 + 5 for j in range(10)] for i in range(5)] + [
    [(i - j) % 5 + 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(5, 10)
]
PERMUTED: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def verhoeff(code: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = DIHEDRAL[check][PERMUTED[place % 8][int(digit)]]
    return check == 0


def test_every_loinc_code_has_its_check_digit() -> None:
    codes = [code for _, system, code in coded() if system == "LN" and not code.startswith("LA")]
    assert len(codes) > 600
    assert [code for code in codes if not luhn(code)] == []
    assert not luhn("41171-1")


def test_every_snomed_ct_code_has_its_check_digit() -> None:
    codes = [code for _, system, code in coded() if system == "SCT"]
    assert len(codes) > 200
    assert [code for code in codes if not verhoeff(code)] == []
    assert not verhoeff("64859007")


def test_no_code_stands_twice_in_a_table() -> None:
    for package, name in TABLES:
        if name in CODED and name not in {"conditions.csv", "markers.csv"}:
            keys = [(row["system"], row["code"]) for row in read(package, name)]
            assert len(keys) == len(set(keys)), name


def test_every_drug_is_there_and_every_code_of_a_drug_names_one() -> None:
    drugs = {row["name"] for row in read("schemas.terminology", "drugs.csv")}
    named = {row["drug"] for name in ("drug_codes.csv", "products.csv") for row in read("schemas.terminology", name)}
    assert named <= drugs
    assert drugs - named == set()


def test_every_heparin_product_holds_what_its_volume_and_strength_give() -> None:
    products = read("schemas.terminology", "products.csv")
    assert len(products) == 62
    for product in products:
        if product["volume_ml"]:
            assert Decimal(product["volume_ml"]) * Decimal(product["per_ml"]) == Decimal(product["total"]), product
        else:
            assert not product["total"], product


def test_every_concept_of_a_code_has_a_meaning() -> None:
    meanings = {row["concept"]: row["meaning"] for row in read("schemas.terminology", "concepts.csv")}
    assert {row["concept"] for row in read("schemas.terminology", "conditions.csv")} <= set(meanings)
    assert all(meanings.values())
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", concept) for concept in meanings)


def test_every_unit_of_a_pair_has_a_spelling() -> None:
    spelled = {row["unit"] for row in read("schemas.units", "spellings.csv")}
    assert {row["unit"] for row in read("schemas.units", "pairs.csv")} - {""} <= spelled


def test_the_documentation_lists_every_concept_with_the_number_of_its_codes() -> None:
    counted: dict[str, int] = {}
    for row in read("schemas.terminology", "conditions.csv"):
        counted[row["concept"]] = counted.get(row["concept"], 0) + 1
    expected = {
        (row["concept"], str(counted.get(row["concept"], 0)), row["meaning"])
        for row in read("schemas.terminology", "concepts.csv")
    }
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z0-9_]+)` \| (\d+) \| (.+) \|$", text, re.MULTILINE))
    assert told == expected


def test_the_notice_carries_the_attribution_that_loinc_asks_for() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert "LOINC (http://loinc.org)" in notice
    assert "Regenstrief Institute" in notice


def test_the_tables_cannot_be_changed(tables: Tables) -> None:
    with pytest.raises(FrozenInstanceError):
        tables.codes = tables.codes  # type: ignore[misc]


def test_two_readings_are_equal() -> None:
    assert Tables.load() == Tables.load()


def test_the_tables_are_read_in_a_tenth_of_a_second() -> None:
    """The fastest of several, as a busy machine says nothing about the tables."""
    durations = []
    for _ in range(5):
        began = time.perf_counter()
        Tables.load()
        durations.append(time.perf_counter() - began)
    assert min(durations) < 0.1
