"""Thousands of random histories of a fleet: after each step nobody has moved, and every limit holds."""

from collections import Counter
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.lockfile import placements_findings, placements_text
from catalogue.placement import Placements, place, taken
from catalogue.plan import DatabasePlan, Plans, StoragePlan
from catalogue.tenant import DatabaseSection, Removed, State, StorageSection, Tenant

CELL_SIZE = 4
REGIONS = ("ru-1", "ru-3")


def _shared(name: str, places: int, *, pooled: bool = False) -> DatabasePlan:
    return DatabasePlan(
        name=name, provider="timeweb", mode="shared", regions=REGIONS, tenants_per_cluster=places, pooled=pooled
    )


def _dedicated(name: str) -> DatabasePlan:
    return DatabasePlan(name=name, provider="timeweb", mode="dedicated", regions=REGIONS, custom=True)


PLANS = Plans(
    {
        plan.name: plan
        for plan in (
            _shared("timeweb-two", 2),
            _shared("timeweb-three", 3, pooled=True),
            _dedicated("timeweb-big"),
            _dedicated("timeweb-huge"),
        )
    },
    {
        name: StoragePlan(name=name, shape="timeweb", provider="timeweb", regions=("ru-1",), disk_gb=100)
        for name in ("timeweb-s3", "timeweb-s3-large")
    },
)
GONE = Removed(on=date(2027, 12, 1), backup="b-17")

DATABASES = [
    None,
    *(DatabaseSection(plan=plan, region=region) for plan in PLANS.database for region in (None, *REGIONS)),
    *(DatabaseSection(plan=plan, migrate=True) for plan in PLANS.database),
]
BUCKETS = [None, *(StorageSection(plan=plan) for plan in PLANS.storage)]
# Between two runs of `place`: a signup or a section more, another plan, a removal, a removed entry deleted for good.
ALL_STEPS = [
    (kind, number, database, bucket)
    for kind in ("add", "change plan", "remove", "forget")
    for number in range(15)
    for database in (DATABASES if kind in ("add", "change plan") else [None])
    for bucket in (BUCKETS if kind in ("add", "change plan") else [None])
]
HISTORIES = st.lists(st.lists(st.sampled_from(ALL_STEPS), min_size=1, max_size=8), min_size=1, max_size=5)
Step = tuple[str, int, DatabaseSection | None, StorageSection | None]


def _edited(tenants: dict[str, Tenant], step: Step, placements: Placements) -> dict[str, Tenant]:
    kind, number, database, storage = step
    name = f"t-{number}"
    old = tenants.get(name, Tenant(id=name))
    # An entry goes for good when its place has gone; before, `load_fleet` calls it vanished.
    if kind == "forget" and not old.declared and name not in placements.tenants:
        return {other: tenant for other, tenant in tenants.items() if other != name}
    if kind == "remove" and name in tenants:
        return tenants | {name: old.model_copy(update={"state": State.TERMINATED, "removed": GONE})}
    if kind == "add" and old.declared:
        # What an entry has it keeps: sections do not vanish.
        return tenants | {
            name: old.model_copy(update={"database": old.database or database, "storage": old.storage or storage})
        }
    if kind == "change plan" and old.declared:
        wanted = {
            "database": old.database and (database or old.database),
            "storage": old.storage and (storage or old.storage),
        }
        return tenants | {name: old.model_copy(update=wanted)}
    return tenants


def _assert_nobody_moved(before: Placements, after: Placements) -> None:
    for name in before.tenants.keys() & after.tenants.keys():
        assert before.tenants[name].others.items() <= after.tenants[name].others.items()
        for section, old in before.tenants[name].sections.items():
            assert after.tenants[name].sections[section].model_dump(exclude={"plan"}) == old.model_dump(
                exclude={"plan"}
            )
    for name in before.clusters.keys() & after.clusters.keys():
        changing = {"plan", "preset", "size"}
        assert after.clusters[name].model_dump(exclude=changing) == before.clusters[name].model_dump(exclude=changing)


def _assert_limits_hold(tenants: dict[str, Tenant], placements: Placements) -> None:
    declared = {name for name, tenant in tenants.items() if tenant.declared and (tenant.database or tenant.storage)}
    assert placements.tenants.keys() == declared
    for name in declared:
        wanted = {part for part in ("database", "storage") if getattr(tenants[name], part) is not None}
        assert placements.tenants[name].sections.keys() == wanted
    assert list(placements_findings(placements, PLANS)) == []
    assert max(Counter(tenant.cell for tenant in placements.tenants.values()).values(), default=0) <= CELL_SIZE
    for cluster in placements.clusters.values():
        assert (cluster.pooler is not None) is PLANS.database[cluster.plan].pooled
    served = taken(placements.tenants)
    assert all(count <= PLANS.database[placements.clusters[str(name)].plan].capacity for name, count in served.items())


def _assert_settled(tenants: dict[str, Tenant], before: Placements, placements: Placements) -> None:
    """Deterministic to the byte in any order of tenants, and place of place is place."""
    backwards = dict(reversed(tenants.items()))
    assert placements_text(_place(backwards, before)) == placements_text(placements)
    assert _place(tenants, placements) == placements
    dropped = place(tenants, PLANS, placements, cell_size=CELL_SIZE, drop_empty=True)
    assert dropped.tenants == placements.tenants
    assert place(tenants, PLANS, dropped, cell_size=CELL_SIZE, drop_empty=True) == dropped


def _place(tenants: dict[str, Tenant], previous: Placements) -> Placements:
    return place(tenants, PLANS, previous, cell_size=CELL_SIZE)


@settings(max_examples=2000, deadline=None)
@given(HISTORIES)
def test_nobody_moves_and_every_limit_holds_through_any_history(history: list[list[Step]]) -> None:
    """F5, F22, F26, G6, G26."""
    tenants: dict[str, Tenant] = {}
    before = placements = Placements()
    meanings: dict[str, tuple[int, str, str]] = {}
    for steps in history:
        for step in steps:
            tenants = _edited(tenants, step, placements)
        before, placements = placements, _place(tenants, placements)
        _assert_nobody_moved(before, placements)
        _assert_limits_hold(tenants, placements)
        # A shared cluster's name means the same cluster for ever.
        for name, cluster in placements.clusters.items():
            if cluster.mode == "shared":
                meaning = (cluster.cell, cluster.plan, cluster.region)
                assert meanings.setdefault(name, meaning) == meaning
    _assert_settled(tenants, before, placements)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALL_STEPS), max_size=20))
def test_a_signup_places_only_the_newcomer(steps: list[Step]) -> None:
    """F5."""
    tenants: dict[str, Tenant] = {}
    for step in steps:
        tenants = _edited(tenants, step, Placements())
    before = _place(tenants, Placements())
    newcomer = Tenant(id="newcomer", database=DatabaseSection(plan="timeweb-two"))
    after = _place(tenants | {newcomer.id: newcomer}, before)
    assert {name: placed for name, placed in after.tenants.items() if name != newcomer.id} == before.tenants
    assert len(after.clusters) - len(before.clusters) in (0, 1)
