"""The example fleet on both engines: made once, changed by nothing, apart, compared, and gone when it is told to go."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from components.outputs import parse_tenants
from engines.engine import Result
from lifecycle.certificate import Certificate
from lifecycle.isolation import certify
from tests.e2e.world import ENGINES, World, bucket_of, connect

pytestmark = pytest.mark.e2e


@dataclass
class Story:
    """What happened to the example fleet on one engine, in order, until it was destroyed."""

    left_out: list[str]
    preview: Result
    first: Result
    again: Result
    refresh: Result
    third: Result
    changes_after_first: list[str]
    outputs: dict[str, Any]
    shown: dict[str, Any]
    inventory: dict[str, list[dict[str, Any]]]
    certificate: Certificate
    plain_destroy: Result
    inventory_kept: dict[str, list[dict[str, Any]]]
    destroy: Result
    inventory_left: dict[str, list[dict[str, Any]]]
    databases_left: list[str]
    state_left: list[dict[str, Any]]


def tell(world: World) -> Story:
    engine = world.engine()
    preview, first = engine.preview(), engine.up()
    inventory = world.inventory()
    world.forget_requests()
    again, refresh, third = world.engine().up(), world.engine().refresh(), world.engine().up()
    changes = world.changes()
    outputs, shown = engine.outputs(), engine.outputs(show_secrets=True)
    put_data(world)
    certificate = certify(parse_tenants(shown["tenants"]), neighbours=2)
    plain = world.engine().destroy()
    kept = world.inventory()
    destroy = world.engine().destroy(including_data=True)
    return Story(
        left_out=world.left_out,
        preview=preview,
        first=first,
        again=again,
        refresh=refresh,
        third=third,
        changes_after_first=changes,
        outputs=outputs["tenants"],
        shown=shown["tenants"],
        inventory=inventory,
        certificate=certificate,
        plain_destroy=plain,
        inventory_kept=kept,
        destroy=destroy,
        inventory_left=world.inventory(),
        databases_left=databases_left(world),
        state_left=world.engine().export()["deployment"].get("resources") or [],
    )


def databases_left(world: World) -> list[str]:
    """Folders of PostgreSQL servers, once those of deleted clusters have had the time to end."""
    for _ in range(100):
        if not (found := [path.name for path in (world.folder / "clusters").iterdir()]):
            break
        time.sleep(0.1)
    return found


def put_data(world: World) -> None:
    """A row and an object, so that the end is not the end of something empty."""
    tenant = world.tenants()["alder-bakery"]
    assert tenant.database is not None
    assert tenant.storage is not None
    with connect(tenant.database) as session:
        session.execute("CREATE TABLE bread (name text)")
    client = bucket_of(tenant.storage)
    client.put_object(Bucket=tenant.storage.bucket, Key="loaf", Body=b"rye")
    client.close()


@pytest.fixture(scope="module")
def stories() -> dict[str, Story]:
    """What was told so far, by engine."""
    return {}


@pytest.fixture(scope="module", params=ENGINES)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stories: dict[str, Story]) -> Story:
    world = World.start(tmp_path_factory.mktemp(f"fleet-{request.param}") / "sandbox", request.param)
    try:
        stories[request.param] = tell(world)
    finally:
        world.stop()
    return stories[request.param]


def test_a_second_up_a_refresh_and_a_third_up_change_nothing(story: Story) -> None:
    """F35, H1: the last three of up → up → refresh → up change nothing, in the state and in the cloud."""
    for result in (story.preview, story.first, story.again, story.refresh, story.third):
        assert result.ok, [failure.message for failure in result.failures]
    assert story.preview.counts["create"] == story.first.counts["create"] == len(story.first.changes)
    changed = [(change.name, change.operation, change.fields) for change in story.again.changes if story.again.changed]
    assert not story.again.changed, changed
    assert not story.refresh.changed, [change for change in story.refresh.changes if change.operation != "same"]
    assert not story.third.changed
    assert story.changes_after_first == []


def test_the_outputs_keep_their_contract_and_show_no_secret(story: Story) -> None:
    """F10, A35, A36: typed, and every credential is a secret of its own."""
    tenants = parse_tenants(story.outputs)
    assert len(tenants) == 31
    for tenant in tenants.values():
        if tenant.database:
            assert {tenant.database.password, tenant.database.database_url, tenant.database.direct_url} == {"[secret]"}
        if tenant.storage:
            assert {tenant.storage.access_key, tenant.storage.secret_key} == {"[secret]"}
    shown = parse_tenants(story.shown)
    url = shown["alder-bakery"].database
    assert url is not None
    assert url.database_url.startswith("postgresql://c_alder-bakery:")
    assert "search_path" in url.database_url


def test_the_shares_of_a_cluster_sum_to_its_price(story: Story) -> None:
    """F27, A26: eleven tenants of one free cluster bear its 600 between them."""
    databases = [tenant.database for tenant in parse_tenants(story.outputs).values() if tenant.database]
    shares = [db.monthly_cost for db in databases if db.cluster == "shared-free-1"]
    assert sum(round(float(share.amount) * 100) for share in shares if share) == 60000


def test_the_rightful_tenant_succeeds_and_every_other_is_refused(story: Story) -> None:
    """A24, A37, F31: SQL and S3."""
    assert len(story.certificate.controls) > 100
    assert len(story.certificate.attempts) > 200
    assert story.certificate.holds, (story.certificate.successes[:3], story.certificate.broken_controls[:3])


def test_a_plain_destroy_keeps_what_holds_data_and_says_so(story: Story) -> None:
    """F14: all clusters, databases, buckets and users of living tenants are there afterwards."""
    assert story.plain_destroy.ok, [failure.message for failure in story.plain_destroy.failures]
    kept = {urn.rpartition("::")[2] for urn in story.plain_destroy.kept}
    assert {
        "alder-bakery-schema-1",
        "alder-bakery-bucket-1",
        "shared-free-1-cluster-1",
        "shared-free-1-admin-1",
    } <= kept
    assert len(story.inventory_kept["clusters"]) == len(story.inventory["clusters"]) == 9
    gone = {item["mark"] for item in story.inventory["buckets"]} - {
        item["mark"] for item in story.inventory_kept["buckets"]
    }
    assert gone <= {"tenantry:sandbox:kapok-pottery-bucket-1"}


def test_a_destroy_including_data_leaves_nothing(story: Story) -> None:
    """F35: simulator, PostgreSQL servers, buckets and state are empty, and no operation is pending."""
    assert story.destroy.ok, [failure.message for failure in story.destroy.failures]
    assert {kind: items for kind, items in story.inventory_left.items() if items} == {}
    assert story.databases_left == []
    assert story.state_left == []


@pytest.mark.usefixtures("story")
def test_both_engines_make_the_same_fleet(stories: dict[str, Story]) -> None:
    """Design section 5: a program cannot tell the engines apart."""
    if set(stories) != set(ENGINES):
        pytest.skip(f"only {', '.join(stories)} has run so far")
    ours, theirs = stories["embedded"], stories["pulumi"]
    left_out = set(theirs.left_out)

    def resources(told: Story) -> set[tuple[str, str]]:
        names = {(change.urn, change.type) for change in told.first.changes}
        return {pair for pair in names if ":aws" not in pair[0] and "tenantry:storage:S3" not in pair[0]}

    assert resources(ours) == resources(theirs)
    for kind, items in ours.inventory.items():
        marks = Counter(item.get("mark") for item in items)
        assert marks == Counter(item.get("mark") for item in theirs.inventory[kind]), kind
    for name, tenant in ours.outputs.items():
        assert comparable(tenant, without_storage=name in left_out) == comparable(
            theirs.outputs[name], without_storage=name in left_out
        )


def comparable(tenant: dict[str, Any], *, without_storage: bool) -> dict[str, Any]:
    """Outputs without what every sandbox makes anew: ids, ports, instants, its authority, a bucket's name in part."""
    random = {"clusterId", "port", "bucketId", "bucket", "endpoint", "s3Endpoint", "createdAt", "branches", "ca"}
    parts = {
        name: {key: value for key, value in part.items() if key not in random} if isinstance(part, dict) else part
        for name, part in tenant.items()
    }
    if without_storage:
        parts.pop("storage", None)
    return parts
