"""Behind TLS runs a real server for each managed cluster, and what the API promises is so on it."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from sandbox.authority import open_authority
from sandbox.cluster_servers import stop_orphans
from sandbox.fronted_servers import FrontedServers
from sandbox.simulators.digitalocean.serve import Delays, RunningDigitalOcean, serve
from tests.sandbox.managed_rig import TOKEN, Json, client_of, ordered, status


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("managed")


def with_servers(folder: Path) -> RunningDigitalOcean:
    authority = open_authority(folder / "authority")
    servers = FrontedServers(folder / "servers", authority.server_context())
    return serve(folder, token=TOKEN, servers=servers, certificate=authority.pem, delays=Delays(0, 0))


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[RunningDigitalOcean]:
    running = with_servers(folder)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def real_api(real: RunningDigitalOcean) -> Iterator[httpx.Client]:
    with client_of(real) as client:
        yield client


def online(api: httpx.Client, path: str) -> str:
    for _ in range(600):
        if status(api, path) == "online":
            return path
        time.sleep(0.05)
    pytest.fail(f"{path} never was online")


@pytest.fixture(scope="module")
def cluster(real_api: httpx.Client) -> str:
    return online(real_api, ordered(real_api))


def session(api: httpx.Client, path: str, connection: Json, folder: Path, **changes: object) -> psycopg.Connection:
    """A session on an address of an answer, verified with the certificate that the API gives."""
    trusted = folder / "given-ca.crt"
    trusted.write_bytes(base64.b64decode(api.get(path + "/ca").json()["ca"]["certificate"]))
    asked: dict[str, object] = {
        "host": connection["host"],
        "port": connection["port"],
        "user": connection["user"],
        "password": connection["password"],
        "dbname": connection["database"],
        "sslmode": "verify-full",
        "sslrootcert": str(trusted),
    }
    return psycopg.connect("", autocommit=True, **asked | changes)  # type: ignore[arg-type] # libpq's parameters


def address(api: httpx.Client, path: str) -> Json:
    connection: Json = api.get(path).json()["database"]["connection"]
    return connection


def test_the_admin_is_no_superuser_owns_defaultdb_and_makes_databases_and_roles(
    real_api: httpx.Client, cluster: str, folder: Path
) -> None:
    """B: what a tenant's database is made with; the API sees it although it was made by SQL."""
    with session(real_api, cluster, address(real_api, cluster), folder) as admin:
        rights = "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert admin.execute(rights.encode()).fetchone() == ("doadmin", False, True, True)
        owner = admin.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'defaultdb'").fetchone()
        assert owner == ("doadmin",)
        admin.execute("CREATE ROLE tenant_sql_user LOGIN PASSWORD 'by-sql'")
        admin.execute("CREATE DATABASE tenant_sql")
        admin.execute("REVOKE CONNECT ON DATABASE tenant_sql FROM PUBLIC")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("SELECT 1 FROM pg_authid")
        assert {"name": "tenant_sql"} in real_api.get(cluster + "/dbs").json()["dbs"]
        logins = {each["name"]: each for each in real_api.get(cluster + "/users").json()["users"]}
        assert logins["tenant_sql_user"] == {"name": "tenant_sql_user", "role": "normal", "password": ""}
        assert real_api.post(cluster + "/users", json={"name": "tenant_sql_user"}).status_code == 422
        admin.execute("DROP DATABASE tenant_sql WITH (FORCE)")
        assert real_api.delete(cluster + "/users/tenant_sql_user").status_code == 204


