"""The catalogues that come with the project load, and are what the documents say of them."""

import shutil
from collections import Counter
from pathlib import Path

from catalogue.load import load_fleet
from catalogue.lockfile import placements_text
from catalogue.placement import Placements, place
from catalogue.tenant import State
from tests.catalogue.fleets import PROJECT, FleetFolder

FLEET = PROJECT / "examples" / "fleet"


def test_the_projects_own_catalogue_is_placed() -> None:
    """A53."""
    fleet = load_fleet(PROJECT)
    assert set(fleet.tenants) == {"acme"}
    assert place(fleet.tenants, fleet.plans, Placements()) == fleet.placements


def test_the_committed_lock_file_is_what_place_writes() -> None:
    """F5."""
    fleet = load_fleet(PROJECT)
    assert (PROJECT / "placements.yaml").read_text(encoding="utf-8") == placements_text(fleet.placements)


def test_the_example_at_the_head_of_the_tenants_file_loads(folder: FleetFolder) -> None:
    """F9."""
    lines = (PROJECT / "tenants.yaml").read_text(encoding="utf-8").splitlines()
    start = lines.index("# tenants:")
    example = []
    for line in lines[start:]:
        if line == "#":
            break
        example.append(line.removeprefix("# "))
    folder.write("tenants.yaml", "\n".join(example))
    (tenant,) = load_fleet(folder.path, require_placed=False).tenants.values()
    assert tenant.state is State.TRIAL
    assert tenant.database is not None
    assert tenant.database.size is not None
    unsaid = {"removed", "hosting", "servers"}
    assert {name for name in type(tenant).model_fields if name not in tenant.model_fields_set} == unsaid


def test_the_example_fleet_needs_ten_clusters_in_one_cell() -> None:
    fleet = load_fleet(FLEET, require_placed=False)
    placements = place(fleet.tenants, fleet.plans, Placements())
    assert len(fleet.tenants) == 31
    assert len(placements.clusters) == 10
    assert placements.cells == (1,)


def test_the_example_fleet_shows_every_plan_and_state() -> None:
    tenants = load_fleet(FLEET, require_placed=False).tenants.values()
    assert Counter(tenant.database.plan for tenant in tenants if tenant.database) == {
        "timeweb-free": 11,
        "timeweb-pro": 6,
        "timeweb-pro-plus": 4,
        "timeweb-business": 3,
        "timeweb-enterprise": 2,
        "neon-free": 2,
        "neon-pro": 1,
        "managed-pro": 2,
    }
    assert Counter(tenant.storage.plan for tenant in tenants if tenant.storage) == {"timeweb-s3": 24, "s3-standard": 4}
    assert Counter(tenant.state for tenant in tenants) == {
        State.ACTIVE: 27,
        State.TRIAL: 1,
        State.SUSPENDED: 2,
        State.TERMINATED: 1,
    }


def test_the_example_fleet_can_be_copied_and_placed_elsewhere(tmp_path: Path) -> None:
    """The demo works on a copy: `git status` stays clean."""
    copy = shutil.copytree(FLEET, tmp_path / "fleet")
    assert len(load_fleet(copy, require_placed=False).tenants) == 31
    assert not (FLEET / "placements.yaml").exists()


def test_the_example_fleet_names_no_person_and_no_real_address() -> None:
    for tenant in load_fleet(FLEET, require_placed=False).tenants.values():
        assert tenant.owner is not None
        for address in (tenant.owner.email, *tenant.members):
            assert address.endswith(f"@{tenant.id}.example")


def test_every_plan_is_documented_where_it_is_written() -> None:
    head = (PROJECT / "plans.yaml").read_text(encoding="utf-8").partition("\ndatabase:")[0]
    for key in (
        "mode",
        "size",
        "regions",
        "database_gb",
        "connections",
        "pooled",
        "backups",
        "shape",
        "disk_gb",
        "compute",
        "quotas",
        "branches",
        "node_size",
        "features",
        "limits",
    ):
        assert f"#   {key} " in head
