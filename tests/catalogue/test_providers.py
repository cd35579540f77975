"""Plans of Neon and of DigitalOcean's clusters: rows, branches, places, pins and names."""

import pytest

from catalogue.load import load_fleet
from catalogue.names import DatabaseNames, database_names, managed_cluster_name, project_name
from catalogue.placement import Placements, place
from catalogue.plan import Plans
from catalogue.tenant import DatabaseSection, Tenant
from tests.catalogue.fleets import FleetFolder

NEON, MANAGED = "database.neon-pro", "database.managed-pro"


@pytest.fixture
def plans(folder: FleetFolder) -> Plans:
    return load_fleet(folder.path, require_placed=False).plans


def _tenant(name: str, plan: str, region: str | None = None) -> Tenant:
    return Tenant(id=name, database=DatabaseSection(plan=plan, region=region))


def _placed(plans: Plans, *tenants: Tenant) -> Placements:
    return place({tenant.id: tenant for tenant in tenants}, plans, Placements())


def test_a_neon_project_is_placed_in_a_cell_and_on_no_cluster(plans: Plans) -> None:
    """B3, F22."""
    placements = _placed(plans, _tenant("acme", "neon-pro"))
    placed = placements.tenants["acme"].database
    assert placed is not None
    assert placed.model_dump(exclude_none=True) == {
        "cell": 1,
        "generation": 1,
        "plan": "neon-pro",
        "region": "aws-us-east-1",
        "provider": "neon",
        "mode": "dedicated",
        "version": 15,
    }
    assert placements.clusters == {}
    assert placements.tenants["acme"].clusters == ()


def test_neon_tenants_fill_cells_like_all_others(plans: Plans) -> None:
    """F26."""
    placements = _placed(plans, *(_tenant(f"t-{number:03}", "neon-free") for number in range(101)))
    assert placements.cells == (1, 2)
    assert placements.tenants["t-100"].cell == 2


def test_managed_tenants_share_clusters_that_are_numbered_apart_from_timewebs(plans: Plans) -> None:
    """B30, G11."""
    tenants = [_tenant(f"m-{number}", "managed-pro") for number in range(9)]
    placements = _placed(plans, *tenants, _tenant("acme", "timeweb-pro"))
    assert sorted(placements.clusters) == ["shared-managed-pro-1", "shared-managed-pro-2", "shared-pro-1"]
    first = placements.clusters["shared-managed-pro-1"]
    assert (first.provider, first.mode, first.version, first.region) == ("digitalocean", "shared", 15, "nyc3")
    served = [placed.database.cluster for placed in placements.tenants.values() if placed.database]
    assert served.count("shared-managed-pro-1") == 8


def test_a_fleet_on_all_providers_is_placed_once_and_stays_so(folder: FleetFolder) -> None:
    """F5: what is written is read again, and placing again changes nothing."""
    folder.write(
        "tenants.yaml",
        "tenants:\n  a:\n    database: {plan: neon-pro}\n  b:\n    database: {plan: managed-pro}\n"
        "  c:\n    database: {plan: timeweb-business}\n",
    )
    fleet = folder.place()
    assert folder.problems(require_placed=True) == ()
    assert place(fleet.tenants, fleet.plans, fleet.placements) == fleet.placements


