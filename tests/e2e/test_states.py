"""A tenant's wanted states, on both engines: what each opens, blocks and keeps."""

import psycopg
import pytest
from botocore.exceptions import ClientError

from components.outputs import TenantOutputs
from tests.e2e.world import World, bucket_of, connect

pytestmark = pytest.mark.e2e


def may_store(tenant: TenantOutputs) -> bool:
    assert tenant.storage is not None
    client = bucket_of(tenant.storage)
    try:
        client.put_object(Bucket=tenant.storage.bucket, Key="note", Body=b"kept")
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    finally:
        client.close()
    return True


def up(world: World) -> None:
    result = world.engine().up()
    assert result.ok, [failure.message for failure in result.failures]


def test_suspension_blocks_and_reactivation_gives_the_same_credentials_back(small: World) -> None:
    """G46, design rule 5: the login is refused, its open session ended, the storage user has no grants."""
    before = small.tenants()["alpha"]
    assert before.database is not None
    session = connect(before.database)
    session.execute("CREATE TABLE IF NOT EXISTS note (body text)")
    session.execute("INSERT INTO note VALUES ('kept')")
    assert may_store(before)

    small.edit(lambda tenants: tenants["alpha"].update(state="suspended"))
    up(small)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        connect(before.database)
    assert not may_store(before)
    assert may_store(small.tenants()["beta"]), "the neighbour is not touched"

    small.edit(lambda tenants: tenants["alpha"].update(state="active"))
    up(small)
    after = small.tenants()["alpha"]
    assert after == before
    assert after.database is not None
    with connect(after.database) as again:
        assert again.execute("SELECT body FROM note").fetchall() == [("kept",)]
    assert may_store(after)


@pytest.mark.parametrize("name", ["delta"])
def test_suspension_blocks_an_s3_compatible_store_too(small: World, name: str) -> None:
    if name in small.left_out:
        pytest.skip(f"no aws plugin: {', '.join(small.left_out)} are left out")
    before = small.tenants()[name]
    assert may_store(before)
    small.edit(lambda tenants: tenants[name].update(state="suspended"))
    up(small)
    assert not may_store(before)
    small.edit(lambda tenants: tenants[name].update(state="active"))
    up(small)
    assert small.tenants()[name] == before
    assert may_store(before)


def test_a_terminated_tenant_keeps_its_data_and_a_removed_one_is_deleted(small: World) -> None:
    """G26: two runs; the first blocks and unprotects, the second no longer declares the tenant."""
    beta = small.tenants()["beta"]
    assert beta.database is not None
    with connect(beta.database) as session:
        session.execute("CREATE TABLE ledger (line text)")
    assert may_store(beta)

    small.edit(lambda tenants: tenants["beta"].update(state="terminated"))
    up(small)
    with pytest.raises(psycopg.OperationalError):
        connect(beta.database)
    assert not may_store(beta)
    assert any(user["name"] == "sandbox-beta" for user in small.inventory()["storage_users"])

    small.edit(lambda tenants: tenants["beta"].update(removed={"on": "2026-11-01", "backup": "b-17"}))
    result = small.engine().up()
    assert result.ok, [failure.message for failure in result.failures]
    # Two components, schema and what is set up in it, bucket, storage user, record.
    assert result.counts["delete"] == 7
    assert result.counts["update"] + result.counts["replace"] + result.counts["create"] == 0
    inventory = small.inventory()
    assert not any("beta" in item["mark"] for items in inventory.values() for item in items)
    assert "beta" not in small.tenants()
    alpha = small.tenants()["alpha"]
    assert alpha.database is not None
    with connect(alpha.database) as session:
        assert session.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'c_beta'").fetchall() == []


def test_a_new_name_changes_nothing_but_the_outputs_and_the_record(small: World) -> None:
    """F22, B43: a rename of a tenant changes nothing at its provider."""
    small.edit(lambda tenants: tenants["alpha"].update(name="Alpha & Sons"))
    small.forget_requests()
    result = small.engine().up()
    assert result.ok
    changed = [change.name for change in result.changes if change.operation not in {"same", "read"}]
    assert changed == ["alpha-record"]
    assert small.changes() == []
    assert small.tenants()["alpha"].name == "Alpha & Sons"


def test_a_removed_tenants_own_cluster_is_deleted_with_all_that_is_in_it(small: World) -> None:
    """G26, A29: what is inside a cluster that goes is not deleted one by one."""
    assert [cluster["name"] for cluster in small.inventory()["clusters"]].count("customer-gamma") == 1
    small.edit(lambda tenants: tenants["gamma"].update(state="terminated"))
    up(small)
    assert [cluster["name"] for cluster in small.inventory()["clusters"]].count("customer-gamma") == 1
    small.edit(lambda tenants: tenants["gamma"].update(removed={"on": "2026-11-01", "backup": "b-18"}))
    small.forget_requests()
    up(small)
    assert [cluster["name"] for cluster in small.inventory()["clusters"]].count("customer-gamma") == 0
    assert [change.partition("/databases")[0] for change in small.changes()] == ["DELETE /api/v1"]
    assert not small.engine().up(refresh=True).changed
