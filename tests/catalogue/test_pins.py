"""Edits of what is placed: an ordinary update where it can become so in place, else refused at its line."""

import pytest

from tests.catalogue.fleets import FleetFolder

DATABASE = "database: {plan: timeweb-business}"
STORAGE = "storage: {plan: timeweb-s3}"


@pytest.fixture
def placed(folder: FleetFolder) -> FleetFolder:
    """Acme on a dedicated cluster and beta on a shared one, with a second region and a second bucket plan on offer."""
    plans = (
        (folder.path / "plans.yaml")
        .read_text(encoding="utf-8")
        .replace("    regions: [ru-1]\n", "    regions: [ru-1, ru-3]\n")
    )
    bucket = plans.index("  timeweb-s3:")
    plans = plans[:bucket] + plans[bucket:].replace("[ru-1, ru-3]", "[ru-1]")
    larger = (
        plans[bucket : plans.index("  s3-standard:")].replace("timeweb-s3", "timeweb-s3-large").replace("100", "500")
    )
    folder.write("plans.yaml", plans + larger)
    folder.edit("tenants.yaml", "database: {plan: timeweb-free}", DATABASE)
    tenants = (folder.path / "tenants.yaml").read_text(encoding="utf-8")
    folder.write("tenants.yaml", tenants + "  beta:\n    database: {plan: timeweb-pro}\n")
    folder.place()
    return folder


ALLOWED = {
    "a larger plan on a dedicated cluster": (DATABASE, "database: {plan: timeweb-enterprise, preset: 126}"),
    "the region it is in": (DATABASE, "database: {plan: timeweb-business, region: ru-1}"),
    "a larger bucket": (STORAGE, "storage: {plan: timeweb-s3-large}"),
    "a move that changes nothing": (STORAGE, "storage: {plan: timeweb-s3, migrate: true}"),
    "another name": ("name: Acme GmbH", "name: Acme Group"),
    "another state": ("name: Acme GmbH", "name: Acme GmbH\n    state: suspended"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_an_edit_that_takes_effect_in_place_is_no_problem(placed: FleetFolder, case: str) -> None:
    """A23, F22."""
    placed.edit("tenants.yaml", *ALLOWED[case])
    assert placed.problems() == ()


REFUSED = {
    "another region": (
        DATABASE,
        "database: {plan: timeweb-business, region: ru-3}",
        (
            "tenants.yaml:5:40: tenants.acme.database.region: region is pinned to ru-1 in placements.yaml and does not "
            "become ru-3 in place"
        ),
    ),
    "from dedicated to shared": (
        DATABASE,
        "database: {plan: timeweb-pro}",
        (
            "tenants.yaml:5:16: tenants.acme.database.plan: mode is pinned to dedicated in placements.yaml and does "
            "not become shared in place"
        ),
    ),
    "from shared to dedicated": (
        "{plan: timeweb-pro}",
        "{plan: timeweb-business}",
        (
            "tenants.yaml:8:16: tenants.beta.database.plan: mode is pinned to shared in placements.yaml and does not "
            "become dedicated in place"
        ),
    ),
    "another shared plan": (
        "{plan: timeweb-pro}",
        "{plan: timeweb-pro-plus}",
        (
            "tenants.yaml:8:16: tenants.beta.database.plan: shared plan is pinned to timeweb-pro in placements.yaml "
            "and does not become timeweb-pro-plus in place"
        ),
    ),
    "another provider": (
        STORAGE,
        "storage: {plan: s3-standard, region: us-east-1}",
        (
            "tenants.yaml:6:15: tenants.acme.storage.plan: provider is pinned to timeweb in placements.yaml and does "
            "not become s3 in place"
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_edit_against_a_pin_is_refused_with_both_ways_out(placed: FleetFolder, case: str) -> None:
    """F22, H1."""
    old, new, sentence = REFUSED[case]
    placed.edit("tenants.yaml", old, new)
    assert f"{sentence}: undo the edit, or ask for a move with `migrate: true`" in placed.sentences()


def test_another_engine_version_of_a_plan_is_refused_for_each_tenant_on_it(placed: FleetFolder) -> None:
    """F22, G13."""
    placed.edit("plans.yaml", "version: 15\n    size: {cpu: 8", "version: 16\n    size: {cpu: 8")
    (sentence,) = placed.sentences()
    assert sentence.startswith(
        "tenants.yaml:5:16: tenants.acme.database.plan: postgres version is pinned to 15 in placements.yaml"
    )


def test_one_bad_edit_does_not_hide_another(placed: FleetFolder) -> None:
    """F22: per tenant."""
    placed.edit("tenants.yaml", *REFUSED["another region"][:2])
    placed.edit("tenants.yaml", *REFUSED["another shared plan"][:2])
    assert len(placed.problems()) == 2


def test_a_plan_that_is_sold_elsewhere_now_leaves_placed_tenants_alone(placed: FleetFolder) -> None:
    """F5: nobody moves for an edit of a default."""
    text = (placed.path / "plans.yaml").read_text(encoding="utf-8")
    placed.write("plans.yaml", text.replace("[ru-1, ru-3]", "[ru-3]"))
    assert placed.problems(require_placed=True) == ()


def test_a_plan_change_in_place_needs_the_region_one_is_in(placed: FleetFolder) -> None:
    """F22."""
    enterprise = "custom: true\n    regions: [ru-1, ru-3]"
    placed.edit("plans.yaml", enterprise, enterprise.replace("ru-1, ", ""))
    placed.edit("tenants.yaml", DATABASE, "database: {plan: timeweb-enterprise, preset: 126}")
    (problem,) = placed.problems()
    assert problem.message.startswith("region is pinned to ru-1 in placements.yaml and does not become ru-3 in place")
