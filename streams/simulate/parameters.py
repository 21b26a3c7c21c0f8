"""What the simulated population is like: the figures of parameters.toml, each with its source."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

FLAGS: Final = frozenset({"lit", "derived", "recall", "heuristic"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One figure. `rare`: `--enrich` multiplies it, up to `most`."""

    value: float
    unit: str
    flag: str
    source: str
    rare: bool = False
    most: float = 0.5


@cache
def packaged() -> Mapping[str, Parameter]:
    """Every figure by name; those of the hospital's mix as `mix.TYPE`."""
    content = tomllib.loads(files("streams.simulate").joinpath("parameters.toml").read_text("utf-8"))
    mix: dict[str, Any] = content.pop("mix")
    named = content | {f"mix.{name}": row for name, row in mix.items()}
    return {name: Parameter(**row) for name, row in named.items()}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures in force."""

    values: Mapping[str, float]

    @classmethod
    def enriched(cls, times: float = 1) -> "Figures":
        """The packaged figures; what is rare is so many times as frequent."""
        return cls({name: _frequency(p, times) for name, p in packaged().items()})

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def _frequency(given: Parameter, times: float) -> float:
    return min(given.value * times, max(given.value, given.most)) if given.rare else given.value
