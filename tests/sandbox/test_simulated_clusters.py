"""Behind a simulated cluster runs a real PostgreSQL server whose logins and databases follow the API."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from sandbox.cluster_servers import PostgresServers, stop_orphans
from sandbox.simulators.servers import Contents
from sandbox.simulators.timeweb.serve import RunningTimeweb, serve
from sandbox.simulators.timeweb.state import Delays
from sandbox.simulators.timeweb.storage import NoStorage

Json = dict[str, Any]
FAST = Delays(0, 0, 0)
PASSWORD = "an-admin-password"
ORDER: Json = {
    "name": "shared-free-1",
    "type": "postgres15",
    "preset_id": 124,
    "admin": {"login": "admin", "password": PASSWORD},
    "instance": {"name": "main"},
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTimeweb]:
    folder = tmp_path_factory.mktemp("cloud")
    servers = PostgresServers(folder / "clusters")
    running = serve(folder, token="t", servers=servers, storage=NoStorage(), delays=FAST, requests_per_second=1000)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def api(cloud: RunningTimeweb) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.url, headers={"Authorization": "Bearer t"}) as client:
        yield client


def ordered(api: httpx.Client, **changes: object) -> str:
    made = api.post("/api/v1/databases", json=ORDER | changes).raise_for_status().json()["db"]
    assert made["status"] == "starting"
    return f"/api/v1/databases/{made['id']}"


def settled(api: httpx.Client, path: str) -> Json:
    for _ in range(600):
        found: Json = api.get(path).json()["db"]
        if found["status"] != "starting":
            return found
        time.sleep(0.05)
    pytest.fail(f"{path} never left `starting`")


@pytest.fixture(scope="module")
def cluster(api: httpx.Client) -> str:
    path = ordered(api)
    assert settled(api, path)["status"] == "started"
    return path


def connect(
    api: httpx.Client, path: str, login: str = "admin", password: str = PASSWORD, database: str = "main"
) -> psycopg.Connection:
    found = api.get(path).json()["db"]
    return psycopg.connect(
        host=found["domains"][0]["fqdn"],
        port=found["port"],
        user=login,
        password=password,
        dbname=database,
        autocommit=True,
    )


def instance_id(api: httpx.Client, path: str, name: str) -> int:
    found = api.get(f"{path}/instances").json()["instances"]
    return next(int(each["id"]) for each in found if each["name"] == name)


def test_the_admin_is_no_superuser_and_may_make_roles_and_schemas(api: httpx.Client, cluster: str) -> None:
    """A37: what a tenant's schema needs, on both role semantics."""
    with connect(api, cluster) as admin:
        rights = admin.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, True, True)
        admin.execute("CREATE ROLE c_acme_owner NOLOGIN")
        with_set = " WITH SET TRUE, INHERIT TRUE" if admin.info.server_version >= 160000 else ""
        admin.execute(f"GRANT c_acme_owner TO admin{with_set}".encode())
        admin.execute("CREATE SCHEMA c_acme AUTHORIZATION c_acme_owner")
        admin.execute("REVOKE ALL ON DATABASE main FROM PUBLIC")
        public = admin.execute("SELECT has_database_privilege('public', 'main', 'CONNECT')").fetchone()
        assert public == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("SELECT 1 FROM pg_shadow")


def test_a_wrong_password_is_refused_and_a_new_one_works(api: httpx.Client, cluster: str) -> None:
    made = api.post(f"{cluster}/admins", json={"login": "second", "password": "first-password"}).json()["admin"]
    connect(api, cluster, "second", "first-password").close()
    assert api.patch(f"{cluster}/admins/{made['id']}", json={"password": "other-password"}).status_code == 200
    connect(api, cluster, "second", "other-password").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(api, cluster, "second", "first-password")
    assert api.delete(f"{cluster}/admins/{made['id']}").status_code == 204
    with pytest.raises(psycopg.OperationalError):
        connect(api, cluster, "second", "other-password")


