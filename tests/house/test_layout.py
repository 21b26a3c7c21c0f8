"""The house itself: files that read at a glance, rules that are complete, and a wheel that has all it needs."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from alerting.rules import RULES
from schemas.rulepack import FLAGS, RuleText
from tests.house.places import PACKAGES, ROOT, files, named, sources, text
from tests.support import pack

LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 60
RULE_IDS: Final = tuple(rule.id for rule in RULES)


# ---- reading at a glance


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    lines = {named(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {f"{named(p)}: {f.name}": (f.end_lineno or 0) - f.lineno + 1 for p in sources() for f in _functions(p)}
    assert {name: count for name, count in lengths.items() if count > LONGEST_FUNCTION} == {}


# ---- a rule is its code, its words and figures, its boundaries, and a line of the changelog


def test_rules_and_pack_name_the_same_ids_once() -> None:
    assert len(set(RULE_IDS)) == len(RULE_IDS)
    assert set(RULE_IDS) == set(pack().rules)


@pytest.mark.parametrize("rule_id", pack().rules)
def test_a_rule_says_what_it_rests_on(rule_id: str) -> None:
    """No empty words, and every figure with a flag and a citation that somebody can look up."""
    rule = pack().rules[rule_id]
    for name in RuleText.model_fields.keys() - {"limits"}:
        assert str(getattr(rule, name)).strip(), name
    assert FLAGS.keys() & set(re.findall(r"\w+", rule.flag))
    for name, limit in rule.limits.items():
        assert limit.unit.strip(), name
        assert limit.reason is None, f"{name}: only a site gives reasons; a packaged figure has its citation"


@cache
def _names_in_rules() -> tuple[re.Pattern[str], ...]:
    """Every string that the code of the rules writes; a part that is filled in stands for any word."""
    found = (path for path in sources() if named(path).startswith("alerting/rules/"))
    nodes = [node for path in found for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    written = {re.escape(n.value) for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    filled = {_pattern(n) for n in nodes if isinstance(n, ast.JoinedStr)}
    return tuple(re.compile(p) for p in sorted(written | (filled - {".+"})))


def _pattern(string: ast.JoinedStr) -> str:
    return "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in string.values)


def test_every_limit_of_the_pack_is_read_by_a_rule() -> None:
    """A figure that can be looked at and overridden, and decides nothing, would deceive."""
    limits = {f"{rule_id}.{name}": name for rule_id, rule in pack().rules.items() for name in rule.limits}
    assert [full for full, name in limits.items() if not any(p.fullmatch(name) for p in _names_in_rules())] == []


def _mentions(rule_id: str, words: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(rule_id)}(?![\w-])", words) is not None


def test_every_rule_has_a_table_of_its_boundaries() -> None:
    """tests/boundaries: for each limit what is within, exactly at, and beyond it."""
    tables = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests" / "boundaries").rglob("test_*.py"))
    assert [rule_id for rule_id in RULE_IDS if not _mentions(rule_id, tables)] == []


def clinical_part(changelog: str) -> str:
    """What stands under the headings `### Clinical`."""
    sections = re.split(r"^(#{2,3} .*)$", changelog, flags=re.MULTILINE)
    return "\n".join(body for head, body in zip(sections[1::2], sections[2::2], strict=True) if head == "### Clinical")


def test_the_changelog_tells_clinicians_of_every_rule() -> None:
    told = clinical_part(text("CHANGELOG.md"))
    assert [rule_id for rule_id in RULE_IDS if not _mentions(rule_id, told)] == []


def test_every_release_has_a_clinical_heading() -> None:
    """Also if it says that nothing changed: silence could mean that nobody looked."""
    releases = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    assert releases
    assert [release.splitlines()[0] for release in releases if "\n### Clinical\n" not in release] == []


def test_the_version_is_in_the_changelog() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", text("CHANGELOG.md"), flags=re.MULTILINE)


# ---- packaging


def _wheel(folder: Path) -> set[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    """Code tables, the rule pack, types and the licence travel with the code; tests and documents stay."""
    built = _wheel(tmp_path)
    ours = {named(path) for path in files() if named(path).partition("/")[0] in PACKAGES}
    assert {name for name in built if ".dist-info/" not in name} == ours
    assert {f"{package}/py.typed" for package in PACKAGES} <= built
    assert {Path(name).name for name in built if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def test_the_locks_are_hashed_and_name_no_place_to_load_from() -> None:
    """Where packages come from is the site's to say; what they contain is ours."""
    for name in ("lock.txt", "test.txt"):
        lines = text(f"requirements/{name}").splitlines()
        assert all(
            re.fullmatch(r"([a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+|    --hash=sha256:[0-9a-f]{64})( \\)?", line)
            for line in lines
        )


def test_everything_that_the_project_asks_for_is_locked() -> None:
    """`make lock` after a change of pyproject.toml."""
    content = tomllib.loads(text("pyproject.toml"))
    groups = content["dependency-groups"]
    asked = {"lock.txt": [*content["project"]["dependencies"], *groups["build"]]}
    asked["test.txt"] = [*asked["lock.txt"], *groups["test"]]
    for name, wanted in asked.items():
        locked = {line.partition("==")[0] for line in text(f"requirements/{name}").splitlines() if "==" in line}
        names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
        assert names <= {re.sub(r"\[.*", "", package) for package in locked}
    assert content["build-system"]["requires"] == groups["build"]
