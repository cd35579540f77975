"""The poolers' files: what is in them, what is not, and when they are written."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from catalogue.load import Fleet
from components.outputs import TenantOutputs, parse_tenants
from components.pooler import PoolerSettings
from dynamic_providers.postgres.verifier import scram_verifier
from lifecycle.pooler import ClusterFiles, Deployment, PoolerError, pooled_clusters, render
from lifecycle.pooler_folder import write
from tests.catalogue.fleets import FleetFolder

FREE, PRO = "timeweb-free", "timeweb-pro"
DEPLOYMENT = Deployment(settings=PoolerSettings(), folder=Path("/etc/pgbouncer/tenantry"))
LIMITS = {FREE: 1, PRO: 9}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Two tenants on a pooled free cluster, one on a pro cluster that is not pooled."""
    (tmp_path / "fleet").mkdir()
    folder = FleetFolder(tmp_path / "fleet")
    folder.edit("plans.yaml", "pooled: false", "pooled: true")
    plans = {"acme": FREE, "beta": FREE, "gamma": PRO}
    rows = [f"  {name}: {{database: {{plan: {plan}}}}}" for name, plan in plans.items()]
    folder.write("tenants.yaml", "\n".join(["tenants:", *rows, ""]))
    return folder.place()


def tenant(fleet: Fleet, name: str, **changes: object) -> TenantOutputs:
    """The outputs of a placed tenant, whose password is its name's."""
    placed = fleet.placements.tenants[name].database
    assert placed is not None
    url = f"postgresql://c_{name}:secret@db.example:5432/main?sslmode=verify-full"
    database = {
        "plan": placed.plan,
        "provider": "timeweb",
        "mode": "shared",
        "region": "ru-1",
        "cluster": placed.cluster,
        "clusterId": "7",
        "host": "db.example",
        "port": 5432,
        "database": "main",
        "schema": f"c_{name}",
        "login": f"c_{name}",
        "connectionLimit": LIMITS[placed.plan],
        "monthlyCost": None,
        "backups": {"interval": "none", "copies": 0, "note": ""},
        "status": "active",
        "branch": "main",
        "features": {"realTime": True, "branches": True, "apiGeneration": True},
        "sslmode": "verify-full",
        "password": f"secret of {name}",
        "databaseUrl": url,
        "directUrl": url,
    }
    found = {"name": name, "state": changes.pop("state", "active"), "cell": 1, "database": {**database, **changes}}
    return parse_tenants({name: found})[name]


def outputs(fleet: Fleet, **states: str) -> dict[str, TenantOutputs]:
    return {name: tenant(fleet, name, state=states.get(name, "active")) for name in fleet.placements.tenants}


def only(files: list[ClusterFiles]) -> ClusterFiles:
    (one,) = files
    return one


def test_each_cluster_of_a_pooled_plan_has_a_database_with_its_budget(fleet: Fleet) -> None:
    """A38, A39, G9: a tenant's pool is its role's limit, the total is the cap without the reserve."""
    files = only(render(fleet, outputs(fleet), DEPLOYMENT))
    assert (files.cluster, files.port, files.tenants) == ("shared-free-1", 6432, 2)
    assert files.configuration.splitlines()[1:] == [
        "[databases]",
        "main = host=db.example port=5432 dbname=main",
        "",
        "[pgbouncer]",
        "listen_addr = *",
        "listen_port = 6432",
        "pool_mode = transaction",
        "default_pool_size = 1",
        "max_db_connections = 95",
        "max_client_conn = 5000",
        "max_prepared_statements = 200",
        "server_login_retry = 0.5",
        "query_wait_timeout = 30",
        "ignore_startup_parameters = options,search_path,extra_float_digits",
        "auth_type = scram-sha-256",
        "auth_file = /etc/pgbouncer/tenantry/shared-free-1/userlist.txt",
        "server_tls_sslmode = verify-full",
        "server_tls_ca_file = /etc/pgbouncer/tenantry/server-ca.crt",
        "client_tls_sslmode = require",
        "client_tls_key_file = /etc/pgbouncer/tenantry/tls.key",
        "client_tls_cert_file = /etc/pgbouncer/tenantry/tls.crt",
        "log_connections = 0",
        "log_disconnections = 0",
    ]


def test_a_server_on_this_machine_is_named_by_the_address_that_it_has(fleet: Fleet) -> None:
    """PgBouncer's resolver may know `localhost` by IPv6 first, and it tries no second address."""
    tenants = {name: tenant(fleet, name, host="localhost") for name in fleet.placements.tenants}
    text = only(render(fleet, tenants, DEPLOYMENT)).configuration
    assert text.splitlines()[2] == "main = host=127.0.0.1 port=5432 dbname=main"


def test_the_user_list_holds_verifiers_and_no_password(fleet: Fleet) -> None:
    """A38: made on our side."""
    files = only(render(fleet, outputs(fleet), DEPLOYMENT))
    assert files.users.splitlines() == [
        f'"c_{name}" "{scram_verifier(f"c_{name}", f"secret of {name}")}"' for name in ("acme", "beta")
    ]
    assert "secret" not in files.users + files.configuration


@pytest.mark.parametrize("state", ["suspended", "terminated"])
def test_a_blocked_tenant_is_left_out(fleet: Fleet, state: str) -> None:
    """Design rule 5."""
    files = only(render(fleet, outputs(fleet, acme=state), DEPLOYMENT))
    assert files.tenants == 1
    assert "c_acme" not in files.users
    assert only(render(fleet, outputs(fleet, acme=state, beta=state), DEPLOYMENT)).users == ""


