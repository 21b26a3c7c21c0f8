"""Documents are true: what they show is what the code does, and their links lead somewhere."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from streams.service import packaged_pack
from tests.house.places import ROOT, files, named, text

PAGES: Final = tuple(named(path) for path in files() if path.suffix == ".md")


def example(page: str, name: str) -> str:
    """The block that follows a mark `<!-- example: NAME -->`."""
    found = re.search(rf"<!-- example: {name} -->\n```\w*\n(.*?)```", text(page), re.DOTALL)
    assert found, f"{page} has no example {name}"
    return found[1]


def command(page: str, name: str) -> list[str]:
    """The arguments of the one indented `trabecula NAME ...` line of a page that has files of docs/examples."""
    (line,) = re.findall(rf"^    trabecula ({name} docs/examples/.*)$", text(page), re.MULTILINE)
    return str(line).split()


def trabecula(arguments: Iterable[str]) -> str:
    """What a command prints."""
    run = [sys.executable, "-m", "streams.cli", *arguments]
    return subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_notice_in_the_readme_is_one_of_those_that_the_command_prints() -> None:
    """All that is shown of it is as it is said; the page leaves out identities and the pack's hash."""
    shown: dict[str, Any] = json.loads(example("README.md", "notice"))
    notices = [json.loads(line) for line in trabecula(command("README.md", "replay")).splitlines()]
    alike = [n for n in notices if (n["rule_id"], n["transition"]) == (shown["rule_id"], shown["transition"])]
    assert [{name: notice[name] for name in shown} for notice in alike] == [shown]


def test_the_explanation_in_the_readme_is_what_the_command_prints() -> None:
    assert trabecula(command("README.md", "explain")) == example("README.md", "explanation")


@pytest.mark.parametrize(("name", "file"), [("hl7v2", "laboratory-results.hl7"), ("fhir", "heparin-order.json")])
def test_the_translations_in_the_intake_page_are_what_the_command_prints(name: str, file: str) -> None:
    (line,) = re.findall(rf"^    trabecula (translate docs/examples/{file} .*)$", text("docs/intake.md"), re.MULTILINE)
    run = [sys.executable, "-m", "streams.cli", *str(line).split()]
    said = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True)
    assert said.stdout == example("docs/intake.md", name)
    assert said.stderr == example("docs/intake.md", f"{name}-refusals")


def test_the_site_file_in_the_rules_page_is_accepted_and_in_force(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(example("docs/rules.md", "site"), "utf-8")
    pack = packaged_pack(site)
    assert pack.rules["HEP-02"].limits["exposed_days"].value == Decimal(42)
    assert pack.rules["HEP-02"].limits["exposed_days"].citation == (
        packaged_pack().rules["HEP-02"].limits["exposed_days"].citation
    )
    assert pack.rules["LAC-01"].mode == "shadow"


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text(page))
    assert [t for t in targets if not ((ROOT / page).parent / t).exists()] == []


def test_every_page_can_be_found_from_the_index() -> None:
    index = text("docs/README.md") + text("docs/decisions/README.md")
    pages = [page for page in PAGES if page.startswith("docs/") and not page.endswith("README.md")]
    assert [page for page in pages if Path(page).name not in index] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(Path(page).name[:4]) for page in PAGES if re.match(r"docs/decisions/\d{4}-", page))
    assert numbers[0] == 1
    assert all(after - before == 1 for before, after in pairwise(numbers))
