"""Databases and admin logins inside a simulated cluster."""

from typing import Any

import pytest

from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.errors import StatefulChangeError
from dynamic_providers.timeweb.admin import AdminProvider
from dynamic_providers.timeweb.database import DatabaseProvider
from dynamic_providers.timeweb.session import TimewebProvider
from sandbox.simulators.control import Edit
from sandbox.simulators.timeweb.inventory import edit
from tests.dynamic_providers.timeweb.conftest import ADMIN_SECRET, Account, drift

CLUSTER_MARK = "tenantry:prod:shared-pro-1-cluster-1"
PASSWORD = derive_admin_password(ADMIN_SECRET, CLUSTER_MARK)


@pytest.fixture
def cluster(account: Account) -> str:
    fields = {"name": "shared-pro-1", "type": "postgres15", "preset_id": 124, "description": CLUSTER_MARK}
    id_ = str(account.session.timeweb.create_cluster(fields).id)
    account.edit("cluster", id_, status="started")
    account.running.log.clear()
    return id_


@pytest.fixture
def database(cluster: str) -> dict[str, Any]:
    return {"cluster_id": cluster, "name": "main", "mark": "tenantry:prod:shared-pro-1-main-1"}


@pytest.fixture
def admin(cluster: str) -> dict[str, Any]:
    return {
        "cluster_id": cluster,
        "login": "admin",
        "privileges": ["SELECT", "CREATEROLE", "CREATEDB"],
        "cluster_mark": CLUSTER_MARK,
        "mark": "tenantry:prod:shared-pro-1-admin-1",
    }


KINDS = pytest.mark.parametrize(
    ("kind", "wanted_by", "path"),
    [(DatabaseProvider, "database", "instances"), (AdminProvider, "admin", "admins")],
    ids=["database", "admin"],
)


@KINDS
def test_it_is_made_once_found_again_and_deleted_for_certain(
    account: Account, request: pytest.FixtureRequest, kind: type[TimewebProvider], wanted_by: str, path: str
) -> None:
    """G43, G16."""
    wanted = request.getfixturevalue(wanted_by)
    at = f"/api/v1/databases/{wanted['cluster_id']}/{path}"
    provider = account.provider(kind)
    first = provider.create(wanted)
    assert first.outs
    assert account.mutations() == [f"POST {at}"]
    assert provider.diff(first.id, first.outs, wanted).changes is False
    assert drift(provider, first.id, wanted, first.outs) == set()
    assert account.provider(kind).create(wanted).id == first.id
    assert account.mutations() == [f"POST {at}"]
    account.running.log.clear()
    provider.delete(first.id, first.outs)
    assert [(entry.method, entry.status) for entry in account.running.requests()] == [("DELETE", 204), ("GET", 404)]
    assert provider.read(first.id, first.outs).id is None
    provider.delete(first.id, first.outs)


@KINDS
def test_a_lost_answer_leaves_one_object_and_one_post(
    account: Account, request: pytest.FixtureRequest, kind: type[TimewebProvider], wanted_by: str, path: str
) -> None:
    """G43."""
    wanted = request.getfixturevalue(wanted_by)
    account.running.strike("response-lost", method="POST", path=path)
    account.provider(kind).create(wanted)
    assert len(account.mutations()) == 1


@KINDS
def test_a_delete_after_its_cluster_is_gone_is_done(
    account: Account, request: pytest.FixtureRequest, kind: type[TimewebProvider], wanted_by: str, path: str
) -> None:
    wanted = request.getfixturevalue(wanted_by)
    provider = account.provider(kind)
    made = provider.create(wanted)
    account.remove("cluster", wanted["cluster_id"])
    assert made.outs
    provider.delete(made.id, made.outs)
    assert path in {"instances", "admins"}


