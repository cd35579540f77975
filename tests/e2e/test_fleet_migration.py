"""A new migration over two hundred tenants, killed in the middle and carried on: every ledger ends the same.

A run is of one cell, and a cell has a hundred tenants at most: so it is two cells' worth, each with its own server. All
two hundred are minutes of `make kills`; the end-to-end tests have twenty-five in each cell.
"""

import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from components.settings import PROJECT
from tests.e2e.kill_rig import Rig, rigged

ONE_CLUSTER = (("{cap: 100,", "{cap: 300,"),)
# What a checkout is made of, as far as a run needs it.
CHECKOUT = ("billing", "catalogue", "cli", "components", "dynamic_providers", "engines", "lifecycle", "tests/e2e")
FILES = ("__main__.py", "Pulumi.yaml", "Pulumi.sandbox.yaml", "requirements.txt")
NEW = "CREATE TABLE IF NOT EXISTS notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), text text NOT NULL);\n"
MIGRATED = "SELECT count(*) FROM pg_class WHERE relname = 'notes' AND relkind = 'r'"
SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname ^@ 'c_' ORDER BY 1"
# Of one schema: what its ledger holds, and when that was applied.
LEDGER = """
SELECT {schema}, string_agg(concat_ws(' ', number, name, checksum), ', ' ORDER BY number),
    string_agg(applied_at::text, ', ' ORDER BY number) FROM {ledger}
"""
LEFT_BEHIND = "SELECT rolname::text FROM pg_roles WHERE rolname ^@ 'migrate_'"


def newer_checkout(folder: Path) -> Path:
    """A copy of the checkout with a further migration."""
    for name in CHECKOUT:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, folder / name)
    (folder / "dynamic_providers/postgres/migrations/0003_notes.sql").write_text(NEW)
    return folder


def ledgers(rig: Rig) -> dict[str, tuple[str, str]]:
    """Of each tenant's schema, what its ledger holds and when that was applied."""
    parts = [
        sql.SQL(LEDGER).format(schema=sql.Literal(name), ledger=sql.Identifier(name, "schema_migrations"))
        for (name,) in rig.ask(SCHEMAS)
    ]
    return {name: (lines, applied) for name, lines, applied in rig.ask(sql.SQL(" UNION ALL ").join(parts))}


@contextmanager
def killing(rig: Rig, reached: int) -> Iterator[None]:
    """SIGKILL for the run in the block as soon as so many tenants are migrated, whatever it is doing then."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if rig.trigger.pid and rig.ask(MIGRATED)[0][0] >= reached:
                os.kill(rig.trigger.pid, signal.SIGKILL)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def catalogue(tenants: int) -> str:
    """So many tenants on one cluster."""
    rows = (f"  tenant-{number:03}: {{database: {{plan: timeweb-free}}}}\n" for number in range(tenants))
    return "tenants:\n" + "".join(rows)


def migrate(rig: Rig, newer: Path, tenants: int, kill_at: int) -> set[str]:
    """Set a cell up, bring it to the newer checkout in a run that is killed, and carry on; what its ledgers hold."""
    started = time.monotonic()
    assert rig.run("up").answer["failures"] == []
    made = time.monotonic() - started
    before = ledgers(rig)
    assert len(before) == tenants
    rig.clouds["timeweb"].ground.log.clear()
    rig.use(newer)
    pending = rig.run("preview").answer["counts"]
    assert {name: count for name, count in pending.items() if count and name != "same"} == {"update": tenants}
    assert rig.ask(MIGRATED) == [(0,)]

    started = time.monotonic()
    with killing(rig, kill_at):
        assert rig.run("up").killed
    cut_off = {name: found for name, found in ledgers(rig).items() if found[0] != before[name][0]}
    tables = rig.ask(MIGRATED)[0][0]
    assert kill_at <= len(cut_off) == tables < tenants, "a table and its line are there together or not at all"

    resumed = rig.run("resume", options=["--yes"])
    assert resumed.status == 0, resumed.answer
    last = rig.run("up").answer
    migrated = time.monotonic() - started
    assert last["failures"] == []
    assert tenants - len(cut_off) <= last["counts"]["update"] < tenants
    after = ledgers(rig)
    assert {name: after[name] for name in cut_off} == cut_off, "what was applied is not applied again"
    assert rig.ask(LEFT_BEHIND) == []
    again = rig.run("up").answer["counts"]
    assert {name for name, count in again.items() if count} == {"same"}
    assert rig.changes() == [], "nothing was asked of the provider"
    sys.stderr.write(f"{tenants} set up in {made:.0f} s; migrated, killed at {len(cut_off)}, in {migrated:.0f} s\n")
    return {lines for lines, _ in (before | after).values()}


@pytest.mark.parametrize(
    ("tenants", "kills"),
    [
        pytest.param(25, (12, 18), marks=pytest.mark.e2e, id="fifty"),
        pytest.param(100, (25, 70), marks=pytest.mark.kills, id="two hundred"),
    ],
)
def test_a_migration_of_a_fleet_that_is_killed_is_carried_on_and_ends_equal(
    tmp_path: Path, tenants: int, kills: tuple[int, ...]
) -> None:
    """B21: one update per tenant and nothing else; whole migrations whenever it is killed, each applied once."""
    newer = newer_checkout(tmp_path / "newer")
    held: set[str] = set()
    for cell, kill_at in enumerate(kills, 1):
        (tmp_path / f"cell-{cell}").mkdir()
        with rigged(tmp_path / f"cell-{cell}", catalogue(tenants), ONE_CLUSTER) as rig:
            held |= migrate(rig, newer, tenants, kill_at)
    (one,) = held
    assert re.sub(r"[0-9a-f]{64}", "…", one) == "1 profiles_and_projects …, 2 row_level_security …, 3 notes …"
