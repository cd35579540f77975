"""Figures: what was compared, both measurements, the ratio, and the bound that it is held against."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
STACK = "sandbox"
RUNS = 3


@dataclass(frozen=True)
class Figure:
    """`first` beside `second`, each with a name; `bound` is what their ratio must not pass, None where it only informs.

    `at_least` turns the bound round: a gain that must be reached.
    """

    what: str
    first: tuple[str, float]
    second: tuple[str, float]
    unit: str = "s"
    bound: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float:
        """The first divided by the second."""
        return self.first[1] / self.second[1]

    @property
    def holds(self) -> bool:
        """Whether the ratio keeps its bound."""
        if self.bound is None:
            return True
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def __str__(self) -> str:
        measured = ", ".join(f"{name} {value:.4g} {self.unit}" for name, value in (self.first, self.second))
        word = "at least" if self.at_least else "at most"
        bound = f" ({word} {self.bound:g}{'' if self.holds else ': MISSED'})" if self.bound is not None else ""
        return f"{self.what}: {measured}: ratio {self.ratio:.2f}{bound}"

    def as_json(self) -> dict[str, object]:
        """The figure for a program."""
        return {
            "what": self.what,
            "measured": dict((self.first, self.second)),
            "unit": self.unit,
            "ratio": round(self.ratio, 3),
            "bound": self.bound,
            "holds": self.holds,
        }


# What a part yields: a figure, or a remark on what is going on.
Rows = Iterator[Figure | str]


def seconds(act: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of an act."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
