"""People of a tenant run statements by the command, from `up` to removal, on a whole sandbox."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import application
from lifecycle.errors import RefusedError
from tests.e2e.world import STACK, World

pytestmark = pytest.mark.e2e

APPLICATION = application(["query"])
ANN = "0b9b6a4e-5f5c-4a8e-9d8b-8f3c7f2e1a10"
PEOPLE = {"owner": ANN, "admin": "adam@test.example", "developer": "dora@test.example", "viewer": "vera@test.example"}
TENANT = "test-tenant-123"
FLEET = {
    TENANT: {
        "name": "Test Tenant",
        "owner": {"email": "ann@test.example", "user_id": ANN},
        "members": {user: role for role, user in PEOPLE.items() if role != "owner"},
        "database": {"plan": "timeweb-free"},
    },
    "large": {"name": "Large", "owner": "lee@large.example", "database": {"plan": "timeweb-business"}},
}


@dataclass
class Command:
    """`tenantry query` in this process, on a world that is up."""

    world: World

    def __call__(self, role: str, text: str, *options: str, tenant: str = TENANT) -> dict[str, Any]:
        """The answer; a refusal is raised, as the command's own `main` would tell it."""
        user = PEOPLE.get(role, role)
        words = ["query", tenant, text, "--as", user, "--stack", STACK, "--fleet", str(self.world.fleet)]
        runner = CliRunner(env={**self.world.environ})
        done = runner.invoke(APPLICATION, [*words, "--engine", self.world.engine_name, "--json", *options])
        if done.exception is not None:
            raise done.exception
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the platform database holds."""
        with psycopg.connect(self.world.environ["PLATFORM_DATABASE_URL"]) as connection:
            return connection.execute(query.encode()).fetchall()

    def up(self) -> None:
        """`tenantry up`, with success."""
        result = self.world.engine().up()
        assert result.ok, [failure.message for failure in result.failures]


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    folder: Path = tmp_path_factory.mktemp("query") / "sandbox"
    world = World.start(folder, "embedded", FLEET)
    try:
        command = Command(world)
        command.up()
        yield command
    finally:
        world.stop()


def test_b28_b43_up_records_every_tenant_and_a_second_one_changes_nothing(query: Command) -> None:
    assert query.rows("SELECT id, name, connection_string, plan_type, status FROM platform_tenants ORDER BY id") == [
        ("large", "Large", "pulumi:sandbox/large", "enterprise", "active"),
        (TENANT, "Test Tenant", f"pulumi:sandbox/{TENANT}", "free", "active"),
    ]
    assert not query.world.engine().up(refresh=True).changed


def test_b25_b27_b29_each_role_does_what_it_may_and_every_run_is_counted(query: Command) -> None:
    for role in PEOPLE:
        found = query(role, "SELECT version()")
        assert found["rows"][0]["version"].startswith("PostgreSQL")
        assert (found["rowCount"], found["truncated"]) == (1, False)
        assert found["executionTime"] > 0
    query("admin", "CREATE TABLE notes (id int)")
    assert query("developer", "INSERT INTO notes VALUES (1), (2)")["rowCount"] == 2
    assert query("viewer", "SELECT id FROM notes ORDER BY id", "--rows", "1")["truncated"]
    for role, text in (
        ("viewer", "INSERT INTO notes VALUES (3)"),
        ("developer", "DROP TABLE notes"),
        ("admin", "GRANT SELECT ON notes TO PUBLIC"),
        ("mallory@test.example", "SELECT 1"),
    ):
        with pytest.raises(RefusedError):
            query(role, text)
    query("owner", 'GRANT TRUNCATE ON notes TO "c_test-tenant-123_as_developer"')
    assert query("owner", "SELECT auth.uid()")["rows"] == [{"uid": ANN}]
    # Twelve were let in, three of which failed; the stranger was not.
    assert query.rows("SELECT tenant_id, api_requests, query_executions FROM tenant_usage") == [(TENANT, 12, 12)]


def test_a_dedicated_database_is_queried_the_same_way(query: Command) -> None:
    assert query("lee@large.example", "SELECT current_schema() AS s", tenant="large")["rows"] == [{"s": "public"}]
    with pytest.raises(RefusedError, match=r"^Access denied$"):
        query("owner", "SELECT 1", tenant="large")


def test_b22_b23_nothing_runs_for_a_suspended_tenant_and_a_removed_one_stays_on_record(query: Command) -> None:
    query.world.edit(lambda tenants: tenants["large"].update(state="suspended"))
    query.up()
    with pytest.raises(RefusedError, match="'large' is suspended: no statement is run for it"):
        query("lee@large.example", "SELECT 1", tenant="large")
    query.world.edit(lambda tenants: tenants["large"].update(state="terminated"))
    query.up()
    query.world.edit(lambda tenants: tenants["large"].update(removed={"on": "2026-11-01", "backup": "b-17"}))
    query.up()
    assert query.rows("SELECT status FROM platform_tenants WHERE id = 'large'") == [("deleted",)]
    assert query.rows("SELECT user_id FROM tenant_permissions WHERE tenant_id = 'large'") == []
    with pytest.raises(RefusedError, match=r"^No database found for tenant: large$"):
        query("lee@large.example", "SELECT 1", tenant="large")


def test_no_state_and_no_output_knows_the_platform_database(query: Command) -> None:
    password = query.world.environ["PLATFORM_DATABASE_URL"].split(":")[2].partition("@")[0]
    assert password not in json.dumps(query.world.engine().export())
    assert password not in json.dumps(query.world.engine().outputs(show_secrets=True))
