"""A fleet is loaded whole or not at all: files, folders of tenants, and what must agree between them."""

import time
from datetime import date

import pytest

from catalogue.errors import CatalogueError
from catalogue.load import load_fleet
from catalogue.placement import place
from tests.catalogue.fleets import ACME, FleetFolder


def test_a_fleet_holds_tenants_plans_prices_placements_and_its_folder(folder: FleetFolder) -> None:
    """F4, F8."""
    fleet = folder.place()
    assert set(fleet.tenants) == set(fleet.placements.tenants) == {"acme"}
    assert set(fleet.plans.storage) == {"timeweb-s3", "s3-standard"}
    assert fleet.prices.timeweb.currency == "RUB"
    assert fleet.folder == folder.path


def test_the_error_lists_every_problem_a_line_each(folder: FleetFolder) -> None:
    """F9."""
    folder.write("tenants.yaml", "tenants:\n  b: 1\n  a: 2\n")
    with pytest.raises(CatalogueError) as caught:
        load_fleet(folder.path)
    assert str(caught.value).splitlines() == [
        "tenants.yaml:2:3: tenants.b: must be a mapping of keys to values, not a number",
        "tenants.yaml:3:3: tenants.a: must be a mapping of keys to values, not a number",
    ]


def test_tenants_may_be_a_folder_of_files(folder: FleetFolder) -> None:
    (folder.path / "tenants.yaml").rename(folder.path / "acme.yaml")
    folder.write("tenants/a.yaml", ACME)
    folder.write("tenants/b.yaml", "tenants:\n  beta: {database: {plan: timeweb-pro}}\n")
    folder.write("tenants/README.md", "not read")
    assert set(load_fleet(folder.path, require_placed=False).tenants) == {"acme", "beta"}


def test_a_file_and_a_folder_of_tenants_together_are_refused(folder: FleetFolder) -> None:
    folder.write("tenants/b.yaml", "tenants:\n  beta: {}\n")
    assert folder.sentences() == ["tenants.yaml:1:1: there is also a folder tenants/: keep one of the two"]


def test_a_tenant_in_two_files_is_refused(folder: FleetFolder) -> None:
    (folder.path / "tenants.yaml").unlink()
    folder.write("tenants/a.yaml", ACME)
    folder.write("tenants/b.yaml", "tenants:\n\n  acme: {}\n")
    assert folder.sentences() == [
        "tenants/b.yaml:3:3: tenants.acme: tenant 'acme' is already at tenants/a.yaml:2: remove one of them"
    ]


def test_a_tenant_twice_in_a_file_is_refused(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", ACME + "  acme: {}\n")
    assert folder.sentences() == ["tenants.yaml:7:3: tenants.acme: duplicate key 'acme': it is already at line 2"]


def test_a_file_of_tenants_with_another_ending_is_not_passed_over(folder: FleetFolder) -> None:
    """G26: nobody is left out in silence."""
    (folder.path / "tenants.yaml").unlink()
    folder.write("tenants/a.yaml", ACME)
    folder.write("tenants/b.yml", "tenants: {}\n")
    assert folder.sentences() == ["tenants/b.yml:1:1: files of tenants end in .yaml: rename it"]


def test_an_empty_folder_of_tenants_is_refused(folder: FleetFolder) -> None:
    (folder.path / "tenants.yaml").unlink()
    (folder.path / "tenants").mkdir()
    assert folder.sentences() == ["tenants:1:1: the folder holds no *.yaml file"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("tenant: {}\n", "key 'tenants' is missing"),
        ("tenants:\n", "must be a mapping of keys to values, not empty: write {} where there is none"),
        ("tenants: []\n", "must be a mapping of keys to values, not a list: write {} where there is none"),
    ],
)
def test_a_file_without_its_section_is_refused(folder: FleetFolder, content: str, sentence: str) -> None:
    folder.write("tenants.yaml", content)
    assert any(line.endswith(sentence) for line in folder.sentences())


