"""The definitions of one service: the chart's views and the rules, put together into a plan.

This is where the fold and the rules meet; neither knows the other.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from alerting.rule import Rule
from alerting.rules import DEFINITIONS
from schemas.days import Calendar
from schemas.definitions import Definition, Name
from schemas.rulepack import RulePack
from schemas.tables import Tables
from streams.answers import answers_to
from streams.chart.episodes import episodes
from streams.chart.ledger import Worth, ledger_of
from streams.chart.orders import care_orders, orders_of
from streams.chart.pregnancy import pregnancies
from streams.chart.said import said_of
from streams.chart.winners import labs_of, winners_of
from streams.derivation import Plan

_FAMILIES: Final[Mapping[str, Callable[[str], Definition[Any]]]] = {
    "labs": labs_of,
    "winners": winners_of,
    "orders": orders_of,
    "care_orders": lambda _: care_orders,
    "ledger": ledger_of,
    "said_doses": said_of,
}


def _family(name: Name[Any], prednisone: Worth) -> Definition[Any] | None:
    """The definition of a name that belongs to a family: labs of an analyte, winners of a group, orders, a ledger."""
    family, _, member = name.key.partition("/")
    if (family, member) == ("ledger", "glucocorticoid"):
        return ledger_of(member, prednisone)
    return _FAMILIES[family](member) if family in _FAMILIES else None


def plan_of(pack: RulePack, tables: Tables, calendar: Calendar, rules: Iterable[Rule]) -> Plan:
    """The plan of these rules with the limits of this pack."""
    rules = tuple(rules)
    made: dict[str, Definition[Any]] = {d.name.key: d for d in (pregnancies, episodes, answers_to(r.id for r in rules))}
    made |= {d.name.key: d for define in DEFINITIONS for d in define(pack, tables)}
    made |= {d.name.key: d for d in (rule.definition(pack) for rule in rules)}
    wanted = [name for rule in rules for name in (*rule.reads, *rule.asks_about)]
    wanted += [name for d in made.values() for name in d.reads]
    while wanted:
        name = wanted.pop()
        if name.key not in made and (found := _family(name, tables.prednisone_equivalent)) is not None:
            made[name.key] = found
            wanted += found.reads
    return Plan(made.values(), calendar)
