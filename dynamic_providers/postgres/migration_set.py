"""A set of migrations: SQL files with numbers, read in their order, each with a checksum, and all with one version.

`0002_row_level_security.sql` is number 2. The version is the last number with a digest of all of them, `0002-5f1c0c3b`,
so a set that has grown or was edited has another one.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Protocol, Self

from dynamic_providers.errors import ProviderError

PACKAGE = "dynamic_providers.postgres.migrations"
DIGEST_DIGITS = 12
_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")


class LedgerError(ProviderError):
    """A ledger does not fit the set: what was applied is not what the set holds."""


class Entry(Protocol):
    """What a version is made of."""

    @property
    def number(self) -> int:
        """Its place in the order, from 1."""

    @property
    def checksum(self) -> str:
        """SHA-256 of its text, in hex."""


@dataclass(frozen=True)
class Migration:
    """One file; `sql` has plain line ends, so that a checkout that writes others changes no checksum."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


@dataclass(frozen=True)
class Applied:
    """A line of a tenant's ledger."""

    number: int
    name: str
    checksum: str


@dataclass(frozen=True)
class MigrationSet:
    """Migrations without a gap, from number 1 on."""

    migrations: tuple[Migration, ...]

    @classmethod
    def read(cls, folder: Traversable) -> Self:
        """The SQL files of a folder. Raises ValueError for a name that does not fit, a gap or a number given twice."""
        found = []
        for file in folder.iterdir():
            if file.name.endswith(".sql"):
                if not (name := _FILE.fullmatch(file.name)):
                    raise ValueError(f"{file.name} is no name of a migration: use 0001_what_it_makes.sql")
                text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
                found.append(Migration(int(name["number"]), name["name"], text))
        found.sort(key=lambda migration: migration.number)
        for number, migration in enumerate(found, 1):
            if migration.number != number:
                raise ValueError(f"migration {migration} stands where number {number:04} belongs: numbers have no gaps")
        return cls(tuple(found))

    @property
    def version(self) -> str:
        """`0002-5f1c0c3b…`."""
        return version_of(self.migrations)

    def pending(self, ledger: Sequence[Applied], where: str) -> tuple[Migration, ...]:
        """What a ledger lacks, which `where` names in an error.

        Raises LedgerError where an applied migration has another text now, is not in the set, or was passed over.
        """
        known = {migration.number: migration for migration in self.migrations}
        for number, applied in enumerate(sorted(ledger, key=lambda line: line.number), 1):
            ours = known.get(applied.number)
            if ours is None:
                raise LedgerError(
                    f"{where} has migration {applied.number:04}_{applied.name}, which this version of tenantry does not"
                    " know: use the version that has applied it"
                )
            if ours.checksum != applied.checksum:
                raise LedgerError(
                    f"{where} has migration {ours} with another text than it has now: an applied migration is never"
                    " edited; put its text back and write the change as a new one"
                )
            if applied.number != number:
                raise LedgerError(
                    f"{where} lacks the line of migration {number:04} in its ledger, but has a later one: put the line"
                    " back, or drop the ledger to have all migrations applied again"
                )
        return self.migrations[len(ledger) :]


def version_of(entries: Iterable[Entry]) -> str:
    """The version of a set, or of as much of it as a ledger holds; `0000-…` for nothing."""
    lines = [f"{entry.number}:{entry.checksum}\n" for entry in sorted(entries, key=lambda entry: entry.number)]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()[:DIGEST_DIGITS]
    last = lines[-1].partition(":")[0] if lines else "0"
    return f"{int(last):04}-{digest}"


@cache
def packaged() -> MigrationSet:
    """The set of this version of tenantry."""
    return MigrationSet.read(files(PACKAGE))