def test_a_database_comes_goes_and_changes_its_name_and_owner(api: httpx.Client, cluster: str) -> None:
    made = api.post(f"{cluster}/instances", json={"name": "extra"}).json()["instance"]
    connect(api, cluster, database="extra").close()
    owner = api.get(f"{cluster}/admins").json()["admins"][0]["id"]
    change = {"name": "renamed", "owner_id": owner}
    assert api.patch(f"{cluster}/instances/{made['id']}", json=change).status_code == 200
    with connect(api, cluster, database="renamed") as admin:
        found = admin.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'renamed'").fetchone()
        assert found == ("admin",)
        # Sessions do not keep a database alive.
        assert api.delete(f"{cluster}/instances/{made['id']}").status_code == 204
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(api, cluster, database="renamed")


def test_privileges_decide_what_a_login_may_do(api: httpx.Client, cluster: str) -> None:
    order = {
        "login": "reader",
        "password": "pw",
        "privileges": ["SELECT"],
        "instance_id": instance_id(api, cluster, "main"),
    }
    made = api.post(f"{cluster}/admins", json=order).json()["admin"]
    with connect(api, cluster) as admin:
        admin.execute("GRANT CONNECT ON DATABASE main TO reader")
    with connect(api, cluster, "reader", "pw") as reader:
        for statement in (b"CREATE SCHEMA mine", b"CREATE ROLE mine", b"CREATE DATABASE mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
    change = {"privileges": ["SELECT", "CREATE", "CREATEROLE"], "login": "maker"}
    assert api.patch(f"{cluster}/admins/{made['id']}", json=change).status_code == 200
    with connect(api, cluster, "maker", "pw") as maker:
        maker.execute("CREATE SCHEMA mine")
        maker.execute("CREATE ROLE made_by_maker")
    api.delete(f"{cluster}/admins/{made['id']}").raise_for_status()


def test_power_stops_and_starts_the_server_and_its_port_stays(api: httpx.Client, cluster: str) -> None:
    port = api.get(cluster).json()["db"]["port"]
    assert api.post(f"{cluster}/action", json={"action": "shutdown"}).status_code == 201
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user="admin", password=PASSWORD, dbname="main")
    assert api.post(f"{cluster}/action", json={"action": "start"}).status_code == 201
    assert settled(api, cluster)["port"] == port
    connect(api, cluster).close()


def test_a_deleted_cluster_leaves_no_server_and_no_folder(api: httpx.Client, cloud: RunningTimeweb) -> None:
    """Deleting one that still starts is no different."""
    path = ordered(api, type="postgres16")
    assert api.delete(path).status_code == 204
    other = ordered(api, type="postgres18")
    port = settled(api, other)["port"]
    assert api.delete(other).status_code == 204
    folder = Path(cloud.state.database.execute("PRAGMA database_list")[0][2]).parent / "clusters"
    for deleted in (path, other):
        assert api.get(deleted).status_code == 404
        wait_gone(folder / deleted.rsplit("/", 1)[1])
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=port, user="admin", password=PASSWORD, dbname="main")


def wait_gone(folder: Path) -> None:
    for _ in range(600):
        if not folder.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"{folder} is still there")


def test_a_server_that_cannot_start_makes_the_cluster_an_error(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cluster.json").write_text('{"build": "postgres95"}')
    servers = PostgresServers(tmp_path)
    servers.launch(7, "postgres18", Contents({}, ()))
    assert servers.address(7) is None
    assert "postgres95" in (servers.failure(7) or "")
    servers.close()


def test_an_engine_that_is_not_played_never_has_an_address(tmp_path: Path) -> None:
    servers = PostgresServers(tmp_path)
    servers.launch(7, "mysql8_4", Contents({}, ()))
    assert servers.address(7) is None
    assert stop_orphans(tmp_path) == 0
    servers.close()
