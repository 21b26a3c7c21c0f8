"""A site's own file: what it adds, and how a wrong one is refused by file, row and field."""

from decimal import Decimal
from pathlib import Path

import pytest

from schemas.tables import Drug, Measured, Observation, TableError, Tables

SITE = """
[[code]]
system = "99LAB"
code = "CTXF"
means = { kind = "lab_result", name = "CTX", property = "Mass/volume" }

[[code]]
system = "L"
code = "HEP5"
means = { drug = "heparin" }

[[code]]
system = "L"
code = "DX-7"
means = { concept = "marrow_edema" }

[[code]]
system = "L"
code = "PDA"
means = { procedure = "neuraxial_anaesthesia" }

[[code]]
system = "L"
code = "MRLWS"
means = { imaging = "MRI/spine" }

[[code]]
system = "L"
code = "REST"
means = { care_order = "bed_rest" }

[[code]]
system = "L"
code = "NRS-R"
means = { kind = "symptom", name = "back_pain" }

[[code]]
system = "I10"
code = "M81.8"
means = { concept = "plo" }

[[unit]]
analyte = "CTX"
unit = "ng/dl*"
factor = 10
to = "ng/L"
reason = "the analyser of the old wing prints so; agreed with the laboratory on 2026-01-05"

[[unit]]
analyte = "25OHD"
unit = "NMOLL"
factor = "1"
to = "nmol/L"
reason = "label of the interface engine"
"""


def loaded(tmp_path: Path, text: str) -> Tables:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return Tables.load(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(TableError) as refused:
        loaded(tmp_path, text)
    return str(refused.value)


def test_a_sites_codes_mean_what_the_site_says(tmp_path: Path) -> None:
    tables = loaded(tmp_path, SITE)
    assert tables.observation("99LAB", "CTXF") == Observation("lab_result", "CTX", "", "", "Mass/volume")
    assert tables.drug("L", "HEP5") == Drug("heparin", "heparin_ufh")
    assert tables.concepts("L", "DX-7") == ("marrow_edema",)
    assert tables.procedure("L", "PDA") == "neuraxial_anaesthesia"
    assert tables.imaging("L", "MRLWS") == ("MRI", "spine")
    assert tables.observation("L", "MRLWS") == Observation("imaging", "study", "MRI/spine")
    assert tables.care_order("L", "REST") == "bed_rest"
    assert tables.observation("L", "NRS-R") == Observation("symptom", "back_pain")


def test_a_sites_unit_is_converted_by_its_factor_for_that_analyte_only(tmp_path: Path) -> None:
    tables = loaded(tmp_path, SITE)
    ctx, p1np = tables.observation("LN", "41171-0"), tables.observation("LN", "77370-5")
    assert ctx is not None
    assert p1np is not None
    assert tables.measure(ctx, Decimal(35), "ng/dl*") == Measured(Decimal(350), "ng/L", "mass")
    assert tables.measure(p1np, Decimal(35), "ng/dl*") is None


def test_a_sites_row_wins_over_a_packaged_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, SITE).concepts("I10", "M81.8") == ("plo",)
    assert loaded(tmp_path, SITE).concepts("I10", "M81.0") == ("osteoporosis",)


def test_a_row_for_the_system_by_another_of_its_names_is_the_same_row(tmp_path: Path) -> None:
    row = '[[code]]\nsystem = "urn:oid:2.16.840.1.113883.6.1"\ncode = "0-0"\n'
    text = row + 'means = { kind = "lab_result", name = "PTH" }'
    found = loaded(tmp_path, text).observation("LN", "0-0")
    assert found is not None
    assert found.name == "PTH"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") == Tables.load()


CODE = '[[code]]\nsystem = "L"\ncode = "X"\n'
UNIT = '[[unit]]\nanalyte = "CTX"\nunit = "x"\nfactor = 1\nto = "ng/L"\nreason = "r"\n'

