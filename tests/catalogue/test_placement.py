"""Placement: lowest cell and cluster with room, each tenant in one cell, and nobody who is placed ever moves."""

from datetime import date

import pytest

from catalogue.load import load_fleet
from catalogue.occupancy import Occupancy, tightest
from catalogue.placement import Placements, TenantPlacement, place
from catalogue.plan import Plans
from catalogue.tenant import DatabaseSection, Removed, State, StorageSection, Tenant
from tests.catalogue.fleets import FleetFolder


@pytest.fixture
def plans(folder: FleetFolder) -> Plans:
    """The project's plans, the shared ones sold in a second region too."""
    plans = load_fleet(folder.path, require_placed=False).plans
    wider = {name: plan.model_copy(update={"regions": ("ru-1", "ru-3")}) for name, plan in plans.database.items()}
    return Plans(wider, plans.storage)


def _tenant(name: str, database: str | None = None, storage: str | None = None, region: str | None = None) -> Tenant:
    return Tenant(
        id=name,
        database=DatabaseSection(plan=database, region=region) if database else None,
        storage=StorageSection(plan=storage) if storage else None,
    )


def _fleet(*tenants: Tenant) -> dict[str, Tenant]:
    return {tenant.id: tenant for tenant in tenants}


def _many(number: int, database: str | None = None, storage: str | None = None, prefix: str = "t") -> dict[str, Tenant]:
    return _fleet(*(_tenant(f"{prefix}-{n:04}", database, storage) for n in range(number)))


def _removed(tenant: Tenant) -> Tenant:
    gone = Removed(on=date(2027, 12, 1), backup="b-17")
    return tenant.model_copy(update={"state": State.TERMINATED, "removed": gone})


def _clusters(placements: Placements) -> dict[str, str | None]:
    return {name: placed.database.cluster for name, placed in placements.tenants.items() if placed.database is not None}


def test_a_tenant_gets_a_numbered_cluster_a_cell_and_all_pins(plans: Plans) -> None:
    """A16, A32, F5, F22, G11."""
    placements = place(_fleet(_tenant("acme", "timeweb-free", "timeweb-s3")), plans, Placements())
    acme = placements.tenants["acme"]
    assert acme.database is not None
    assert acme.database.model_dump() == {
        "cell": 1,
        "cluster": "shared-free-1",
        "generation": 1,
        "plan": "timeweb-free",
        "region": "ru-1",
        "provider": "timeweb",
        "mode": "shared",
        "version": 15,
    }
    assert acme.storage is not None
    assert acme.storage.model_dump(exclude_none=True) == {
        "cell": 1,
        "generation": 1,
        "plan": "timeweb-s3",
        "region": "ru-1",
        "provider": "timeweb",
    }
    cluster = placements.clusters["shared-free-1"]
    assert cluster.tenant is None
    assert cluster.model_dump(exclude={"pooler"}, exclude_none=True) == acme.database.model_dump(exclude={"cluster"})


def test_a_dedicated_cluster_is_its_tenants_own(plans: Plans) -> None:
    """A16, A29."""
    placements = place(
        _fleet(_tenant("acme", "timeweb-business"), _tenant("beta", "timeweb-business")), plans, Placements()
    )
    assert _clusters(placements) == {"acme": "customer-acme", "beta": "customer-beta"}
    assert placements.clusters["customer-acme"].tenant == "acme"


@pytest.mark.parametrize(("plan", "places"), [("timeweb-free", 95), ("timeweb-pro", 10), ("timeweb-pro-plus", 3)])
def test_a_cluster_that_is_full_is_followed_by_the_next_number(plans: Plans, plan: str, places: int) -> None:
    """A39, G6: a free cluster holds 95 without a pooler."""
    clusters = _clusters(place(_many(places + 1, plan), plans, Placements()))
    short = plan.removeprefix("timeweb-")
    assert list(clusters.values()).count(f"shared-{short}-1") == places
    assert clusters[f"t-{places:04}"] == f"shared-{short}-2"


def test_with_a_pooler_a_free_cluster_holds_its_hundred(plans: Plans) -> None:
    """A39."""
    clusters = _clusters(place(_many(100, "timeweb-free"), _pooled(plans, "timeweb-free"), Placements()))
    assert set(clusters.values()) == {"shared-free-1"}


def test_regions_have_clusters_of_their_own_under_one_numbering(plans: Plans) -> None:
    """G11."""
    tenants = _fleet(
        _tenant("a", "timeweb-pro"), _tenant("b", "timeweb-pro", region="ru-3"), _tenant("c", "timeweb-pro")
    )
    placements = place(tenants, plans, Placements())
    assert _clusters(placements) == {"a": "shared-pro-1", "b": "shared-pro-2", "c": "shared-pro-1"}
    assert placements.clusters["shared-pro-2"].region == "ru-3"