def test_databases_and_users_of_the_api_are_real_and_a_new_password_ends_the_old_one(
    real_api: httpx.Client, cluster: str, folder: Path
) -> None:
    assert real_api.post(cluster + "/dbs", json={"name": "tenant_api"}).status_code == 201
    made = real_api.post(cluster + "/users", json={"name": "tenant_api_user"}).json()["user"]
    where = address(real_api, cluster) | {"user": made["name"], "password": made["password"], "database": "tenant_api"}
    with session(real_api, cluster, where, folder) as user:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            user.execute("CREATE DATABASE mine")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            user.execute("CREATE TABLE mine ()")
    reset = real_api.post(cluster + "/users/tenant_api_user/reset_auth", json={}).json()["user"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        session(real_api, cluster, where, folder)
    session(real_api, cluster, where | {"password": reset["password"]}, folder).close()
    pool = {"name": "api-pool", "mode": "transaction", "size": 2, "db": "tenant_api", "user": "tenant_api_user"}
    pooled = real_api.post(cluster + "/pools", json=pool).json()["pool"]["connection"]
    with session(real_api, cluster, pooled, folder) as user:
        asked = user.execute("SELECT current_database(), current_user::text").fetchone()
        assert asked == ("tenant_api", "tenant_api_user")
    assert real_api.delete(cluster + "/pools/api-pool").status_code == 204
    with pytest.raises(psycopg.OperationalError, match="no such database: api-pool"):
        session(real_api, cluster, pooled, folder)
    assert real_api.delete(cluster + "/users/tenant_api_user").status_code == 204
    assert real_api.delete(cluster + "/dbs/tenant_api").status_code == 204
    with pytest.raises(psycopg.OperationalError):
        session(real_api, cluster, where | {"password": reset["password"]}, folder)


def test_only_trusted_sources_get_an_answer_and_without_any_everybody_does(
    real_api: httpx.Client, cluster: str, folder: Path
) -> None:
    where = address(real_api, cluster)
    rows = ([{"type": "ip_addr", "value": "10.0.0.0/8"}], [{"type": "tag", "value": "web"}])
    for rules in rows:
        assert real_api.put(cluster + "/firewall", json={"rules": rules}).status_code == 204
        with pytest.raises(psycopg.OperationalError, match="closed the connection unexpectedly"):
            session(real_api, cluster, where, folder)
    rules = [*rows[0], {"type": "ip_addr", "value": "127.0.0.1"}]
    assert real_api.put(cluster + "/firewall", json={"rules": rules}).status_code == 204
    session(real_api, cluster, where, folder).close()
    assert real_api.put(cluster + "/firewall", json={"rules": []}).status_code == 204
    session(real_api, cluster, where, folder).close()


def test_a_deleted_cluster_closes_its_ports_and_leaves_no_folder(
    real_api: httpx.Client, cluster: str, folder: Path
) -> None:
    """The neighbour stays."""
    path = ordered(real_api, name="short-lived")
    where = address(real_api, path)
    with pytest.raises(psycopg.OperationalError, match="starting up"):
        session(real_api, path, where, folder)
    online(real_api, path)
    session(real_api, path, where, folder).close()
    assert len(list((folder / "servers").glob("*/cluster.json"))) == 2
    assert real_api.delete(path).status_code == 204
    with pytest.raises(psycopg.OperationalError, match="refused"):
        session(real_api, cluster, where, folder)
    for _ in range(600):
        if len(list((folder / "servers").glob("*/cluster.json"))) == 1:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the deleted cluster's folder is still there")
    session(real_api, cluster, address(real_api, cluster), folder).close()


def test_a_cluster_has_its_ports_and_its_authority_again_after_a_restart(tmp_path: Path) -> None:
    first = with_servers(tmp_path)
    with client_of(first) as api:
        path = online(api, ordered(api))
        where = address(api, path)
    first.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(f"host=localhost port={where['port']} user=doadmin dbname=defaultdb")
    second = with_servers(tmp_path)
    try:
        with client_of(second) as api:
            online(api, path)
            assert address(api, path) == where
            session(api, path, where, tmp_path).close()
    finally:
        second.stop()
    assert stop_orphans(tmp_path / "servers") == 0


def test_a_cluster_without_a_port_is_never_online_and_says_why(tmp_path: Path) -> None:
    """It needs two, and from the last one up there is one."""
    authority = open_authority(tmp_path / "authority")
    servers = FrontedServers(tmp_path / "servers", authority.server_context(), first_port=65535)
    running = serve(tmp_path, token=TOKEN, servers=servers, certificate=authority.pem, delays=Delays(0, 0))
    with client_of(running) as api:
        assert status(api, ordered(api)) == "creating"
        [shown] = api.get("/_sandbox/inventory").json()["clusters"]
    running.stop()
    assert (shown["port"], shown["failure"]) == (None, "no free port for a managed database from 65535 up")