IN_PLACE = {
    "a larger neon plan": ("{plan: neon-free}", "{plan: neon-pro}"),
    "a branch on a plan that has them": ("{plan: neon-pro}", "{plan: neon-pro, branches: {preview: {}}}"),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_what_a_neon_project_becomes_in_place_is_no_problem(folder: FleetFolder, case: str) -> None:
    """B7: quota and compute are updates."""
    before, after = IN_PLACE[case]
    folder.edit("tenants.yaml", "{plan: timeweb-free}", before)
    folder.place()
    folder.edit("tenants.yaml", before, after)
    assert folder.problems() == ()


REFUSED = {
    "another region": (
        "{plan: neon-pro, region: aws-eu-central-1}",
        (
            "tenants.yaml:5:32: tenants.acme.database.region: region is pinned to aws-us-east-1 in placements.yaml and "
            "does not become aws-eu-central-1 in place: undo the edit, or ask for a move with `migrate: true`"
        ),
    ),
    "another provider": (
        "{plan: managed-pro, migrate: true}",
        (
            "tenants.yaml:5:16: tenants.acme.database.plan: provider is pinned to neon in placements.yaml and does not "
            "become digitalocean in place: databases are not moved from one provider to another, undo the edit"
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_h1_what_would_need_another_project_is_refused_at_its_line(folder: FleetFolder, case: str) -> None:
    after, sentence = REFUSED[case]
    folder.edit("tenants.yaml", "{plan: timeweb-free}", "{plan: neon-pro}")
    folder.place()
    folder.edit("tenants.yaml", "{plan: neon-pro}", after)
    assert sentence in folder.sentences()


def test_a_neon_project_moves_to_another_region_where_it_is_asked_for(folder: FleetFolder) -> None:
    """F22."""
    folder.edit("tenants.yaml", "{plan: timeweb-free}", "{plan: neon-pro}")
    folder.place()
    folder.edit("tenants.yaml", "{plan: neon-pro}", "{plan: neon-pro, region: aws-eu-central-1, migrate: true}")
    other = folder.place().placements.tenants["acme"].database_other
    assert other is not None
    assert (other.generation, other.region, other.cluster, other.role) == (2, "aws-eu-central-1", None, "next")


BRANCHES = {
    "too many": (
        "neon-pro, branches: {a: {}, b: {}, c: {}, d: {}}",
        "tenants.acme.database.branches: Limit reached: 4/3 branches: plan neon-pro has at most 3",
    ),
    "on a plan without": (
        "neon-free, branches: {a: {}}",
        "tenants.acme.database.branches: plan neon-free has no branches: remove the key",
    ),
    "on a managed plan": (
        "managed-pro, branches: {a: {}}",
        "tenants.acme.database.branches: plan managed-pro has no branches: remove the key",
    ),
    "called main": (
        "neon-pro, branches: {main: {}}",
        ("tenants.acme.database.branches.main: 'main' is the branch that every project has: choose another name"),
    ),
    "of an unknown parent": (
        "neon-pro, branches: {a: {parent: man}}",
        "tenants.acme.database.branches.a.parent: no branch 'man' (did you mean 'main'?)",
    ),
    "in a circle": (
        "neon-pro, branches: {a: {parent: b}, b: {parent: a}}",
        ("tenants.acme.database.branches.a.parent: the parents of 'a' go round in a circle and never reach main"),
    ),
}


@pytest.mark.parametrize("case", BRANCHES)
def test_b6_b41_branches_are_checked_against_the_plan_and_each_other(folder: FleetFolder, case: str) -> None:
    section, sentence = BRANCHES[case]
    folder.edit("tenants.yaml", "{plan: timeweb-free}", f"{{plan: {section}}}")
    assert any(told.endswith(sentence) for told in folder.sentences()), folder.sentences()


def test_b6_a_branch_of_a_branch_is_taken(folder: FleetFolder) -> None:
    section = "neon-pro, branches: {stage: {}, preview: {parent: stage, endpoint: true, expires: 2026-12-01}}"
    folder.edit("tenants.yaml", "{plan: timeweb-free}", f"{{plan: {section}}}")
    assert folder.problems() == ()


def test_a_shared_database_has_nothing_to_adopt(folder: FleetFolder) -> None:
    folder.edit("tenants.yaml", "{plan: timeweb-free}", "{plan: managed-pro, adopt: abc}")
    assert any("plan managed-pro has no cluster of the tenant's own to adopt" in told for told in folder.sentences())


ROWS = {
    "a shared neon plan": (
        "neon-pro:\n    provider: neon\n    mode: dedicated",
        "neon-pro:\n    provider: neon\n    mode: shared",
        f"{NEON}.mode: at Neon each tenant has a project of its own: write dedicated",
    ),
    "a neon plan without compute": (
        '    compute: {min_cu: "0.25", max_cu: "2", suspend_seconds: 300}\n',
        "",
        f'{NEON}.compute: is missing: say how far it scales, like {{min_cu: "0.25", max_cu: "2"}}',
    ),
    "a compute that shrinks": (
        'min_cu: "0.25", max_cu: "2"',
        'min_cu: "4", max_cu: "2"',
        f"{NEON}.compute: min_cu 4 and max_cu 2 must rise, within 0.25 and 56",
    ),
    "branches without the feature": (
        "    branches: 3\n",
        "    branches: 3\n    features: {branches: false}\n",
        f"{NEON}.branches: the plan's features have no branches: write 0 or remove the key",
    ),
    "a region that neon does not have": (
        '    regions: [aws-us-east-1, aws-eu-central-1]\n    compute: {min_cu: "0.25", max_cu: "2"',
        '    regions: [ru-1]\n    compute: {min_cu: "0.25", max_cu: "2"',
        f"{NEON}.regions[0]: unknown region of neon 'ru-1'",
    ),
    "a neon plan under another name": (
        "neon-pro:\n    provider: neon",
        "timeweb-top:\n    provider: neon",
        "database.timeweb-top.provider: plans of provider neon are called neon-<tier>, not timeweb-top",
    ),
    "a managed plan without a size of the vendor": (
        "    node_size: db-s-1vcpu-2gb\n",
        "",
        f"{MANAGED}.node_size: is missing: DigitalOcean's word for the cluster's size, like db-s-1vcpu-2gb",
    ),
    "a dedicated managed plan": (
        "provider: digitalocean\n    mode: shared",
        "provider: digitalocean\n    mode: dedicated",
        f"{MANAGED}.mode: tenants share DigitalOcean's clusters, each with a database to itself: write shared",
    ),
    "a version nobody makes": (
        "provider: digitalocean\n    mode: shared\n    version: 15",
        "provider: digitalocean\n    mode: shared\n    version: 9",
        f"{MANAGED}.version: digitalocean makes PostgreSQL 14, 15, 16, 17, not 9",
    ),
    "compute at timeweb": (
        "timeweb-free:\n",
        'timeweb-free:\n    compute: {min_cu: "1", max_cu: "2"}\n',
        "database.timeweb-free.compute: only Neon's projects have compute: remove the key",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_plan_that_its_provider_cannot_serve_is_refused(folder: FleetFolder, case: str) -> None:
    """F8, F9, G40."""
    old, new, sentence = ROWS[case]
    folder.edit("plans.yaml", old, new)
    assert any(sentence in told for told in folder.sentences()), folder.sentences()


def test_the_defaults_of_a_plan_are_those_of_the_requirement_book(plans: Plans) -> None:
    """B41, B45."""
    limits, features = plans.database["neon-free"].limits, plans.database["neon-free"].features
    assert (limits.max_databases, limits.max_storage_mb, limits.max_requests_per_day) == (1, 100, 10_000)
    assert (features.real_time, features.branches, features.api_generation) == (True, True, True)


def test_the_names_are_those_in_everybodys_state() -> None:
    """B3, B4, B30, A33."""
    assert project_name("prod", "acme", 1) == "prod-acme"
    assert project_name("prod", "acme", 2) == "prod-acme-2"
    assert managed_cluster_name("prod", "shared-managed-pro-1", 1) == "prod-shared-managed-pro-1"
    assert database_names("digitalocean", "shared", "acme") == DatabaseNames(
        "tenant_acme", "public", "tenant_acme_owner", "tenant_acme_user", "tenant_acme"
    )
    assert database_names("neon", "dedicated", "acme") == DatabaseNames(
        "main", "public", "c_acme_owner", "c_acme", "c_acme"
    )
    assert database_names("timeweb", "shared", "acme").schema == "c_acme"
    assert database_names("timeweb", "dedicated", "acme").schema == "public"


def test_a_cluster_name_that_digitalocean_would_refuse_is_refused_here() -> None:
    with pytest.raises(ValueError, match="shorten the prefix"):
        managed_cluster_name("p" * 50, "shared-managed-pro-1", 1)