def test_the_same_fleet_gives_the_same_bytes_in_any_order(fleet: Fleet) -> None:
    tenants = outputs(fleet)
    assert render(fleet, dict(reversed(tenants.items())), DEPLOYMENT) == render(fleet, tenants, DEPLOYMENT)


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ((1, 18), set()),
        ((1, 21), {"max_prepared_statements = 200"}),
        ((1, 24), {"max_prepared_statements = 200", "max_user_client_connections = 50"}),
    ],
)
def test_a_setting_is_written_only_where_the_version_knows_it(
    fleet: Fleet, version: tuple[int, int], known: set[str]
) -> None:
    """An older PgBouncer does not start on a setting it does not know."""
    text = only(render(fleet, outputs(fleet), replace(DEPLOYMENT, version=version))).configuration
    newer = ("max_prepared_statements", "max_user_client_connections")
    assert {line for line in text.splitlines() if line.startswith(newer)} == known


def test_without_transport_security_no_certificate_is_asked_for(fleet: Fleet) -> None:
    plain = replace(DEPLOYMENT, settings=PoolerSettings(sslmode="disable"))
    text = only(render(fleet, outputs(fleet), plain)).configuration
    assert "client_tls_sslmode = disable" in text
    assert "tls.key" not in text


def test_outputs_that_are_behind_the_catalogue_are_refused(fleet: Fleet) -> None:
    """A pool larger than its role's limit would be refused by the server."""
    tenants = outputs(fleet)
    with pytest.raises(PoolerError, match="c_beta on cluster shared-free-1 does not have the limit of its plan yet"):
        render(fleet, tenants | {"beta": tenant(fleet, "beta", connectionLimit=2)}, DEPLOYMENT)
    with pytest.raises(PoolerError, match="the outputs place cluster shared-free-1 at several addresses"):
        render(fleet, tenants | {"beta": tenant(fleet, "beta", port=5433)}, DEPLOYMENT)


def test_a_cluster_that_is_not_up_yet_is_left_out(fleet: Fleet) -> None:
    assert pooled_clusters(fleet.placements, fleet.plans) == ["shared-free-1"]
    assert render(fleet, {"gamma": tenant(fleet, "gamma")}, DEPLOYMENT) == []


def files(cluster: str = "shared-free-1", users: str = '"c_acme" "x"\n') -> ClusterFiles:
    header = "; Written by `tenantry pooler render`, which overwrites what is edited here.\n"
    return ClusterFiles(cluster, 6432, 1, header + "[databases]\n", users)


def inodes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_files_are_the_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    """A38: mode 0600, in folders that nobody else enters."""
    before = os.umask(0)
    try:
        write(tmp_path / "files", [files()], [])
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "files").rglob("*")}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


def test_only_what_changed_is_written_again(tmp_path: Path) -> None:
    """A reload reads no more than it must."""
    folder = tmp_path / "files"
    assert write(folder, [files(), files("shared-free-2")], []).changed == ("shared-free-1", "shared-free-2")
    before = inodes(folder)
    assert write(folder, [files(), files("shared-free-2")], []).changed == ()
    assert inodes(folder) == before
    assert write(folder, [files(users=""), files("shared-free-2")], []).changed == ("shared-free-1",)
    changed = {name for name, inode in inodes(folder).items() if before[name] != inode}
    assert changed == {"shared-free-1/userlist.txt"}


def test_a_file_that_was_opened_to_others_is_closed_again(tmp_path: Path) -> None:
    write(tmp_path / "files", [files()], [])
    users = tmp_path / "files" / "shared-free-1" / "userlist.txt"
    users.chmod(0o644)
    write(tmp_path / "files", [files()], [])
    assert stat.S_IMODE(users.stat().st_mode) == 0o600


def test_a_cluster_that_is_gone_loses_its_files_and_one_that_is_only_away_keeps_them(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    write(folder, [files(name) for name in ("shared-free-1", "shared-free-2", "shared-free-3")], [])
    (folder / "tls.key").write_text("the operator's")
    (folder / "notes").mkdir()
    written = write(folder, [files()], ["shared-free-2"])
    assert (written.changed, written.removed) == ((), ("shared-free-3",))
    assert {path.name for path in folder.iterdir()} == {
        *("shared-free-1", "shared-free-2", "tls.key", "notes", ".tenantry-pooler")
    }


def _foreign_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "passwd").write_text("not ours")


def _file_in_its_place(folder: Path) -> None:
    folder.write_text("a file")


def _link_in_the_cluster_s_place(folder: Path) -> None:
    write(folder, [], [])
    (folder / "shared-free-1").symlink_to(folder.parent)


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (_foreign_file, "holds other files; give the poolers' files a folder of their own"),
        (_file_in_its_place, "is no folder: name one for the poolers' files"),
        (_link_in_the_cluster_s_place, "is no folder of ours: remove it"),
    ],
)
def test_a_place_that_is_not_ours_is_left_as_it_is(
    tmp_path: Path, prepare: Callable[[Path], None], sentence: str
) -> None:
    prepare(tmp_path / "files")
    before = {path: path.lstat().st_mode for path in [tmp_path, *tmp_path.rglob("*")]}
    with pytest.raises(PoolerError, match=sentence):
        write(tmp_path / "files", [files()], [])
    assert {path: path.lstat().st_mode for path in [tmp_path, *tmp_path.rglob("*")]} == before
