"""A set of migrations is read in order, without a gap, and its version changes with any of them."""

from pathlib import Path

import pytest

from dynamic_providers.postgres.migration_set import (
    Applied,
    LedgerError,
    Migration,
    MigrationSet,
    packaged,
    version_of,
)

ONE, TWO = Migration(1, "one", "SELECT 1;\n"), Migration(2, "two", "SELECT 2;\n")
BOTH = MigrationSet((ONE, TWO))


def line(migration: Migration) -> Applied:
    return Applied(migration.number, migration.name, migration.checksum)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sql").write_bytes(text.encode())
    return folder


def test_files_are_read_by_their_numbers_whatever_ends_their_lines(tmp_path: Path) -> None:
    """B21."""
    folder = write(tmp_path, **{"0002_two": "SELECT 2;\r\n", "0001_one": "SELECT 1;\n"})
    (folder / "notes.txt").write_text("no migration")
    assert MigrationSet.read(folder) == BOTH
    assert [str(migration) for migration in BOTH.migrations] == ["0001_one", "0002_two"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"0001_one": "", "0003_three": ""}, "0003_three stands where number 0002 belongs"),
        ({"0001_one": "", "0001_other": ""}, "stands where number 0002 belongs"),
        ({"1_one": ""}, "1_one.sql is no name of a migration"),
        ({"0001_One": ""}, "0001_One.sql is no name of a migration"),
    ],
)
def test_a_gap_a_number_twice_and_another_name_are_refused(
    tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        MigrationSet.read(write(tmp_path, **files))


def test_the_version_is_the_last_number_and_changes_with_every_text() -> None:
    versions = [
        version_of([]),
        version_of([ONE]),
        BOTH.version,
        MigrationSet((ONE, Migration(2, "two", "SELECT 3;\n"))).version,
        MigrationSet((Migration(1, "one", "SELECT 0;\n"), TWO)).version,
    ]
    assert [version.partition("-")[0] for version in versions] == ["0000", "0001", "0002", "0002", "0002"]
    assert len(set(versions)) == 5
    assert version_of([line(TWO), line(ONE)]) == BOTH.version


def test_a_ledger_tells_what_is_pending() -> None:
    assert BOTH.pending([], "x") == (ONE, TWO)
    assert BOTH.pending([line(ONE)], "x") == (TWO,)
    assert BOTH.pending([line(TWO), line(ONE)], "x") == ()


@pytest.mark.parametrize(
    ("ledger", "sentence"),
    [
        ([Applied(1, "one", "other")], "acme has migration 0001_one with another text than it has now: an applied"),
        ([line(ONE), line(TWO), Applied(3, "three", "x")], "acme has migration 0003_three, which this version"),
        ([line(TWO)], "acme lacks the line of migration 0001"),
    ],
)
def test_a_ledger_that_does_not_fit_is_one_sentence(ledger: list[Applied], sentence: str) -> None:
    """B21: edited, newer, passed over."""
    with pytest.raises(LedgerError, match=sentence):
        BOTH.pending(ledger, "acme")


def test_the_packaged_set_is_whole_names_no_schema_but_auth_and_leaves_transactions_alone() -> None:
    """B12 to B19; a schema's name would be wrong on half of the databases, a COMMIT would part work from ledger."""
    names = [str(migration) for migration in packaged().migrations]
    assert names[:2] == ["0001_profiles_and_projects", "0002_row_level_security"]
    for migration in packaged().migrations:
        words = migration.sql.upper().split()
        assert not {"COMMIT;", "ROLLBACK;", "BEGIN;", "CONCURRENTLY"} & set(words)
        assert "public." not in migration.sql
