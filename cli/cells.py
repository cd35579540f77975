"""Which stacks a command means: the cells of a fleet, their stack files, and what of the catalogue each of them has."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from catalogue.load import Fleet
from catalogue.slice import cell_files
from cli.applied import fingerprint, surroundings
from components.settings import PROJECT
from engines.engine import UserError

CELLS = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")
NAMED = 3


@dataclass(frozen=True)
class Cell:
    """A stack, what its program will read of the catalogue, and the digest of what it reads beside it."""

    stack: str
    files: Mapping[str, str]
    around: str

    @property
    def fingerprint(self) -> str:
        """The digest of all that its program reads."""
        return fingerprint(self.files, self.around)

    @property
    def still(self) -> bool:
        """Whether code, configuration and environment are what they were: the catalogue is the cell's own copy."""
        return surroundings(PROJECT, _stack_file(self.stack), os.environ) == self.around


def stacks(fleet: Fleet, stack: str, cells: str | None = None) -> list[str]:
    """The stacks behind a name: a base stack means all its cells, each with its link to the one stack file.

    `cells` chooses some of them: `1,4-7`. Raises `EngineError` where there is no stack file or no such cell.
    """
    return list(numbers(fleet, stack, cells))


def numbers(fleet: Fleet, stack: str, cells: str | None = None, known: Iterable[str] = ()) -> dict[str, int]:
    """The stacks behind a name and their cells' numbers.

    `known` stacks have a state: a cell whose last cluster was dropped holds nothing any more, but its stack does.
    """
    base = base_stack(stack)
    if base != stack:
        number = (stack.removeprefix(f"{base}-") if base else "") or "1"
        found = {stack: int(number) if number.isdigit() else 1}
    else:
        further = re.compile(re.escape(stack) + r"-([2-9]|[1-9]\d{1,5})")
        emptied = {int(match[1]) for name in known if (match := further.fullmatch(name))}
        all_cells = sorted(emptied.union(fleet.placements.cells))
        link_cells(stack, all_cells)
        found = {stack if number == 1 else f"{stack}-{number}": number for number in all_cells}
    if cells is None:
        return found
    wanted = parse_cells(cells)
    if missing := sorted(wanted - set(found.values())):
        raise UserError(f"stack '{stack}' has no cell {missing[0]}: its cells are {_ranges(found.values())}")
    return {name: number for name, number in found.items() if number in wanted}


def base_stack(stack: str) -> str | None:
    """The base stack that a stack's file names. Raises `UserError` where there is no file."""
    base = stack_settings(stack).get("tenantry:baseStack")
    return None if base is None else str(base)


def stack_settings(stack: str) -> dict[str, Any]:
    """The configuration in a stack's file as it stands there, secrets encrypted. Raises `UserError` without a file."""
    file = PROJECT / f"Pulumi.{stack}.yaml"
    if not file.exists():
        raise UserError(f"there is no Pulumi.{stack}.yaml beside Pulumi.yaml: create it, or name another stack")
    return dict((YAML(typ="safe").load(file) or {}).get("config") or {})


def link_cells(stack: str, cells: Iterable[int]) -> None:
    """Make the stack file of each cell after the first a link to the base stack's.

    It must be there before the stack is: one salt for all cells, so that a plain `pulumi up` works in each.
    """
    for number in cells:
        link = PROJECT / f"Pulumi.{stack}-{number}.yaml"
        if number > 1 and not link.exists():
            # Another run may be making it too.
            with suppress(FileExistsError):
                link.symlink_to(f"Pulumi.{stack}.yaml")


def parse_cells(text: str) -> set[int]:
    """The numbers of `1,4-7`. Raises `EngineError` for anything else."""
    if CELLS.fullmatch(text.replace(" ", "")) is None:
        raise UserError(f"--cells '{text}' is no list of cells: write it like 1,4-7")
    wanted: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        wanted.update(range(int(first), int(last or first) + 1))
    return wanted


def cells_of(fleet: Fleet, found: Mapping[str, int]) -> Iterator[Cell]:
    """The cells with what they read. The same catalogue, code and configuration give the same fingerprints."""
    prices = (fleet.folder / "prices.yaml").read_text(encoding="utf-8")
    around: dict[Path, str] = {}
    for stack, number in found.items():
        file = _stack_file(stack)
        if file not in around:
            around[file] = surroundings(PROJECT, file, os.environ)
        yield Cell(stack, cell_files(fleet, number, prices), around[file])


def _stack_file(stack: str) -> Path:
    return (PROJECT / f"Pulumi.{stack}.yaml").resolve()


def named(found: Sequence[str]) -> str:
    """Names for a question or a sentence; of many only the first."""
    if len(found) <= NAMED + 1:
        return ", ".join(found)
    return f"{', '.join(found[:NAMED])} and {len(found) - NAMED} more"


def _ranges(found: Iterable[int]) -> str:
    """`1-3, 7` of 1, 2, 3 and 7."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