def test_a_new_engine_version_opens_a_new_cluster(plans: Plans) -> None:
    """F22: a cluster's version is pinned; an empty old one takes nobody who wants the new."""
    before = place(_fleet(_tenant("a", "timeweb-pro")), plans, Placements())
    newer = plans.database["timeweb-pro"].model_copy(update={"version": 16})
    after = place(
        _fleet(_removed(_tenant("a", "timeweb-pro")), _tenant("b", "timeweb-pro")),
        Plans({newer.name: newer}, {}),
        before,
    )
    assert _clusters(after) == {"b": "shared-pro-2"}


def test_a_cell_takes_a_hundred_tenants_and_the_next_begins(plans: Plans) -> None:
    """F26."""
    placements = place(_many(250, storage="timeweb-s3"), plans, Placements())
    assert [len(placements.cell(n).tenants) for n in placements.cells] == [100, 100, 50]


def test_a_shared_cluster_serves_only_tenants_of_its_cell(plans: Plans) -> None:
    """F26."""
    placements = place(_many(101, "timeweb-pro-plus"), plans, Placements())
    assert placements.clusters["shared-pro-plus-34"].cell == 1
    # One tenant only sits on the cell's last cluster, and still the next cell opens a cluster of its own.
    assert _clusters(placements)["t-0100"] == "shared-pro-plus-35"
    assert placements.clusters["shared-pro-plus-35"].cell == 2


def test_a_section_added_later_comes_to_the_tenants_own_cell_even_when_that_is_full(plans: Plans) -> None:
    """F5, F26: all sections of a tenant are in one cell."""
    tenants = _many(150, storage="timeweb-s3") | _many(1, "timeweb-pro", prefix="z")
    before = place(tenants, plans, Placements())
    assert before.clusters["shared-pro-1"].cell == 2
    tenants["t-0000"] = _tenant("t-0000", "timeweb-pro", "timeweb-s3")
    after = place(tenants, plans, before)
    database = after.tenants["t-0000"].database
    assert database is not None
    assert (database.cell, database.cluster) == (1, "shared-pro-2")
    changed = {name for name in after.tenants if after.tenants[name] != before.tenants[name]}
    assert changed == {"t-0000"}


def test_a_section_added_later_takes_a_free_place_in_its_cell(plans: Plans) -> None:
    tenants = _fleet(_tenant("a", "timeweb-pro"), _tenant("b", storage="timeweb-s3"))
    before = place(tenants, plans, Placements())
    after = place(tenants | _fleet(_tenant("b", "timeweb-pro", "timeweb-s3")), plans, before)
    assert _clusters(after) == {"a": "shared-pro-1", "b": "shared-pro-1"}


def test_a_newcomer_takes_the_lowest_free_place_of_all(plans: Plans) -> None:
    """A32."""
    tenants = _many(9, "timeweb-pro-plus")
    before = place(tenants, plans, Placements())
    for name in ("t-0001", "t-0007"):
        tenants[name] = _removed(tenants[name])
    after = place(tenants | _fleet(_tenant("u", "timeweb-pro-plus"), _tenant("v", "timeweb-pro-plus")), plans, before)
    assert _clusters(after)["u"] == "shared-pro-plus-1"
    assert _clusters(after)["v"] == "shared-pro-plus-3"


def test_a_removed_tenant_leaves_with_its_dedicated_cluster(plans: Plans) -> None:
    """G26."""
    tenants = _fleet(_tenant("acme", "timeweb-business", "timeweb-s3"))
    before = place(tenants, plans, Placements())
    after = place(_fleet(_removed(tenants["acme"])), plans, before)
    assert (after.tenants, after.clusters) == ({}, {})


def test_a_terminated_tenant_keeps_its_place_until_it_is_removed(plans: Plans) -> None:
    """G26."""
    tenants = _fleet(_tenant("acme", "timeweb-free"))
    before = place(tenants, plans, Placements())
    terminated = tenants["acme"].model_copy(update={"state": State.TERMINATED})
    assert place(_fleet(terminated), plans, before) == before


def test_a_tenant_that_vanished_keeps_its_place(plans: Plans) -> None:
    """G26: nothing leaves in silence."""
    before = place(_fleet(_tenant("acme", "timeweb-free")), plans, Placements())
    assert place({}, plans, before) == before


def test_an_empty_shared_cluster_stays_unless_it_is_told_to_go(plans: Plans) -> None:
    """F5."""
    tenants = _fleet(_tenant("a", "timeweb-free"))
    before = place(tenants, plans, Placements())
    gone = _fleet(_removed(tenants["a"]))
    assert set(place(gone, plans, before).clusters) == {"shared-free-1"}
    assert place(gone, plans, before, drop_empty=True).clusters == {}


def test_a_number_is_not_given_twice_while_any_higher_one_is_in_use(plans: Plans) -> None:
    """G11."""
    tenants = _many(7, "timeweb-pro-plus")
    before = place(tenants, plans, Placements())
    for name in ("t-0000", "t-0001", "t-0002"):
        tenants[name] = _removed(tenants[name])
    dropped = place(tenants, plans, before, drop_empty=True)
    assert set(dropped.clusters) == {"shared-pro-plus-2", "shared-pro-plus-3"}
    after = place(tenants | _many(3, "timeweb-pro-plus", prefix="u"), plans, dropped)
    assert _clusters(after)["u-0002"] == "shared-pro-plus-4"


