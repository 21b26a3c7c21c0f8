"""All rules, in the order in which they are listed: one file a clinical group, one line here."""

from alerting.rule import Rule
from alerting.rules import heparin

RULES: tuple[Rule, ...] = (*heparin.RULES,)
