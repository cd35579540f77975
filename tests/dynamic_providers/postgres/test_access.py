"""The ways to servers as their admins: what is derived, and what DigitalOcean's API is asked, how often."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.configuration import Configuration
from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.access import ACCESSES, Once, Reach, shared_reach
from dynamic_providers.postgres.connection import PostgresError, ServerAbsentError, UnreachableError
from dynamic_providers.postgres.inputs import Server
from tests.engines.native import toy_digitalocean
from tests.engines.native.toy_cloud import TOKEN, Row, ToyCloud, serve

MARK = "tenantry:prod:shared-managed-pro-1-cluster-1"
CLUSTER = "9cc10173-e9ea-4176-9dbc-a4cee4c4ff30"


def server(**changes: object) -> Server:
    asked = {
        "host": "recorded.example",
        "port": 1,
        "database": "tenant_acme",
        "admin_login": "admin",
        "cluster_mark": MARK,
        "access": "digitalocean",
        "server_id": CLUSTER,
    }
    return Server.of(asked | changes)


@dataclass
class Account:
    """A toy account with one cluster, and the ways into it."""

    cloud: ToyCloud
    cluster: Row
    reach: Reach


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    cloud, database = serve(tmp_path, toy_digitalocean.routes, toy_digitalocean.refuse)
    at = {"host": "db.example", "port": 25060, "user": "doadmin", "password": "sentinel", "database": "defaultdb"}
    cluster = cloud.add(
        "databases", {"id": CLUSTER, "name": "prod-shared-1", "engine": "pg", "status": "online", "connection": at}
    )
    yield Account(cloud, cluster, Reach(settings(cloud, tmp_path)))
    assert cloud.server is not None
    cloud.server.stop()
    database.close()


def settings(cloud: ToyCloud, folder: Path) -> Configuration:
    return Configuration(
        digitalocean_token=TOKEN, digitalocean_url=cloud.url, rate_dir=folder / "pace", retry_seconds=2
    )


def test_an_admin_of_ours_has_a_derived_password_and_nobody_is_asked() -> None:
    """A18, facts 3.1: trap 8."""
    reach = Reach(Configuration(admin_secret="s", sslmode="require"))
    found = reach.address(server(access="derived"))
    assert (found.host, found.port, found.database, found.login) == ("recorded.example", 1, "tenant_acme", "admin")
    assert (found.password, found.sslmode, found.ca) == (derive_admin_password("s", MARK), "require", None)


def test_digitalocean_tells_host_admin_and_authority(account: Account) -> None:
    """G24: verify-full with the cluster's own authority; what the state has recorded of the host does not count."""
    found = account.reach.address(server())
    assert (found.host, found.port, found.database, found.login) == ("db.example", 25060, "tenant_acme", "doadmin")
    assert (found.password, found.sslmode, found.ca) == ("sentinel", "verify-full", toy_digitalocean.AUTHORITY)
    assert found.at("defaultdb").maintenance == "defaultdb"
    assert "sentinel" not in repr(found)


def test_a_cluster_is_asked_for_once_whoever_wants_it(account: Account) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: account.reach.address(server(database=f"t{n}")), range(40)))
    assert {each.password for each in found} == {"sentinel"}
    assert account.cloud.calls() == [f"GET /v2/databases/{CLUSTER}", f"GET /v2/databases/{CLUSTER}/ca"]


def test_a_failure_is_not_kept(account: Account) -> None:
    account.cloud.strike("unavailable", "GET", f"^/v2/databases/{CLUSTER}$", times=1)
    assert account.reach.address(server()).host == "db.example"
    account.cluster["connection"] = None
    account.cloud.kinds["databases"]["other"] = {**account.cluster, "id": "other"}
    with pytest.raises(UnreachableError, match="cluster prod-shared-1 has no address yet: it is online"):
        account.reach.address(server(server_id="other"))


def test_a_cluster_that_is_gone_is_said_to_be(account: Account) -> None:
    """G17: by the vendor's own not-found answer, and not by a bare 404."""
    with pytest.raises(ServerAbsentError, match="DigitalOcean has no database cluster gone"):
        account.reach.address(server(server_id="gone"))


def test_a_token_that_may_not_see_the_password_is_one_sentence(account: Account) -> None:
    account.cluster["connection"] = {**account.cluster["connection"], "password": ""}
    with pytest.raises(PostgresError, match="give it the scope database:view_credentials"):
        account.reach.address(server())


def test_an_answer_that_cannot_be_read_shows_no_password(account: Account) -> None:
    account.cluster["connection"] = {**account.cluster["connection"], "port": "sentinel-port"}
    with pytest.raises(ProviderError, match="a cluster cannot be read: connection") as caught:
        account.reach.address(server())
    assert "sentinel" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_a_token_the_setting_is_named() -> None:
    with pytest.raises(ProviderError, match="digitalocean:token"):
        Reach(Configuration()).address(server())


def test_an_access_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(PostgresError, match=f"reached by 'oracle', which is none of {', '.join(ACCESSES)}"):
        Reach(Configuration()).address(server(access="oracle"))


def test_providers_that_are_configured_alike_share_what_they_ask(tmp_path: Path) -> None:
    one, other = Configuration(rate_dir=tmp_path), Configuration(rate_dir=tmp_path, admin_secret="s")
    held = shared_reach(one)
    assert shared_reach(one) is held
    assert shared_reach(other) is not held


def test_whoever_waits_for_a_failing_answer_is_told_and_the_next_one_asks_again() -> None:
    asked, go = [], threading.Event()

    def ask(key: str) -> str:
        asked.append(key)
        go.wait(5)
        if len(asked) == 1:
            raise LookupError(key)
        return key.upper()

    once = Once(ask)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(once.get, "a") for _ in range(2)]
        go.set()
        told = [future.exception() for future in both]
    assert any(isinstance(error, LookupError) for error in told)
    assert once.get("a") == "A"
    assert len(asked) == 2