def test_a_plan_change_in_place_is_recorded_and_nothing_else_changes(plans: Plans) -> None:
    """F22."""
    before = place(_fleet(_tenant("acme", "timeweb-business")), plans, Placements())
    after = place(_fleet(_tenant("acme", "timeweb-enterprise")), plans, before)
    database = before.tenants["acme"].database
    assert database is not None
    expected = database.model_copy(update={"plan": "timeweb-enterprise"})
    assert after.tenants["acme"] == TenantPlacement(database=expected)
    assert after.clusters["customer-acme"].plan == "timeweb-enterprise"


@pytest.mark.parametrize("edit", [("timeweb-pro-plus", None), ("timeweb-business", None), ("timeweb-pro", "ru-3")])
def test_an_edit_that_would_need_a_move_moves_nobody(plans: Plans, edit: tuple[str, str | None]) -> None:
    """F5, F22."""
    before = place(_fleet(_tenant("acme", "timeweb-pro")), plans, Placements())
    plan, region = edit
    assert place(_fleet(_tenant("acme", plan, region=region)), plans, before) == before


def test_a_tenant_without_sections_has_no_place(plans: Plans) -> None:
    assert place(_fleet(_tenant("acme")), plans, Placements()).tenants == {}


def test_a_cell_holds_its_clusters_and_tenants_and_no_others(plans: Plans) -> None:
    """F26."""
    placements = place(_many(150, "timeweb-pro", "timeweb-s3"), plans, Placements())
    assert placements.cells == (1, 2)
    second = placements.cell(2)
    assert set(second.tenants) == {f"t-{n:04}" for n in range(100, 150)}
    assert {cluster.cell for cluster in second.clusters.values()} == {2}
    assert placements.cell(3) == Placements()


def test_an_empty_fleet_has_the_stack_itself_as_its_only_cell() -> None:
    assert Placements().cells == (1,)


def test_the_tightest_cluster_is_the_one_nearest_to_its_capacity(plans: Plans) -> None:
    """A40: an operator sees which cluster fills up first, by the connection budget where that is smaller (A39)."""
    placements = place({**_many(5, "timeweb-free"), "pro": _tenant("pro", "timeweb-pro-plus")}, plans, Placements())
    assert tightest(placements, plans) == Occupancy("shared-pro-plus-1", 1, 3, 20, 100, 5, pooled=False)
    crowded = place(_many(94, "timeweb-free"), plans, Placements())
    assert tightest(crowded, plans) == Occupancy("shared-free-1", 94, 95, 94, 100, 5, pooled=False)
    assert tightest(Placements(), plans) is None


def test_a_full_cluster_behind_a_pooler_opens_no_more_than_the_pooler_s_total(plans: Plans) -> None:
    """A39, A40, G9."""
    full = place(_many(100, "timeweb-free"), _pooled(plans, "timeweb-free"), Placements())
    assert tightest(full, _pooled(plans, "timeweb-free")) == Occupancy(
        "shared-free-1", 100, 100, 95, 100, 5, pooled=True
    )


def test_each_cluster_of_a_pooled_plan_gets_a_pooler_s_number_of_its_own_and_keeps_it(plans: Plans) -> None:
    """A38, A40: the number is the pooler's port, so it is no other cluster's and never changes."""
    both = _pooled(_pooled(plans, "timeweb-pro"), "timeweb-pro-plus")
    tenants = _many(21, "timeweb-pro")
    placements = place(tenants, both, Placements())
    assert _poolers(placements) == {"shared-pro-1": 1, "shared-pro-2": 2, "shared-pro-3": 3}
    more = place(tenants | {"a": _tenant("a", "timeweb-pro-plus")}, both, placements)
    assert _poolers(more) == {**_poolers(placements), "shared-pro-plus-1": 4}
    without = Placements({name: held for name, held in more.clusters.items() if name != "shared-pro-2"}, {})
    assert _poolers(place(_many(30, "timeweb-pro"), both, without))["shared-pro-4"] == 2


def test_a_plan_that_becomes_pooled_numbers_its_clusters_and_one_that_is_no_more_keeps_the_numbers(
    plans: Plans,
) -> None:
    tenants = _many(2, "timeweb-pro")
    before = place(tenants, plans, Placements())
    assert _poolers(before) == {"shared-pro-1": None}
    pooled = place(tenants, _pooled(plans, "timeweb-pro"), before)
    assert _poolers(pooled) == {"shared-pro-1": 1}
    assert place(tenants, plans, pooled) == pooled


def _pooled(plans: Plans, name: str) -> Plans:
    pooled = plans.database[name].model_copy(update={"pooled": True})
    return Plans({**plans.database, name: pooled}, plans.storage)


def _poolers(placements: Placements) -> dict[str, int | None]:
    return {name: cluster.pooler for name, cluster in placements.clusters.items()}
