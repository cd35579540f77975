"""Ten tenants on one cluster: backed up, one damaged and brought back, while the other nine write on untouched."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from cli.databases import Databases
from cli.main import application
from cli.options import EngineName
from lifecycle.contents import Contents, contents
from lifecycle.courier import TenantPlace, connect
from lifecycle.errors import MistakeError
from lifecycle.programs import Programs
from tests.e2e import world as worlds
from tests.e2e.world import STACK, World

pytestmark = pytest.mark.e2e

APPLICATION = application(["backup", "restore"])
TEN = [f"tenant-{number}" for number in range(10)]
FLEET = {name: {"name": name, "database": {"plan": "timeweb-pro"}} for name in TEN} | {
    "solo": {"name": "Solo", "database": {"plan": "timeweb-business"}},
    "free": {"name": "Free", "database": {"plan": "timeweb-free"}},
}
HURT, NEIGHBOURS = TEN[3], [name for name in TEN if name != TEN[3]]
DATA = """
CREATE TABLE things (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text UNIQUE);
CREATE TABLE parts (thing int REFERENCES things, n numeric); CREATE TABLE ticks (n int PRIMARY KEY);
INSERT INTO things (what) SELECT current_user || g FROM generate_series(1, 400) AS g;
INSERT INTO parts SELECT id, id / 3.0 FROM things
"""
# A check that takes its time while a copy is loaded: what a kill can hit.
SLOW = """
CREATE FUNCTION slowly(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
IF session_user ^@ 'copy_' THEN PERFORM pg_sleep(0.3); END IF; RETURN true; END $$;
CREATE TABLE slow (n int CHECK (slowly(n))); INSERT INTO slow SELECT generate_series(1, 4)
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Ten tenants of one plan, one with a cluster to itself, one without backups; all with data."""
    made = World.start(tmp_path_factory.mktemp("backups") / "sandbox", "embedded", FLEET)
    try:
        assert made.engine().up().ok
        for name, tenant in made.tenants().items():
            if tenant.database:
                with worlds.connect(tenant.database) as connection:
                    connection.execute(DATA + ("; " + SLOW if name == HURT else ""))
        yield made
    finally:
        made.stop()


def start(world: World, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        env=world.environ,
        cwd=worlds.PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(world: World, *arguments: str) -> str:
    """What a command prints; in this process, since a start of Python costs more than the command."""
    done = CliRunner().invoke(APPLICATION, list(arguments), env=world.environ, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def act(place: TenantPlace, statement: str, *tables: str) -> tuple[object, ...] | None:
    """A statement on the tenant's tables by its owner."""
    words = [sql.Identifier(place.schema, table) for table in tables]
    with connect(place.address) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(place.owner)))
        cursor = connection.execute(sql.SQL(statement).format(*words))
        return cursor.fetchone() if cursor.description else None


def listed(world: World, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(world, "backup", "--list", name, "--json"))
    return found


def places(world: World) -> dict[str, TenantPlace]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in world.environ.items():
            patch.setenv(name, value)
        databases = Databases.open(STACK, world.fleet, EngineName.embedded)
        return {name: databases.subject(name).place for name in databases.names}


def figures(place: TenantPlace) -> Contents:
    """The tenant's tables but the one that is written to, as the cluster's admin."""
    with connect(place.address) as connection:
        found = contents(connection, place.schema)
    return Contents(tables={name: table for name, table in found.tables.items() if name != "ticks"}, sequences={})


def pages(place: TenantPlace, programs: Programs) -> bytes:
    """The tenant's whole schema as pg_dump writes it, without the rows that are written to or under forced policies."""
    without = [f'--exclude-table-data="{place.schema}".{table}' for table in ("ticks", "profiles", "projects")]
    options = [f'--schema="{place.schema}"', *without, "--restrict-key=x"]
    with programs.dumping(place.address, options) as output:
        return output.read()


@contextmanager
def writing(world: World, names: list[str]) -> Iterator[dict[str, int]]:
    """Each tenant writes a row at a time; the mapping tells how many each had acknowledged in the end."""
    stop, written = threading.Event(), dict.fromkeys(names, 0)
    failures: list[psycopg.Error] = []
    tenants = world.tenants()

    def write(name: str) -> None:
        database = tenants[name].database
        assert database is not None
        try:
            with worlds.connect(database) as connection:
                while not stop.wait(0.01):
                    connection.execute("INSERT INTO ticks VALUES (%s)", [written[name]])
                    written[name] += 1
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    try:
        yield written
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """As a machine that loses power: no handler runs."""
    with process:
        deadline = time.monotonic() + 30
        while not reached():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


