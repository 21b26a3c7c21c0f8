"""Which definitions must be derived again when some values changed, and in which order."""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any, Final, TypeAlias

from schemas.days import Calendar
from schemas.definitions import Definition, Reader


class Values(dict[str, Any]):
    """Values by name; one that is not here is as on a chart without facts.

    Topic: most of what is defined says nothing about most patients, so that a chart keeps only what differs.
    """

    __slots__ = ("_usual",)

    def __init__(self, usual: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> None:
        super().__init__(own or {})
        self._usual = usual

    def __missing__(self, key: str) -> Any:
        return self._usual[key]

    def with_changes(self, changed: Mapping[str, Any]) -> "Values":
        """These values but for those that changed."""
        fresh = Values(self._usual, self)
        fresh.update(changed)
        return fresh

    def change(self, key: str, value: Any) -> None:
        """Set a value; the usual one is not kept."""
        if value == self._usual[key]:
            del self[key]
        else:
            self[key] = value


_Entry: TypeAlias = tuple[str, frozenset[str], Definition[Any]]


_REMEMBERED: Final = 4


class Plan:
    """An ordered set of definitions.

    Topic: derived values are kept; a change of base values derives only what reads a changed value, directly or not,
    and stops where a newly derived value equals the old one.
    Errors: graphlib.CycleError for definitions that read each other.
    """

    def __init__(self, definitions: Iterable[Definition[Any]], calendar: Calendar) -> None:
        self.calendar = calendar
        self._definitions = {d.name.key: d for d in definitions}
        graph = {key: [r.key for r in d.reads] for key, d in self._definitions.items()}
        order = list(TopologicalSorter(graph).static_order())
        self.base = frozenset(key for key in order if key not in self._definitions)
        """The names that nothing defines: the chart provides them."""
        self._order = tuple((key, frozenset(graph[key]), self._definitions[key]) for key in order if key in graph)
        self._after: dict[frozenset[str], tuple[_Entry, ...]] = {}

    def _dependents(self, touched: frozenset[str]) -> tuple[_Entry, ...]:
        """What a change of these reaches; wide changes (a whole chart) are too many to remember."""
        if len(touched) > _REMEMBERED:
            return self._order
        known = self._after.get(touched)
        if known is None:
            reached = set(touched)
            found = []
            for entry in self._order:
                if not reached.isdisjoint(entry[1]):
                    reached.add(entry[0])
                    found.append(entry)
            known = self._after[touched] = tuple(found)
        return known

    def derive_all(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Every value, from the base values."""
        values = dict(base)
        reader = Reader(values, self.calendar)
        for key, _, definition in self._order:
            values[key] = definition.derive(reader)
        return values

    def derive_again(self, values: Values, changed: Mapping[str, Any]) -> tuple[Values, set[str]]:
        """The values after a change of base values, and the names of all that changed."""
        if not changed:
            return values, set()
        fresh = values.with_changes(changed)
        touched = set(changed)
        reader = Reader(fresh, self.calendar)
        for key, reads, definition in self._dependents(frozenset(changed)):
            if touched.isdisjoint(reads):
                continue
            value = definition.derive(reader)
            if value != fresh[key]:
                fresh.change(key, value)
                touched.add(key)
        return fresh, touched