@KINDS
def test_it_does_not_move_to_another_cluster(
    account: Account, request: pytest.FixtureRequest, kind: type[TimewebProvider], wanted_by: str, path: str
) -> None:
    wanted = request.getfixturevalue(wanted_by)
    provider = account.provider(kind)
    made = provider.create(wanted)
    account.running.log.clear()
    with pytest.raises(StatefulChangeError, match="cluster_id"):
        provider.update(made.id, made.outs or {}, wanted | {"cluster_id": "99"})
    assert account.running.requests(None, path) == []


@pytest.mark.parametrize(
    ("change", "field", "body"),
    [
        ({"name": "other"}, "name", {"name": "main"}),
        ({"description": ""}, "mark", {"description": "tenantry:prod:shared-pro-1-main-1"}),
    ],
    ids=str,
)
def test_drift_of_a_database_is_mended_by_one_request(
    account: Account, database: dict[str, Any], change: dict[str, Any], field: str, body: dict[str, Any]
) -> None:
    """H5."""
    provider = account.provider(DatabaseProvider)
    made = provider.create(database)
    account.edit("database", made.id, **change)
    assert drift(provider, made.id, database, made.outs or {}) == {field}
    account.running.log.clear()
    mended = provider.update(made.id, provider.read(made.id, made.outs or {}).outs or {}, database)
    assert account.bodies("PATCH") == [body]
    assert len(account.mutations()) == 1
    assert provider.diff(made.id, mended.outs or {}, database).changes is False


def test_an_admin_gets_the_derived_password_which_nobody_keeps(account: Account, admin: dict[str, Any]) -> None:
    """A18, design rule 6: neither inputs nor outputs hold it."""
    made = account.provider(AdminProvider).create(admin)
    (stored,) = [each for each in account.running.state.admins.all() if each.login == "admin"]
    assert stored.password == PASSWORD
    assert PASSWORD not in str(made.outs)
    assert PASSWORD not in str(account.provider(AdminProvider).read(made.id, made.outs or {}).outs)
    assert account.bodies("POST")[0]["for_all"] is True


@pytest.mark.parametrize(
    ("change", "field", "body"),
    [
        ({"login": "other"}, "login", {"login": "admin"}),
        ({"description": "?"}, "mark", {"description": "tenantry:prod:shared-pro-1-admin-1"}),
        (
            {"privileges": ["SELECT"]},
            "privileges",
            {"privileges": ["CREATEDB", "CREATEROLE", "SELECT"], "for_all": True},
        ),
        ({"password": "set-in-the-panel"}, "cluster_mark", {"password": "[masked]"}),
    ],
    ids=str,
)
def test_drift_of_an_admin_is_mended_by_one_request(
    account: Account, admin: dict[str, Any], change: dict[str, Any], field: str, body: dict[str, Any]
) -> None:
    """H5: a password set by somebody else shows as well, as an empty `cluster_mark`."""
    provider = account.provider(AdminProvider)
    made = provider.create(admin)
    account.edit("admin", made.id, **change)
    assert drift(provider, made.id, admin, made.outs or {}) == {field}
    account.running.log.clear()
    mended = provider.update(made.id, provider.read(made.id, made.outs or {}).outs or {}, admin)
    assert account.bodies("PATCH") == [body]
    assert len(account.mutations()) == 1
    assert provider.diff(made.id, mended.outs or {}, admin).changes is False
    (stored,) = [each for each in account.running.state.admins.all() if str(each.id) == made.id]
    assert (stored.login, stored.password) == ("admin", PASSWORD)


def test_an_admin_found_again_gets_the_password_of_today(account: Account, admin: dict[str, Any]) -> None:
    """The admin secret was rotated while the state was lost."""
    made = account.provider(AdminProvider).create(admin)
    edit(account.running.state, Edit(kind="admin", id=made.id, set={"password": "of-yesterday"}))
    account.running.log.clear()
    assert account.provider(AdminProvider).create(admin).id == made.id
    assert account.bodies("PATCH") == [{"password": "[masked]"}]


def test_check_refuses_a_privilege_that_postgresql_has_not(admin: dict[str, Any]) -> None:
    assert AdminProvider().check({}, admin | {"privileges": ["SUPERUSER"]}).failures
    assert AdminProvider().check({}, admin).failures == []