def test_a_restore_of_one_of_ten_leaves_the_other_nine_to_the_byte(world: World) -> None:
    """A50, G15, G3, F18, H9; A46: `free` has none. A kill in the upload or in the load leaves nothing half done."""
    programs, there = Programs.find(world.environ), places(world)
    hurt, tables = there[HURT], figures(there[HURT])
    with writing(world, NEIGHBOURS) as written:
        before = {name: (figures(there[name]), pages(there[name], programs)) for name in NEIGHBOURS}
        taken = run(world, "backup", "--due")
        assert sum(line.startswith("backup b-") for line in taken.splitlines()) == 11
        assert listed(world, "free") == []
        assert run(world, "backup", "--due") == "", "a slot has one backup"

        first = listed(world, HURT)
        _kill_in_upload(world)
        assert listed(world, HURT) == first

        act(hurt, "DROP TABLE {}", "parts")
        act(hurt, "DELETE FROM {}", "things")
        damaged = figures(hurt)
        _kill_in_load(world, hurt)
        assert figures(hurt) == damaged

        said = run(world, "restore", HURT, "--yes")
        assert "806 rows in 7 tables verified" in said
        assert figures(hurt) == tables
        assert {name: (figures(there[name]), pages(there[name], programs)) for name in NEIGHBOURS} == before
    for name in NEIGHBOURS:
        found = act(there[name], "SELECT count(*), max(n) FROM {}", "ticks")
        assert found == (written[name], written[name] - 1)
    assert min(written.values()) > 10
    assert not world.engine().preview(refresh=True).changed, "the next `up` has nothing to do"


def _kill_in_upload(world: World) -> None:
    store = world.environ["BACKUP_ENDPOINT"]
    order = {"name": "slow", "method": "PUT", "path": ".*archive.zip", "times": 1, "options": {"seconds": 2}}
    httpx.post(f"{store}/_sandbox/faults", json=order).raise_for_status()

    def uploading() -> bool:
        requests = httpx.get(f"{store}/_sandbox/requests").json()
        return any(entry["fault"] == "slow" for entry in requests)

    kill_when(start(world, "backup", HURT), uploading)


def _kill_in_load(world: World, hurt: TenantPlace) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename ^@ 'copy_' AND query ^@ 'COPY'"
    with psycopg.connect(
        host=hurt.address.host,
        port=hurt.address.port,
        dbname=hurt.address.database,
        user=hurt.address.login,
        password=hurt.address.password,
        autocommit=True,
    ) as watch:
        kill_when(start(world, "restore", HURT, "--yes"), lambda: watch.execute(query).fetchone() == (1,))


def test_a_tenant_with_a_cluster_to_itself_is_restored_and_dropped_what_was_kept(world: World) -> None:
    there = places(world)["solo"]
    backup = json.loads(run(world, "backup", "solo", "--json"))
    before = figures(there)
    act(there, "TRUNCATE {}, {}", "parts", "things")
    said = run(world, "restore", "solo", "--yes", "--backup", backup["id"], "--json")
    assert json.loads(said)["kept_as"].startswith("public_")
    assert figures(there) == before
    assert not world.engine().preview(refresh=True).changed
    assert "public_2" in run(world, "restore", "solo", "--drop-old", "--yes")


def test_drills_write_receipts_beside_the_state_and_into_the_store(world: World) -> None:
    """F32: backup, rows, checksum, seconds and age beside the promise."""
    run(world, "backup", "--due")
    said = run(world, "restore", "--drill", "--seed", "7", "--json")
    drilled = {line["plan"]: line for line in map(json.loads, said.splitlines())}
    assert drilled.keys() == {"timeweb-pro", "timeweb-business"}
    promised = {plan: line["promised_age_seconds"] for plan, line in drilled.items()}
    assert promised == {"timeweb-pro": 86400, "timeweb-business": 3600}
    assert all(line["age_within_promise"] and line["rows"] >= 800 for line in drilled.values())
    kept = sorted((Path(world.environ["TENANTRY_STATE"]) / "receipts").glob("*-drill-*.json"))
    assert sorted(json.loads(path.read_text())["tenant"] for path in kept) == sorted(
        line["tenant"] for line in drilled.values()
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backup", "nobody"], "'nobody' has no database"),
        (["restore", "free", "--yes"], "free has no backup"),
        (["restore", TEN[0], "--backup", "b-17", "--yes"], "no backup 'b-17'"),
        (["restore", TEN[0], "--at", "2020-01-01", "--yes"], "no backup of 2020-01-01 or before"),
        (["restore", "--drill", "--plan", "timeweb-free"], "nothing to drill"),
    ],
)
def test_a_mistake_is_one_sentence(world: World, arguments: list[str], sentence: str) -> None:
    with pytest.raises(MistakeError, match=sentence):
        run(world, *arguments)


def test_a_mistake_ends_with_exit_1_and_nothing_but_its_sentence(world: World) -> None:
    with start(world, "restore", "free", "--yes") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert "free has no backup" in err
