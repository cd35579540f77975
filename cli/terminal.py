"""Where commands write: results to stdout, diagnostics to stderr, machine-readable output plainly."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

results = Console(highlight=False)
diagnostics = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line of a result."""
    results.print(text, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """One line of a diagnostic."""
    diagnostics.print(text, markup=False, soft_wrap=True)


def emit(value: object, *, indent: int | None = 2) -> None:
    """A JSON document on stdout, past Rich, which would wrap and colour it; `indent=None` puts it on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of text that is not ours, so none of it is read as markup."""
    view = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        view.add_row(*(escape(cell) for cell in row))
    # A captured table is read by programs and in logs: there it is as wide as its content.
    (results if results.is_terminal else Console(width=220, highlight=False)).print(view)


def counts_text(counts: Mapping[Any, int]) -> str:
    """`12 create, 3 same`, in a fixed order, without zeros."""
    order = ("create", "update", "replace", "delete", "refresh", "read", "same")
    return ", ".join(f"{counts[name]} {name}" for name in order if counts.get(name)) or "nothing to do"
