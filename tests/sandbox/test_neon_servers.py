"""Behind a simulated branch runs a real PostgreSQL server: a copy of its parent's, whose roles follow the API."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from sandbox.cluster_servers import PostgresServers
from sandbox.simulators.neon.serve import Delays, Pace, RunningNeon, serve
from tests.sandbox.neon_rig import KEY, ORDER, Json, client_of

QUICK = Delays(schedule=0, operation=0.01)
UNPACED = Pace(per_minute=100_000, per_second=10_000)


def served(folder: Path) -> RunningNeon:
    return serve(folder, key=KEY, servers=PostgresServers(folder / "servers"), delays=QUICK, pace=UNPACED)


@pytest.fixture(scope="module")
def neon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNeon]:
    running = served(tmp_path_factory.mktemp("neon"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def api(neon: RunningNeon) -> Iterator[httpx.Client]:
    with client_of(neon) as client:
        yield client


def settled(api: httpx.Client, project: str) -> None:
    """Wait until no operation of the project runs; each of them must have finished."""
    for _ in range(600):
        found = {each["status"] for each in api.get(f"{project}/operations").json()["operations"]}
        if found <= {"finished", "failed"}:
            assert found == {"finished"}
            return
        time.sleep(0.05)
    pytest.fail(f"the operations of {project} never ended")


@pytest.fixture(scope="module")
def project(api: httpx.Client) -> str:
    path = f"/projects/{api.post('/projects', json={'project': ORDER}).json()['project']['id']}"
    settled(api, path)
    return path


def branch_of(api: httpx.Client, project: str, name: str = "main") -> str:
    found = api.get(f"{project}/branches", params={"search": name}).json()["branches"]
    return next(str(each["id"]) for each in found if each["name"] == name)


def uri(api: httpx.Client, project: str, branch: str = "main", **wanted: str) -> str:
    query = {
        "branch_id": branch_of(api, project, branch),
        "role_name": "neondb_owner",
        "database_name": "main",
        **wanted,
    }
    return str(api.get(f"{project}/connection_uri", params=query).raise_for_status().json()["uri"])


def connect(address: str) -> psycopg.Connection:
    return psycopg.connect(address, autocommit=True)


@pytest.mark.parametrize("pooled", ["false", "true"])
def test_both_connection_uris_reach_the_database_as_its_owner(api: httpx.Client, project: str, pooled: str) -> None:
    """B4, G20: the version is the project's, as near as one is installed here."""
    with connect(uri(api, project, pooled=pooled)) as owner:
        row = owner.execute(
            "SELECT current_user::text, current_database()::text, datdba::regrole::text "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("neondb_owner", "main", "neondb_owner")


def test_the_uri_of_a_new_project_is_good_once_its_operations_are_done(api: httpx.Client) -> None:
    made = api.post("/projects", json={"project": ORDER}).json()
    path = f"/projects/{made['project']['id']}"
    settled(api, path)
    connect(made["connection_uris"][0]["connection_uri"]).close()
    api.delete(path).raise_for_status()


def test_the_owner_is_no_superuser_and_has_the_rights_the_vendor_gives(api: httpx.Client, project: str) -> None:
    """Its roles make others, read everything and bypass row level security, as its documentation says since 2023."""
    with connect(uri(api, project)) as owner:
        row = owner.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, pg_has_role('neon_superuser', 'MEMBER') "
            "FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True, True, True, True)
        owner.execute("CREATE ROLE a_tenant LOGIN PASSWORD 'x'")
        owner.execute("CREATE SCHEMA made_by_the_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("CREATE ROLE another SUPERUSER")


def test_a_branch_starts_from_its_parents_data_and_goes_its_own_way(api: httpx.Client, project: str) -> None:
    """B6: also a branch that gets its compute later has the data of the moment it was made."""
    with connect(uri(api, project)) as parent:
        parent.execute("CREATE TABLE notes (text text)")
        parent.execute("INSERT INTO notes VALUES ('before')")
        order: Json = {"branch": {"name": "dev"}, "endpoints": [{"type": "read_write"}]}
        made = api.post(f"{project}/branches", json=order).json()
        settled(api, project)
        late = api.post(f"{project}/branches", json={"branch": {"name": "late"}}).json()["branch"]["id"]
        settled(api, project)
        parent.execute("INSERT INTO notes VALUES ('after')")
    api.post(f"{project}/endpoints", json={"endpoint": {"branch_id": late, "type": "read_write"}}).raise_for_status()
    settled(api, project)
    assert made["connection_uris"][0]["connection_uri"] == uri(api, project, "dev")
    for name in ("dev", "late"):
        with connect(uri(api, project, name)) as child:
            assert child.execute("SELECT text FROM notes").fetchall() == [("before",)]
            child.execute("INSERT INTO notes VALUES ('child')")
    with connect(uri(api, project)) as parent:
        assert parent.execute("SELECT text FROM notes ORDER BY text").fetchall() == [("after",), ("before",)]


def test_databases_roles_and_passwords_follow_the_api(api: httpx.Client, project: str) -> None:
    branch = f"{project}/branches/{branch_of(api, project)}"
    made = api.post(f"{branch}/roles", json={"role": {"name": "second"}}).json()["role"]
    settled(api, project)
    order = {"database": {"name": "extra", "owner_name": "second"}}
    api.post(f"{branch}/databases", json=order).raise_for_status()
    settled(api, project)
    address = uri(api, project, role_name="second", database_name="extra")
    assert made["password"] in address
    connect(address).close()
    api.post(f"{branch}/roles/second/reset_password").raise_for_status()
    settled(api, project)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(address)
    assert api.delete(f"{branch}/roles/second").status_code == 422
    change = {"database": {"name": "renamed", "owner_name": "neondb_owner"}}
    api.patch(f"{branch}/databases/extra", json=change).raise_for_status()
    settled(api, project)
    connect(uri(api, project, database_name="renamed")).close()
    for path in ("databases/renamed", "roles/second"):
        api.delete(f"{branch}/{path}").raise_for_status()
        settled(api, project)
    with connect(uri(api, project)) as owner:
        assert owner.execute("SELECT 1 FROM pg_roles WHERE rolname = 'second'").fetchall() == []
        assert owner.execute("SELECT 1 FROM pg_database WHERE datname IN ('extra', 'renamed')").fetchall() == []


def test_a_suspended_compute_ends_its_sessions_and_is_found_again(api: httpx.Client, project: str) -> None:
    address = uri(api, project)
    branch = f"{project}/branches/{branch_of(api, project)}"
    endpoint = f"{project}/endpoints/{api.get(f'{branch}/endpoints').json()['endpoints'][0]['id']}"
    with connect(address) as owner:
        api.post(f"{endpoint}/suspend").raise_for_status()
        with pytest.raises(psycopg.OperationalError):
            owner.execute("SELECT 1")
    settled(api, project)
    connect(address).close()
    api.patch(endpoint, json={"endpoint": {"disabled": True}}).raise_for_status()
    settled(api, project)
    with pytest.raises(psycopg.OperationalError):
        connect(address)
    api.patch(endpoint, json={"endpoint": {"disabled": False}}).raise_for_status()
    settled(api, project)
    connect(address).close()


def test_a_deleted_project_is_out_of_reach_and_comes_back_with_its_data(api: httpx.Client) -> None:
    """B23."""
    path = f"/projects/{api.post('/projects', json={'project': ORDER}).json()['project']['id']}"
    settled(api, path)
    address = uri(api, path)
    with connect(address) as owner:
        owner.execute("CREATE TABLE kept (n int)")
    api.delete(path).raise_for_status()
    with pytest.raises(psycopg.OperationalError):
        connect(address)
    api.post(f"{path}/recover").raise_for_status()
    settled(api, path)
    with connect(address) as owner:
        owner.execute("SELECT n FROM kept")
    api.delete(path).raise_for_status()


def test_a_restart_keeps_the_data_and_the_port(tmp_path: Path) -> None:
    first = served(tmp_path)
    with client_of(first) as api:
        path = f"/projects/{api.post('/projects', json={'project': ORDER}).json()['project']['id']}"
        settled(api, path)
        address = uri(api, path)
        with connect(address) as owner:
            owner.execute("CREATE TABLE kept (n int)")
    first.stop()
    with pytest.raises(psycopg.OperationalError):
        connect(address)
    second = served(tmp_path)
    with client_of(second) as api:
        for _ in range(200):
            if httpx.get(f"{second.url}/_sandbox/inventory").json()["branches"][0]["status"] == "ready":
                break
            time.sleep(0.05)
        assert uri(api, path) == address
        with connect(address) as owner:
            owner.execute("SELECT n FROM kept")
    second.stop()


def test_a_server_that_cannot_start_fails_the_operation(tmp_path: Path) -> None:
    (tmp_path / "servers" / "1002").mkdir(parents=True)
    (tmp_path / "servers" / "1002" / "cluster.json").write_text('{"build": "postgres95"}')
    running = served(tmp_path)
    with client_of(running) as api:
        made = api.post("/projects", json={"project": ORDER}).json()
        assert made["branch"]["id"].endswith("-00001002")
        time.sleep(0.1)
        found = api.get(f"/projects/{made['project']['id']}/operations").json()["operations"]
        failed = [each for each in found if each["status"] == "failed"]
        assert [each["action"] for each in failed] == ["start_compute"]
        assert "postgres95" in failed[0]["error"]
    running.stop()