def test_no_tenants_at_all_is_a_fleet_too(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants: {}\n")
    assert load_fleet(folder.path).tenants == {}


def test_a_tenant_without_a_place_fails_with_the_command_to_run(folder: FleetFolder) -> None:
    """F5."""
    assert folder.sentences(require_placed=True) == [
        "tenants.yaml:5:5: tenants.acme.database: is not placed yet: run `tenantry place`",
        "tenants.yaml:6:5: tenants.acme.storage: is not placed yet: run `tenantry place`",
    ]


def test_a_section_added_later_fails_until_it_is_placed(folder: FleetFolder) -> None:
    """F5."""
    folder.write("tenants.yaml", ACME.replace("    storage: {plan: timeweb-s3}\n", ""))
    folder.place()
    folder.write("tenants.yaml", ACME)
    assert folder.sentences(require_placed=True) == [
        "tenants.yaml:6:5: tenants.acme.storage: is not placed yet: run `tenantry place`"
    ]


def test_a_plan_that_changed_in_place_fails_until_it_is_recorded(folder: FleetFolder) -> None:
    """F5, F22."""
    folder.edit("tenants.yaml", "timeweb-free", "timeweb-business")
    folder.place()
    folder.edit("tenants.yaml", "timeweb-business", "timeweb-enterprise, preset: 126")
    assert folder.sentences(require_placed=True) == [
        "tenants.yaml:5:5: tenants.acme.database: is placed for plan timeweb-business: run `tenantry place`"
    ]
    assert folder.place().placements.clusters["customer-acme"].plan == "timeweb-enterprise"


def test_a_removed_tenant_needs_no_new_run_of_place(folder: FleetFolder) -> None:
    """G26: the run after `removed` drops the tenant, whoever places next frees its place."""
    folder.place()
    folder.write("tenants.yaml", ACME + "    state: terminated\n    removed: {on: 2027-12-01, backup: b-17}\n")
    assert folder.problems(require_placed=True) == ()


def test_an_entry_that_vanished_is_an_error_at_its_place(folder: FleetFolder) -> None:
    """G26, H6."""
    folder.place()
    folder.write("tenants.yaml", "tenants:\n  beta: {}\n")
    (problem,) = folder.problems()
    assert (problem.file, problem.line, problem.path) == ("placements.yaml", 6, "tenants.acme")
    assert "put the entry back with `state: terminated`" in problem.message


def test_a_section_that_vanished_is_an_error_at_its_tenant(folder: FleetFolder) -> None:
    """G26."""
    folder.place()
    folder.write("tenants.yaml", ACME.replace("    storage: {plan: timeweb-s3}\n", ""))
    (problem,) = folder.problems()
    assert (problem.file, problem.line, problem.path) == ("tenants.yaml", 2, "tenants.acme.storage")
    assert "it leaves with the tenant, by `state: terminated`" in problem.message


def test_nobody_is_called_vanished_while_a_file_of_tenants_cannot_be_read(folder: FleetFolder) -> None:
    folder.place()
    folder.write("tenants.yaml", "tenants: [\n")
    assert [problem.file for problem in folder.problems()] == ["tenants.yaml"]


def test_an_entry_at_fault_is_not_called_vanished(folder: FleetFolder) -> None:
    folder.place()
    folder.write("tenants.yaml", ACME.replace("storage: {plan: timeweb-s3}", "storage: {plan: 3}"))
    assert [problem.path for problem in folder.problems()] == ["tenants.acme.storage.plan"]


def test_the_lock_file_is_read_as_strictly_as_the_others(folder: FleetFolder) -> None:
    """F9."""
    folder.place()
    folder.edit("placements.yaml", "cell: 1,", "cel: 1,")
    folder.edit("placements.yaml", "generation: 1}", 'generation: "1"}')
    assert folder.sentences() == [
        "placements.yaml:4:3: clusters.shared-free-1: key 'cell' is missing",
        "placements.yaml:4:19: clusters.shared-free-1.cel: unknown key 'cel' (did you mean 'cell'?)",
        "placements.yaml:4:107: clusters.shared-free-1.generation: must be a whole number, not text",
    ]


@pytest.mark.parametrize(
    ("old", "new", "path", "sentence"),
    [
        (
            "cluster: shared-free-1",
            "cluster: shared-free-2",
            "tenants.acme.database.cluster",
            "cluster 'shared-free-2' is not in this file",
        ),
        (
            "database: {cell: 1, cluster: shared-free-1",
            "database: {cell: 1",
            "tenants.acme.database.cluster",
            "a database is on a cluster: its name is missing",
        ),
        (
            "storage: {cell: 1",
            "storage: {cell: 1, cluster: shared-free-1",
            "tenants.acme.storage",
            "a bucket has no cluster, mode or version",
        ),
        (
            "storage: {cell: 1",
            "storage: {cell: 2",
            "tenants.acme.storage.cell",
            "the tenant's other section is in cell 1",
        ),
        (
            "  shared-free-1: {cell: 1",
            "  shared-free-1: {cell: 2",
            "tenants.acme.database.cell",
            "cluster 'shared-free-1' says 2",
        ),
        (
            "  shared-free-1:",
            "  shared-one:",
            "clusters.shared-one",
            "by its plan and mode this cluster is called shared-free-<n>",
        ),
        (
            "generation: 1}\ntenants",
            "generation: 1, tenant: acme}\ntenants",
            "tenants.acme.database.cluster",
            "cluster 'shared-free-1' serves acme",
        ),
    ],
)
def test_a_lock_file_that_contradicts_itself_is_refused(
    folder: FleetFolder, old: str, new: str, path: str, sentence: str
) -> None:
    """F5: after an edit by hand or a merge of two branches."""
    folder.place()
    folder.edit("placements.yaml", old, new)
    assert (path, sentence) in [(problem.path, problem.message) for problem in folder.problems()]


def test_a_dedicated_cluster_is_named_after_whom_it_serves(folder: FleetFolder) -> None:
    """A16."""
    folder.edit("tenants.yaml", "timeweb-free", "timeweb-business")
    folder.place()
    folder.edit("placements.yaml", "tenant: acme", "tenant: other")
    assert [problem.message for problem in folder.problems()] == [
        "by its plan and mode this cluster is called customer-other",
        "cluster 'customer-acme' serves other",
    ]


def test_a_cell_that_two_branches_filled_together_is_refused(folder: FleetFolder) -> None:
    """F26."""
    folder.write("tenants.yaml", _storage_only(100))
    folder.place()
    row = "    storage: {cell: 1, generation: 1, plan: timeweb-s3, region: ru-1, provider: timeweb}\n"
    folder.write("placements.yaml", (folder.path / "placements.yaml").read_text(encoding="utf-8") + f"  t-100:\n{row}")
    folder.write("tenants.yaml", _storage_only(101))
    (problem,) = folder.problems()
    assert problem.message.startswith("cell 1 holds 101 tenants, at most 100")


def test_a_plan_edit_that_overbooks_the_connections_of_a_cluster_is_refused(folder: FleetFolder) -> None:
    """A39, G9."""
    rows = "".join(f"  t-{n}: {{database: {{plan: timeweb-pro}}}}\n" for n in range(10))
    folder.write("tenants.yaml", f"tenants:\n{rows}")
    folder.place()
    folder.edit("plans.yaml", "tenants_per_cluster: 10\n", "tenants_per_cluster: 8\n")
    (problem,) = folder.problems()
    assert (problem.file, problem.path) == ("placements.yaml", "clusters.shared-pro-1")
    assert problem.message.startswith("its tenants may open 115 of 100 connections: undo the edit of plan timeweb-pro")


def test_a_plan_is_not_taken_away_from_a_cluster_that_still_stands(folder: FleetFolder) -> None:
    """F5: an empty cluster is told to go first."""
    folder.edit("tenants.yaml", "timeweb-free", "timeweb-pro")
    folder.place()
    folder.write("tenants.yaml", ACME + "    state: terminated\n    removed: {on: 2027-12-01, backup: b-17}\n")
    folder.place()
    plans = (folder.path / "plans.yaml").read_text(encoding="utf-8")
    start, end = plans.index("  timeweb-pro:"), plans.index("  timeweb-pro-plus:")
    folder.write("plans.yaml", plans[:start] + plans[end:])
    assert folder.sentences(require_placed=True) == [
        (
            "placements.yaml:4:3: clusters.shared-pro-1: plan timeweb-pro is gone from plans.yaml: put it back, "
            "or run `tenantry place --drop-empty`"
        )
    ]
    fleet = load_fleet(folder.path, require_placed=False)
    assert place(fleet.tenants, fleet.plans, fleet.placements, drop_empty=True).clusters == {}


def test_a_second_generation_never_takes_another_tenants_name(folder: FleetFolder) -> None:
    """Design 4, rule 1: a storage user's name is its mark."""
    folder.write("tenants.yaml", ACME + "  acme-2: {storage: {plan: timeweb-s3}}\n")
    folder.place()
    folder.edit("placements.yaml", "    storage: {cell: 1, generation: 1", "    storage: {cell: 1, generation: 2")
    (problem,) = folder.problems()
    assert problem.message == "at the provider this storage would have the name of tenant 'acme-2'"


def test_a_thousand_tenants_load_in_well_under_a_second(folder: FleetFolder) -> None:
    """F38."""
    folder.write("tenants.yaml", _storage_only(1000))
    folder.place()
    started = time.process_time()
    assert len(load_fleet(folder.path).tenants) == 1000
    assert time.process_time() - started < 1


def _storage_only(tenants: int) -> str:
    return "tenants:\n" + "".join(f"  t-{n:03}: {{storage: {{plan: timeweb-s3}}}}\n" for n in range(tenants))


@pytest.mark.parametrize(("today", "told"), [("2027-11-30", True), ("2027-12-01", False), (None, False)])
def test_a_removal_waits_for_its_day(folder: FleetFolder, today: str | None, *, told: bool) -> None:
    """G26: it deletes data; the catalogue itself has no clock, whoever acts on it brings the day."""
    folder.write("tenants.yaml", ACME + "    state: terminated\n    removed: {on: 2027-12-01, backup: b-17}\n")
    day = date.fromisoformat(today) if today else None
    if not told:
        load_fleet(folder.path, today=day, require_placed=False)
        return
    with pytest.raises(CatalogueError) as caught:
        load_fleet(folder.path, today=day, require_placed=False)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("tenants.acme.removed.on", 8)
    assert "is later than today, 2027-11-30" in problem.message
