"""Every rule by its name."""

from collections.abc import Callable
from typing import Final

from . import rules_heparin, rules_spine
from .clinic import Clinic, Finding

RULES: Final[dict[str, Callable[[Clinic], list[Finding]]]] = {
    "HEP-01": rules_heparin.hep_01,
    "HEP-02": rules_heparin.hep_02,
    "HEP-03": rules_heparin.hep_03,
    "HEP-04": rules_heparin.hep_04,
    "HEP-05": rules_heparin.hep_05,
    "HEP-06": rules_heparin.hep_06,
    "SPN-01": rules_spine.spn_01,
    "SPN-02": rules_spine.spn_02,
    "SPN-03": rules_spine.spn_03,
    "SPN-04": rules_spine.spn_04,
    "SPN-06": rules_spine.spn_06,
}
