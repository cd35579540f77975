"""The connection budget of a cluster, for any plan: proved where tenants are placed, refused where edits break it."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from catalogue.lockfile import placements_findings
from catalogue.occupancy import tightest
from catalogue.placement import Placements, place
from catalogue.plan import Connections, DatabasePlan, Plans, database_plan_findings
from catalogue.tenant import DatabaseSection, Tenant
from tests.catalogue.fleets import FleetFolder

COUNTS = st.integers(min_value=1, max_value=120)


@st.composite
def budgets(draw: st.DrawFn) -> Connections:
    """Any budget that fits: pool + reserve within the cap."""
    cap = draw(st.integers(min_value=2, max_value=500))
    reserve = draw(st.integers(min_value=1, max_value=cap - 1))
    return Connections(cap=cap, reserve=reserve, pool=draw(st.integers(min_value=1, max_value=cap - reserve)))


def _plan(connections: Connections, places: int, *, pooled: bool) -> DatabasePlan:
    return DatabasePlan(
        name="timeweb-any",
        provider="timeweb",
        mode="shared",
        regions=("ru-1",),
        tenants_per_cluster=places,
        database_gb=Decimal(1),
        connections=connections,
        pooled=pooled,
    )


def _tenants(number: int) -> dict[str, Tenant]:
    return {f"t-{n}": Tenant(id=f"t-{n}", database=DatabaseSection(plan="timeweb-any")) for n in range(number)}


@given(connections=budgets(), places=COUNTS, tenants=COUNTS, pooled=st.booleans())
def test_no_cluster_that_place_fills_can_open_more_than_its_cap_leaves(
    connections: Connections, places: int, tenants: int, *, pooled: bool
) -> None:
    """A39, A40, G6, G9: a pool is min(20, (cap - reserve) / places), at least 1; the reserve is always left."""
    plan = _plan(connections, places, pooled=pooled)
    plans = Plans({plan.name: plan}, {})
    assert list(database_plan_findings(plan)) == []
    assert plan.connection_limit == max(1, min(connections.pool, (connections.cap - connections.reserve) // places))
    placements = place(_tenants(tenants), plans, Placements())
    assert list(placements_findings(placements, plans)) == []
    served = Counter(placed.database.cluster for placed in placements.tenants.values() if placed.database)
    for count in served.values():
        assert count <= places
        assert plan.connections_of(count) + connections.reserve <= connections.cap
        # Without a pooler nothing but the roles' limits keeps the budget; with one a full cluster queues.
        assert pooled or count * plan.connection_limit == plan.connections_of(count)
    found = tightest(placements, plans)
    assert found is not None
    assert (found.tenants, found.open) == (max(served.values()), plan.connections_of(max(served.values())))


@given(connections=budgets(), places=COUNTS)
def test_with_a_pooler_every_place_is_taken_and_without_one_no_more_than_the_budget_has(
    connections: Connections, places: int
) -> None:
    """A39, G6: at that count `place` opens the next cluster."""
    assert _plan(connections, places, pooled=True).capacity == places
    assert _plan(connections, places, pooled=False).capacity == min(places, connections.budget)


@given(connections=budgets(), more=st.integers(min_value=1, max_value=50))
def test_a_budget_above_its_cap_is_refused(connections: Connections, more: int) -> None:
    """G9."""
    pool = connections.budget + more
    plan = _plan(connections.model_copy(update={"pool": pool}), 1, pooled=False)
    assert [path for path, _ in database_plan_findings(plan)] == [("connections",)]


FREE = "  t-{}: {{database: {{plan: timeweb-free}}}}\n"


def test_a_full_cluster_cannot_lose_its_pooler(folder: FleetFolder) -> None:
    """A39, G9: a hundred tenants of one connection each and a reserve of five are more than a hundred."""
    folder.edit("plans.yaml", "pooled: false", "pooled: true")
    folder.write("tenants.yaml", "tenants:\n" + "".join(FREE.format(number) for number in range(100)))
    assert set(folder.place().placements.clusters) == {"shared-free-1"}
    folder.edit("plans.yaml", "pooled: true", "pooled: false")
    (problem,) = folder.problems(require_placed=True)
    assert (problem.file, problem.line) == ("placements.yaml", 4)
    assert problem.message.startswith("its tenants may open 105 of 100 connections: undo the edit of plan timeweb-free")


def test_a_cluster_whose_plan_has_become_pooled_is_stale_until_it_is_placed(folder: FleetFolder) -> None:
    """A38: it has no port before."""
    folder.place()
    folder.edit("plans.yaml", "pooled: false", "pooled: true")
    (problem,) = folder.problems(require_placed=True)
    assert (problem.file, problem.line) == ("placements.yaml", 4)
    assert problem.message == "plan timeweb-free has a pooler, and the cluster no number of one: run `tenantry place`"
    assert folder.place().placements.clusters["shared-free-1"].pooler == 1
    assert folder.problems(require_placed=True) == ()


def test_two_clusters_with_one_pooler_are_refused_as_after_a_merge_of_two_branches(folder: FleetFolder) -> None:
    """A38: both would be at one port."""
    folder.edit("plans.yaml", "pooled: false", "pooled: true")
    folder.write("tenants.yaml", "tenants:\n" + "".join(FREE.format(number) for number in range(101)))
    folder.place()
    folder.edit("placements.yaml", "pooler: 2", "pooler: 1")
    (problem,) = folder.problems()
    assert (problem.file, problem.line) == ("placements.yaml", 5)
    assert problem.path == "clusters.shared-free-2.pooler"
    assert problem.message.startswith("pooler 1 is that of cluster 'shared-free-1' too: remove the key of the newer")
