"""Faults of the catalogue: a `Problem` for each with its place in a file, and the exception with all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

KeyPath = tuple[str | int, ...]
Finding = tuple[KeyPath, str]
"""A fault before it has a line: where in the document, and the sentence."""

# Longer words are no slips of the pen; comparing them would only cost time.
LONGEST_SLIP = 60


@dataclass(frozen=True, order=True)
class Problem:
    """A fault at a place; `line` and `column` count from 1, `path` is dotted and may be empty."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class CatalogueError(Exception):
    """Every problem of the catalogue at once, sorted by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: KeyPath) -> str:
    """`("servers", "web-1", "ssh_keys", 0)` is `servers.web-1.ssh_keys[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def shown(text: str) -> str:
    """Text from a file as a message may carry it: one line, printable, short."""
    clean = text if text.isprintable() else ascii(text)[1:-1]
    return clean if len(clean) <= LONGEST_SLIP else f"{clean[:LONGEST_SLIP]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known word is near."""
    near: Sequence[str] = get_close_matches(word, list(known), 1) if len(word) <= LONGEST_SLIP else ()
    return f" (did you mean '{near[0]}'?)" if near else ""
