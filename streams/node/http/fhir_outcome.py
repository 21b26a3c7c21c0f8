"""FHIR R4 OperationOutcome.

Source: http://hl7.org/fhir/R4/operationoutcome.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

FHIR_JSON: Final = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue. `code`: of the value set issue-type; `where`: the element."""

    severity: Literal["error", "warning", "information"]
    code: str
    words: str
    where: str | None = None


def operation_outcome(issues: Sequence[Issue]) -> dict[str, Any]:
    """The resource as JSON."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(each) for each in issues]}


def _issue(issue: Issue) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.words}
    return told | ({"expression": [issue.where]} if issue.where else {})
