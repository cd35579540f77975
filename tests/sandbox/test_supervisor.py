"""One supervisor per folder: it starts quickly, survives being killed, and says in a sentence what hinders it."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from sandbox.control import clear_faults, switch_on
from sandbox.start import ANY_PORTS, Ports, SandboxError, environment, start, status, stop

# Whole sandboxes, each a process of its own with its servers: seconds for each test.
pytestmark = pytest.mark.e2e

EXPECTED = {
    "TIMEWEB_CLOUD_TOKEN",
    "TIMEWEB_API_URL",
    "TIMEWEB_IAM_URL",
    "TIMEWEB_S3_ENDPOINT",
    "TIMEWEB_S3_REGION",
    "TIMEWEB_SSLMODE",
    "TIMEWEB_POLL_SECONDS",
    "NEON_API_KEY",
    "NEON_API_URL",
    "NEON_ORG_ID",
    "NEON_SSLMODE",
    "NEON_POLL_SECONDS",
    "PLATFORM_DATABASE_URL",
    "DIGITALOCEAN_TOKEN",
    "DIGITALOCEAN_API_URL",
    "DIGITALOCEAN_TRUSTED_SOURCES",
    "S3_ENDPOINT",
    "S3_IAM_ENDPOINT",
    "S3_REGION",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "TENANTRY_ADMIN_SECRET",
    "TENANTRY_PG_BIN",
    "BACKUP_ENDPOINT",
    "BACKUP_BUCKET",
    "BACKUP_REGION",
    "BACKUP_ACCESS_KEY",
    "BACKUP_SECRET_KEY",
    "TENANTRY_FLEET",
    "TENANTRY_STATE",
    "TENANTRY_SANDBOX",
    "TENANTRY_RATE_DIR",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    "PULUMI_SKIP_UPDATE_CHECK",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "cloud"
    stop(tmp_path / "cloud")


def api(folder: Path) -> httpx.Client:
    variables = environment(folder)
    return httpx.Client(
        base_url=variables["TIMEWEB_API_URL"], headers={"Authorization": f"Bearer {variables['TIMEWEB_CLOUD_TOKEN']}"}
    )


def test_a_sandbox_is_ready_within_seconds_and_gone_after_a_wipe(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "fleet"
    source.mkdir()
    (tmp_path / "tenants.yaml").write_text("tenants: {}\n")
    (source / "tenants.yaml").symlink_to(tmp_path / "tenants.yaml")
    ready = start(folder, ANY_PORTS, fleet_source=source)
    servers = ("timeweb", "neon", "digitalocean", "platform", "s3")
    assert [(each.name, each.healthy) for each in ready.servers] == [(name, True) for name in servers]
    assert "not durable" in ready.servers[4].note
    variables = environment(folder)
    assert set(variables) == EXPECTED
    assert (folder / "fleet" / "tenants.yaml").read_text() == "tenants: {}\n"
    assert not (folder / "fleet" / "tenants.yaml").is_symlink()
    assert (folder / "pulumi").is_dir()
    for secret in ("secrets.json", "sandbox.json"):
        assert (folder / secret).stat().st_mode & 0o777 == 0o600
    assert stop(folder, wipe=True)
    assert not folder.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(variables["TIMEWEB_API_URL"])


def test_the_platform_database_is_kept_belongs_to_no_superuser_and_shows_no_password(folder: Path) -> None:
    first = start(folder, ANY_PORTS)
    with psycopg.connect(environment(folder)["PLATFORM_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        query = "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(query).fetchone() == (False, False, True)
        password = connection.info.password
    assert password not in repr(status(folder))
    assert first.pid
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    start(folder, ANY_PORTS)
    with psycopg.connect(environment(folder)["PLATFORM_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert stop(folder)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(environment(folder)["PLATFORM_DATABASE_URL"])


def test_a_second_start_changes_nothing_and_says_so(folder: Path) -> None:
    first = start(folder, ANY_PORTS)
    before = environment(folder)
    again = start(folder, ANY_PORTS)
    assert again.already_running
    assert again.pid == first.pid
    assert environment(folder) == before


def test_after_a_kill_everything_durable_is_there_again(folder: Path) -> None:
    """The databases outlive their supervisor and are taken over, on the same port."""
    first = start(folder, ANY_PORTS)
    token = environment(folder)["TIMEWEB_CLOUD_TOKEN"]
    order = {
        "name": "shared-free-1",
        "type": "postgres15",
        "preset_id": 124,
        "admin": {"login": "admin", "password": "pw"},
    }
    with api(folder) as client:
        made = client.post("/api/v1/databases", json=order).json()["db"]
        path = f"/api/v1/databases/{made['id']}"
        found = wait_started(client, path)
    assert first.pid
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert not status(folder).running
    start(folder, ANY_PORTS)
    assert environment(folder)["TIMEWEB_CLOUD_TOKEN"] == token
    with api(folder) as client:
        assert wait_started(client, path)["port"] == found["port"]
        assert client.get("/_sandbox/requests").json()[0]["method"] == "POST"
    psycopg.connect(host="127.0.0.1", port=found["port"], user="admin", password="pw", dbname="default_db").close()
    assert [each.name for each in status(folder).servers] == [
        *("timeweb", "neon", "digitalocean", "platform", "s3"),
        "timeweb postgres shared-free-1",
    ]
    second = status(folder).pid
    assert second
    os.kill(second, signal.SIGKILL)
    os.waitpid(second, 0)
    assert stop(folder), "orphaned databases are ended without a supervisor"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=found["port"], user="admin", password="pw", dbname="default_db")


def wait_started(client: httpx.Client, path: str) -> dict[str, Any]:
    for _ in range(200):
        found: dict[str, Any] = client.get(path).json()["db"]
        if found["status"] == "started":
            return found
        time.sleep(0.1)
    pytest.fail("the cluster did not start")


def test_a_branch_outlives_a_killed_supervisor_and_is_ended_without_one(folder: Path) -> None:
    first = start(folder, ANY_PORTS)
    variables = environment(folder)
    key = {"Authorization": f"Bearer {variables['NEON_API_KEY']}"}
    with httpx.Client(base_url=variables["NEON_API_URL"], headers=key) as neon:
        address = made_project(neon)
    assert first.pid
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    psycopg.connect(address).close()
    assert stop(folder), "orphaned databases are ended without a supervisor"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)


def made_project(neon: httpx.Client) -> str:
    """The connection string of a new project, once its operations are done."""
    made = neon.post("/projects", json={"project": {"name": "acme"}}).json()
    operations = f"/projects/{made['project']['id']}/operations"
    for _ in range(200):
        if {each["status"] for each in neon.get(operations).json()["operations"]} == {"finished"}:
            return str(made["connection_uris"][0]["connection_uri"])
        time.sleep(0.1)
    pytest.fail("the operations did not end")


def test_neon_is_served_struck_by_its_own_faults_and_shown_with_its_databases(folder: Path) -> None:
    start(folder, ANY_PORTS)
    variables = environment(folder)
    key = {"Authorization": f"Bearer {variables['NEON_API_KEY']}"}
    with httpx.Client(base_url=variables["NEON_API_URL"], headers=key) as neon, api(folder) as timeweb:
        switch_on(folder, "unavailable", times=1, simulator="neon")
        assert timeweb.get("/api/v1/databases").status_code == 200
        assert [neon.get("/projects").status_code for _ in range(2)] == [503, 200]
        switch_on(folder, "unavailable", times=0, simulator="neon")
        clear_faults(folder)
        address = made_project(neon)
    psycopg.connect(address).close()
    shown = status(folder).servers[-1]
    assert (shown.name, shown.healthy, shown.note) == ("neon postgres acme/main", True, "ready")
    assert shown.url == f"postgresql://localhost:{httpx.URL(address).port}"


def test_managed_databases_are_served_by_tls_and_shown_and_end_with_the_sandbox(folder: Path) -> None:
    start(folder, ANY_PORTS)
    variables = environment(folder)
    token = {"Authorization": f"Bearer {variables['DIGITALOCEAN_TOKEN']}"}
    order = {"name": "main-1", "engine": "pg", "size": "db-s-1vcpu-1gb", "region": "fra1", "num_nodes": 1}
    with httpx.Client(base_url=f"{variables['DIGITALOCEAN_API_URL']}/v2", headers=token) as managed:
        made = managed.post("/databases", json=order).json()["database"]
        for _ in range(200):
            if managed.get(f"/databases/{made['id']}").json()["database"]["status"] == "online":
                break
            time.sleep(0.1)
    trusted = f"sslmode=verify-full&sslrootcert={folder / 'authority' / 'ca.crt'}"
    address = made["connection"]["uri"].replace("sslmode=require", trusted)
    psycopg.connect(address).close()
    shown = status(folder).servers[-1]
    assert (shown.name, shown.healthy, shown.note) == ("digitalocean postgres main-1", True, "online")
    assert shown.url == f"postgresql://localhost:{made['connection']['port']}"
    assert stop(folder)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(address)


def test_a_taken_port_is_one_clear_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SandboxError) as caught:
            start(folder, Ports(simulator=0, storage=port, database=0))
    assert str(caught.value) == f"port {port} for object storage is taken by another program; choose another port"
    assert not status(folder).running


def test_a_folder_with_other_files_is_neither_taken_nor_wiped(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(SandboxError, match="holds other files"):
        start(folder, ANY_PORTS)
    with pytest.raises(SandboxError, match="no sandbox folder"):
        stop(folder, wipe=True)
    assert (folder / "thesis.txt").exists()
    shutil.rmtree(folder)


def test_what_never_was_started_has_no_environment(folder: Path) -> None:
    with pytest.raises(SandboxError, match="start one first"):
        environment(folder)
    assert not stop(folder)
    assert not status(folder).running


def test_the_shared_sandbox_of_the_tests_answers(sandbox: dict[str, str]) -> None:
    servers = status(Path(sandbox["TENANTRY_SANDBOX"])).servers
    names = ("timeweb", "neon", "digitalocean", "platform", "s3")
    assert [(each.name, each.healthy) for each in servers[:5]] == [(name, True) for name in names]
    assert all(
        each.url.startswith(("http://127.0.0.1:", "postgresql://localhost:", "postgresql://127.0.0.1:"))
        for each in servers
    )
