"""A tenant that writes all the time moves between plans and stores; whatever is killed, it loses nothing.

The small version runs with the other end-to-end tests; `make moves` takes the size of a grown tenant.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalogue.load import load_fleet
from sandbox.postgres import Binaries
from tests.e2e.world import PROJECT, World, bucket_of, connect
from tests.e2e.writer import Writer

pytestmark = pytest.mark.e2e
NOW = "2026-11-24"
DROP = "2026-12-24"
MOVER = {
    "mover": {"name": "Mover", "database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}},
    "other": {"name": "Other", "database": {"plan": "timeweb-free"}},
}


@dataclass
class Stage:
    """A tenant `mover` with data, in a sandbox, and what is done to it."""

    world: World

    def fill(self, rows: int, objects: int) -> None:
        """Give it rows, in a table that the schema's own code looks after, and objects."""
        tenant = self.world.tenants()["mover"]
        assert tenant.database is not None
        assert tenant.storage is not None
        with connect(tenant.database) as session:
            session.execute("CREATE TABLE written (n bigint)")
            session.execute("CREATE TABLE ledger (id bigserial PRIMARY KEY, body text NOT NULL, mail citext)")
            session.execute("CREATE VIEW long_lines AS SELECT * FROM ledger WHERE length(body) > 40")
            session.execute(
                "INSERT INTO ledger (body, mail) SELECT md5(g::text) || repeat('x', g %% 50), 'M@' || g"
                " FROM generate_series(1, %s) AS g",
                [rows],
            )
        client = bucket_of(tenant.storage)
        for number in range(objects):
            client.put_object(
                Bucket=tenant.storage.bucket,
                Key=f"kept/{number}",
                Body=f"object {number}".encode(),
                ContentType="text/plain",
                Metadata={"number": str(number)},
            )
        client.close()

    def figures(self) -> tuple[Any, ...]:
        """What of the tenant's own data is to stay as it is, over any move."""
        tenant = self.world.tenants()["mover"]
        assert tenant.database is not None
        assert tenant.storage is not None
        with connect(tenant.database) as session:
            rows = session.execute("SELECT count(*), md5(string_agg(body || mail, '' ORDER BY id)) FROM ledger")
            found = (rows.fetchone(), session.execute("SELECT count(*) FROM long_lines").fetchone())
        client = bucket_of(tenant.storage)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=tenant.storage.bucket, Prefix="kept/")
        objects = sorted((entry["Key"], entry["ETag"]) for page in pages for entry in page.get("Contents", []))
        head = client.head_object(Bucket=tenant.storage.bucket, Key="kept/7")
        client.close()
        return (*found, objects, head["Metadata"], head["ContentType"])

    def ask(self, section: str, plan: str) -> None:
        """Edit the entry so that it asks for a move, and place."""
        self.world.edit(lambda tenants: tenants["mover"].update({section: {"plan": plan, "migrate": True}}))

    def command(self, line: str, *, kill_at: str = "") -> subprocess.CompletedProcess[str]:
        """`tenantry …`; with `kill_at` it is killed as soon as it tells that phase."""
        arguments = [sys.executable, "-m", "cli.main", *line.split()]
        process = subprocess.Popen(
            arguments,
            cwd=PROJECT,
            env=self.world.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        told: list[str] = []
        assert process.stdout is not None
        for text in process.stdout:
            told.append(text)
            if kill_at and f'"phase": "{kill_at}"' in text:
                time.sleep(0.05)
                process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, "".join(told), errors)

    def move(self, options: str = "", *, kill_at: str = "") -> dict[str, Any]:
        """`tenantry move mover`; the outcome that it tells, {} where it was killed."""
        done = self.command(f"move mover {options} --now {NOW} --yes --json", kill_at=kill_at)
        if kill_at:
            assert done.returncode == -signal.SIGKILL, (kill_at, done.stdout[-500:], done.stderr)
            return {}
        assert done.returncode == 0, (done.stdout[-2000:], done.stderr)
        outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return outcome

    def drop(self) -> None:
        """What is held goes, on its day."""
        done = self.command(f"move --due --now {DROP} --yes --json")
        assert done.returncode == 0, done.stderr

    def stands(self) -> tuple[str, str, int]:
        """The plans that serve the tenant, and how many generations its sections have beside them."""
        tenant = self.world.tenants()["mover"]
        assert tenant.database is not None
        assert tenant.storage is not None
        placement = load_fleet(self.world.fleet).placements.tenants["mover"]
        assert (placement.others != {}) == (tenant.other is not None)
        return tenant.database.plan, tenant.storage.plan, len(placement.others)


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """The tenant in a sandbox of its own, brought up."""
    world = World.start(folder, "embedded", MOVER)
    try:
        world.environ["TENANTRY_PG_BIN"] = str(Binaries.best().folder)
        result = world.engine().up()
        assert result.ok, [failure.message for failure in result.failures]
        yield Stage(world)
    finally:
        world.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A tenant that is to move."""
    with open_stage(tmp_path / "sandbox") as opened:
        yield opened


def test_a_tenant_that_writes_moves_is_killed_half_way_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    """A54, F18, H15: to another plan and store, killed while it is shut out, and back with what it wrote since."""
    stage.fill(rows=1000, objects=20)
    before, login = stage.figures(), stage.world.tenants()["mover"].database
    with Writer.start("mover", tmp_path / "writer", stage.world.environ) as writer:
        stage.ask("database", "timeweb-business")
        stage.ask("storage", "s3-standard")
        stage.move(kill_at="copy")
        outcome = stage.move()
        assert (outcome["done"], outcome["sections"], outcome["drop_after"]) == (
            "moved",
            ["database", "storage"],
            "2026-12-01",
        )
        assert stage.stands() == ("timeweb-business", "s3-standard", 2)
        assert stage.figures() == before
        after = stage.world.tenants()["mover"].database
        assert login is not None
        assert after is not None
        assert (after.login, after.password, after.schema_name) == (login.login, login.password, "public")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            connect(login)
        early = stage.command(f"move mover --drop --now {NOW} --yes")
        assert early.returncode == 5
        assert "held until 2026-12-01" in early.stderr

        time.sleep(0.5)
        back = stage.move("--undo")
        assert back["done"] == "undone"
        assert stage.stands() == ("timeweb-free", "timeweb-s3", 2)
        assert stage.world.read()["tenants"]["mover"] == MOVER["mover"]
        stage.drop()
        writer.stop()
        rows, objects = writer.check(stage.world.tenants()["mover"])
        assert rows > 10
        assert objects > 0
    assert stage.figures() == before
    assert stage.stands() == ("timeweb-free", "timeweb-s3", 0)
    assert [cluster["name"] for cluster in stage.world.inventory()["clusters"]] == ["shared-free-1"]
    assert not stage.world.engine().up(refresh=True).changed
