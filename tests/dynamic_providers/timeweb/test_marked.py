"""What of a simulated account is listed as ours, and what is removed."""

from typing import Any

import pytest

from dynamic_providers.errors import ProviderError
from dynamic_providers.marks import Marked
from dynamic_providers.timeweb.admin import AdminProvider
from dynamic_providers.timeweb.bucket import BucketProvider
from dynamic_providers.timeweb.cluster import ClusterProvider
from dynamic_providers.timeweb.database import DatabaseProvider
from dynamic_providers.timeweb.marked import TOKEN, TimewebLister
from dynamic_providers.timeweb.storage_user import StorageUserProvider
from tests.dynamic_providers.timeweb.conftest import Account
from tests.dynamic_providers.timeweb.test_bucket_provider import WANTED as BUCKET
from tests.dynamic_providers.timeweb.test_bucket_provider import open_store

CLUSTER_MARK = "tenantry:prod:shared-pro-1-cluster-1"


def lister(account: Account, stack: str = "prod", prefix: str = "prod") -> TimewebLister:
    """As a fresh process has it: nothing is listed yet."""
    return TimewebLister(account.session, stack, prefix)


def marked(account: Account, **owner: str) -> dict[str, Marked]:
    return {item.name: item for item in lister(account, **owner).marked()}


def make_bucket(account: Account, tenant: str, *, stack: str = "prod", generation: int = 1) -> dict[str, Any]:
    mark = f"tenantry:{stack}:{tenant}-bucket-{generation}"
    made = account.provider(BucketProvider).create({**BUCKET, "name": f"customer-{tenant}-{generation}", "mark": mark})
    return {**(made.outs or {}), "id": made.id}


def make_user(account: Account, name: str, bucket: str) -> str:
    return str(account.provider(StorageUserProvider).create({"name": name, "bucket": bucket}).id)


@pytest.fixture
def cluster(account: Account) -> str:
    """A cluster with its database and admin."""
    cluster = {
        "name": "shared-pro-1",
        "engine": "postgres15",
        "preset_id": 124.0,
        "location": "ru-1",
        "mark": CLUSTER_MARK,
    }
    id_ = str(account.provider(ClusterProvider).create(cluster).id)
    inside = {"cluster_id": id_}
    account.provider(DatabaseProvider).create({**inside, "name": "main", "mark": "tenantry:prod:shared-pro-1-main-1"})
    admin = {"login": "admin", "privileges": ["CREATEROLE"], "cluster_mark": CLUSTER_MARK}
    account.provider(AdminProvider).create({**inside, **admin, "mark": "tenantry:prod:shared-pro-1-admin-1"})
    return id_


def test_a_cluster_is_listed_with_its_size_and_what_is_in_it(account: Account, cluster: str) -> None:
    """F15: by the mark in the description, an operator's note beside it or not."""
    account.edit("cluster", cluster, description=f"ask Ann first {CLUSTER_MARK}")
    found = marked(account)
    assert {(item.type.removeprefix(TOKEN), item.name) for item in found.values()} == {
        ("Cluster", "shared-pro-1-cluster-1"),
        ("Database", "shared-pro-1-main-1"),
        ("Admin", "shared-pro-1-admin-1"),
    }
    shown = found["shared-pro-1-cluster-1"]
    assert (shown.id, shown.charged, shown.holds_data) == (cluster, True, True)
    assert shown.size == {"cpu": 2, "ram_gb": 4.0, "disk_gb": 40.0}
    assert found["shared-pro-1-main-1"].holds_data
    assert not found["shared-pro-1-admin-1"].holds_data
    assert marked(account, stack="staging") == {}
    (place,) = lister(account).places()
    assert (place.address.database, place.address.login, place.server.cluster_mark) == ("main", "admin", CLUSTER_MARK)


def test_a_cluster_that_has_no_admin_yet_cannot_be_looked_into(account: Account, cluster: str) -> None:
    admin = next(each for each in account.session.timeweb.admins(cluster) if each.login == "admin")
    account.remove("admin", str(admin.id))
    assert list(lister(account).places()) == []


def test_two_objects_with_one_mark_are_both_listed(account: Account) -> None:
    bucket = make_bucket(account, "acme")
    second = account.session.timeweb.create_bucket(
        {
            "name": "customer-acme-again",
            "type": "private",
            "preset_id": bucket["preset_id"],
            "description": bucket["mark"],
        }
    )
    assert {item.id for item in lister(account).marked()} == {bucket["id"], str(second.id)}


def test_a_user_is_ours_where_its_name_goes_with_a_bucket_of_ours(account: Account) -> None:
    """Design rule 1: the name is the mark; one that another stack may have chosen proves nothing."""
    acme, second = make_bucket(account, "acme"), make_bucket(account, "acme", generation=2)
    other = make_bucket(account, "shop", stack="prod-eu")
    ours = make_user(account, "prod-acme", acme["bucket"])
    later = make_user(account, "prod-acme-2", second["bucket"])
    theirs = make_user(account, "prod-eu-shop", other["bucket"])
    make_user(account, "staging-acme", acme["bucket"])
    users = [item for item in lister(account).marked() if item.type == f"{TOKEN}StorageUser"]
    assert {(item.name, item.id, item.proven) for item in users} == {
        ("acme-storage-user-1", ours, True),
        ("acme-storage-user-2", later, True),
        ("prod-eu-shop", theirs, False),
    }


def test_a_bucket_in_quarantine_is_nobody_s(account: Account) -> None:
    bucket = make_bucket(account, "acme")
    account.edit("bucket", bucket["id"], quarantined_at=1.0)
    assert marked(account) == {}


def test_a_bucket_says_whether_it_holds_data_and_goes_with_its_contents(account: Account) -> None:
    bucket = make_bucket(account, "acme")
    assert not marked(account)["acme-bucket-1"].holds_data
    store = open_store(account)
    store.put_object(Bucket=bucket["bucket"], Key="loaf", Body=b"rye")
    store.close()
    found = marked(account)["acme-bucket-1"]
    assert (found.holds_data, found.what.endswith("with 1 objects")) == (True, True)
    lister(account).remove(found)
    assert marked(account) == {}


def test_everything_is_removed_in_the_order_of_the_types(account: Account, cluster: str) -> None:
    bucket = make_bucket(account, "acme")
    make_user(account, "prod-acme", bucket["bucket"])
    ours = lister(account)
    account.running.log.clear()
    for item in sorted(ours.marked(), key=lambda item: ours.types.index(item.type)):
        ours.remove(item)
    deleted = [entry.path for entry in account.running.requests("DELETE")]
    assert [path.rsplit("/", 2)[-2] for path in deleted] == ["users", "buckets", "admins", "instances", "databases"]
    assert deleted[-1] == f"/api/v1/databases/{cluster}"
    assert marked(account) == {}


def test_a_vendor_that_does_not_answer_is_an_error_and_no_empty_list(account: Account) -> None:
    """Design rule 4."""
    make_bucket(account, "acme")
    account.running.strike("bare-404", times=100, path="/api/v1/storages/buckets")
    with pytest.raises(ProviderError):
        list(TimewebLister(account.hasty(BucketProvider).session, "prod", "prod").marked())