WRONG = [
    ("[[codes]]\n", "site.toml, table codes", "[[code]]"),
    ("code = 1\n", "site.toml, table code", "[[code]]"),
    ("[[code]\n", "site.toml", "TOML"),
    ("[[code]]\ncode = 'X'\nmeans = { drug = 'heparin' }\n", "code row 1, field system", "text"),
    ("[[code]]\nsystem = 'L'\ncode = 12\nmeans = { drug = 'heparin' }\n", "code row 1, field code", "text"),
    (CODE, "code row 1, field means", "a table"),
    (CODE + "means = 'heparin'\n", "code row 1, field means", "a table"),
    (CODE + "means = { drugs = 'heparin' }\n", "field means", "exactly one of kind, drug, concept"),
    (CODE + "means = { drug = 'heparin', concept = 'hit' }\n", "field means", "exactly one of"),
    (CODE + "means = { drug = 'hirudin' }\n", "field means, field drug", "heparin"),
    (CODE + "means = { concept = 'osteoporoses' }\n", "field means, field concept", "osteoporosis"),
    (CODE + "means = { procedure = 'appendectomy' }\n", "field means, field procedure", "surgery"),
    (CODE + "means = { imaging = 'MR/spine' }\n", "field means, field imaging", "MRI/spine"),
    (CODE + "means = { care_order = 'rest' }\n", "field means, field care_order", "bed_rest"),
    (CODE + "means = { kind = 'lab', name = 'CTX' }\n", "field means, field kind", "lab_result"),
    (CODE + "means = { kind = 'imaging', name = 'study' }\n", "field means, field kind", "MRI/spine"),
    (CODE + "means = { kind = 'lab_result', name = 'ctx' }\n", "field means, field name", "CTX"),
    (CODE + "means = { kind = 'lab_result' }\n", "field means, field name", "CTX"),
    (CODE + "means = { kind = 'bone_density', name = 'total_hip' }\n", "field means, field detail", "z_score"),
    (CODE + "means = { kind = 'symptom', name = 'headache' }\n", "field means, field name", "back_pain"),
    (CODE + "means = { drug = 'heparin', dose = 1 }\n", "field means, field dose", "no such field"),
    (CODE + "colour = 'red'\nmeans = { drug = 'heparin' }\n", "code row 1, field colour", "no such field"),
    (CODE + "means = { drug = 'heparin' }\n" + CODE, "code row 2, field means", "a table"),
    (UNIT.replace("CTX", "ctx"), "unit row 1, field analyte", "CTX"),
    (UNIT.replace("ng/L", "g/L"), "unit row 1, field to", "ng/L, nmol/L"),
    (UNIT.replace("factor = 1", "factor = 0"), "unit row 1, field factor", "above 0"),
    (UNIT.replace("factor = 1", "factor = -1"), "unit row 1, field factor", "above 0"),
    (UNIT.replace("factor = 1", "factor = true"), "unit row 1, field factor", "above 0"),
    (UNIT.replace("factor = 1", "factor = 'ten'"), "unit row 1, field factor", "above 0"),
    (UNIT.replace("factor = 1", "factor = inf"), "unit row 1, field factor", "above 0"),
    (UNIT.replace('reason = "r"', ""), "unit row 1, field reason", "text"),
    (UNIT.replace('reason = "r"', 'reason = " "'), "unit row 1, field reason", "text"),
    (UNIT.replace('unit = "x"', ""), "unit row 1, field unit", "text"),
]


@pytest.mark.parametrize(("text", "place", "accepted"), WRONG)
def test_a_wrong_file_is_refused_by_place_and_by_what_would_be_accepted(
    tmp_path: Path, text: str, place: str, accepted: str
) -> None:
    message = refusal(tmp_path, text)
    assert place in message
    assert accepted in message
    assert "site.toml" in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.toml: cannot be read"):
        Tables.load(tmp_path / "none.toml")


def test_a_decimal_factor_keeps_its_digits(tmp_path: Path) -> None:
    tables = loaded(tmp_path, UNIT.replace("factor = 1", "factor = 0.1"))
    ctx = tables.observation("LN", "41171-0")
    assert ctx is not None
    assert tables.measure(ctx, Decimal(3), "x") == Measured(Decimal("0.3"), "ng/L", "mass")
