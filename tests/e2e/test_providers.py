"""Tenants of every kind of database on both engines: made once, changed by nothing, blocked, back, removed, gone."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest

from components.outputs import TenantOutputs
from engines.engine import Result
from engines.pulumi_cli import plugins
from tests.e2e.world import ENGINES, World, connect

pytestmark = pytest.mark.e2e

FLEET: dict[str, dict[str, Any]] = {
    "free": {"database": {"plan": "timeweb-free"}},
    "business": {"database": {"plan": "timeweb-business"}},
    "project": {"database": {"plan": "neon-free"}},
    "branched": {"database": {"plan": "neon-pro", "branches": {"preview": {"endpoint": True}}}},
    "managed": {"database": {"plan": "managed-pro"}},
    "neighbour": {"database": {"plan": "managed-pro"}},
}
KINDS = ("free", "business", "project", "managed")


@dataclass
class Story:
    """What happened to the fleet, in order; `closed` and `open_again` say by tenant what a login met."""

    first: Result
    again: Result
    refresh: Result
    third: Result
    changes_after_first: list[str]
    tenants: dict[str, TenantOutputs]
    closed: dict[str, str]
    open_again: dict[str, str]
    same_credentials: bool
    terminated: dict[str, str]
    removal: Result
    after_removal: dict[str, list[dict[str, Any]]]
    left_after_removal: list[str]
    destroy: Result
    inventory_left: dict[str, list[dict[str, Any]]]
    state_left: list[dict[str, Any]]


def login(tenant: TenantOutputs, *statements: LiteralString) -> str:
    """What the last statement by the tenant's own login answers: its first value, or the server's refusal."""
    assert tenant.database is not None
    try:
        with connect(tenant.database) as session:
            for statement in statements[:-1]:
                session.execute(statement)
            row = session.execute(statements[-1]).fetchone()
    except psycopg.Error as error:
        return "refused: " + str(error).splitlines()[0]
    return str(row[0]) if row else ""


def set_states(world: World, **values: object) -> None:
    def change(tenants: dict[str, Any]) -> None:
        for name in KINDS:
            tenants[name].update(deepcopy(values))

    world.edit(change)


def up(world: World) -> Result:
    result = world.engine().up()
    assert result.ok, [failure.message for failure in result.failures]
    return result


def tell(world: World) -> Story:
    first = world.engine().up()
    assert first.ok, [failure.message for failure in first.failures]
    tenants = world.tenants()
    for name in tenants:
        assert login(tenants[name], "CREATE TABLE note AS SELECT 'kept' AS body", "SELECT 'made'") == "made", name
    world.forget_requests()
    again, refresh, third = world.engine().up(), world.engine().refresh(), world.engine().up()
    changes = world.changes()
    set_states(world, state="suspended")
    up(world)
    closed = {name: login(tenants[name], "SELECT body FROM note") for name in tenants}
    set_states(world, state="active")
    up(world)
    back = world.tenants()
    open_again = {name: login(back[name], "SELECT body FROM note") for name in back}
    set_states(world, state="terminated")
    up(world)
    terminated = {name: login(tenants[name], "SELECT body FROM note") for name in tenants}
    set_states(world, removed={"on": "2026-11-01", "backup": "b-17"})
    removal = world.engine().up()
    after, left = world.inventory(), sorted(world.tenants())
    destroy = world.engine().destroy(including_data=True)
    return Story(
        first=first,
        again=again,
        refresh=refresh,
        third=third,
        changes_after_first=changes,
        tenants=tenants,
        closed=closed,
        open_again=open_again,
        same_credentials=back == tenants,
        terminated=terminated,
        removal=removal,
        after_removal=after,
        left_after_removal=left,
        destroy=destroy,
        inventory_left=world.inventory(),
        state_left=world.engine().export()["deployment"].get("resources") or [],
    )


@pytest.fixture(scope="module", params=ENGINES)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world = World.start(tmp_path_factory.mktemp(f"kinds-{request.param}") / "sandbox", request.param, FLEET)
    try:
        if request.param == "pulumi" and "digitalocean" not in plugins(world.environ):
            pytest.skip("there is no digitalocean plugin for the Pulumi CLI")
        yield tell(world)
    finally:
        world.stop()


def test_a_second_up_a_refresh_and_a_third_up_change_nothing(story: Story) -> None:
    """F35, H1."""
    assert not story.again.changed, [(each.name, each.fields) for each in story.again.changes if each.fields]
    assert not story.refresh.changed, [each for each in story.refresh.changes if each.operation != "same"]
    assert not story.third.changed
    assert story.changes_after_first == []


def test_every_tenant_is_told_how_to_reach_its_own_database(story: Story) -> None:
    """B3, B4, B5, B30, B32, G24: the kinds differ in where, not in what is told."""
    project, managed = story.tenants["project"].database, story.tenants["managed"].database
    assert project is not None
    assert managed is not None
    assert (project.provider, project.mode, project.cluster, project.database) == ("neon", "dedicated", None, "main")
    assert (managed.provider, managed.mode, managed.database) == ("digitalocean", "shared", "tenant_managed")
    assert managed.login == "tenant_managed_user"
    assert managed.sslmode == "verify-full"
    assert managed.ca is not None
    assert managed.ca.startswith("-----BEGIN CERTIFICATE-----")
    assert "sslmode=verify-full" in managed.database_url
    neighbour = story.tenants["neighbour"].database
    assert neighbour is not None
    assert neighbour.cluster_id == managed.cluster_id


def test_a_branch_has_an_endpoint_of_its_own(story: Story) -> None:
    """B6."""
    branched = story.tenants["branched"].database
    assert branched is not None
    (preview,) = branched.branches.values()
    assert (preview.parent, preview.port is not None) == ("main", True)
    assert preview.port != branched.port


def test_suspension_blocks_every_kind_and_its_neighbours_go_on(story: Story) -> None:
    """G46, design rule 5."""
    for name, answer in story.closed.items():
        if name in KINDS:
            assert "not permitted to log in" in answer, (name, answer)
        else:
            assert answer == "kept", (name, answer)


def test_reactivation_gives_the_same_credentials_and_all_data_back(story: Story) -> None:
    assert story.same_credentials
    assert set(story.open_again.values()) == {"kept"}


def test_a_terminated_tenant_keeps_its_data_and_a_removed_one_is_deleted(story: Story) -> None:
    """G26, B23."""
    assert all(story.terminated[name].startswith("refused") for name in KINDS)
    assert story.removal.ok, [failure.message for failure in story.removal.failures]
    assert story.left_after_removal == ["branched", "neighbour"]
    marks = [str(item.get("mark")) for items in story.after_removal.values() for item in items]
    assert not [mark for mark in marks for name in KINDS if mark.endswith((f"-{name}", f":{name}-database-1"))]


def test_a_destroy_including_data_leaves_nothing(story: Story) -> None:
    """F35: no project, no cluster, no database at any provider, and an empty state."""
    assert story.destroy.ok, [failure.message for failure in story.destroy.failures]
    assert {kind: items for kind, items in story.inventory_left.items() if items} == {}
    assert story.state_left == []
