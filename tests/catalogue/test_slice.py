"""A cell's own catalogue: the same values as in the fleet's, and nothing of other cells."""

from pathlib import Path

from catalogue.load import Fleet, load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from catalogue.slice import cell_files, write_files
from tests.catalogue.fleets import FleetFolder

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "fleet"


def placed(folder: FleetFolder, cell_size: int) -> Fleet:
    fleet = load_fleet(folder.path, require_placed=False)
    placements = place(fleet.tenants, fleet.plans, fleet.placements, cell_size=cell_size)
    write_placements(folder.path / "placements.yaml", placements)
    return load_fleet(folder.path)


def slices(fleet: Fleet, folder: Path) -> dict[int, Fleet]:
    """Each cell's catalogue, written and loaded again."""
    prices = (fleet.folder / "prices.yaml").read_text(encoding="utf-8")
    for cell in fleet.placements.cells:
        write_files(folder / str(cell), cell_files(fleet, cell, prices))
    return {cell: load_fleet(folder / str(cell)) for cell in fleet.placements.cells}


def test_the_cells_together_are_the_fleet(folder: FleetFolder, tmp_path: Path) -> None:
    """F26: every tenant, plan in use and place comes back as the value it was, in one cell."""
    folder.write("tenants.yaml", (EXAMPLE / "tenants.yaml").read_bytes())
    fleet = placed(folder, cell_size=4)
    cells = slices(fleet, tmp_path / "cells")
    assert len(cells) == 8
    tenants = [(name, tenant) for cell in cells.values() for name, tenant in cell.tenants.items()]
    assert len(tenants) == len(fleet.tenants)
    assert dict(tenants) == fleet.tenants
    for number, cell in cells.items():
        assert cell.placements == fleet.placements.cell(number)
        assert cell.prices == fleet.prices
        assert all(plan == fleet.plans.database[name] for name, plan in cell.plans.database.items())
        assert all(plan == fleet.plans.storage[name] for name, plan in cell.plans.storage.items())


def test_whatever_a_tenant_may_say_comes_back(folder: FleetFolder, tmp_path: Path) -> None:
    folder.write(
        "tenants.yaml",
        """\
tenants:
  "no":
    name: 'say "no": # {never} Ünïcode 🦊 \\ end'
    owner: {email: ops@acme.example, user_id: "7"}
    organization: "12"
    members: {ann@acme.example: admin, bob@acme.example: viewer}
    since: 2026-11-01
    state: trial
    trial_until: 2026-12-01
    billing: {currency: USD, cycle: yearly, country: DE, timezone: Europe/Berlin}
    database: {plan: timeweb-enterprise, size: {cpu: 2, ram_gb: 4, disk_gb: 40}, adopt: 17}
    storage: {plan: timeweb-s3, adopt: "18"}
  gone:
    state: terminated
    database: {plan: timeweb-free}
""",
    )
    fleet = placed(folder, cell_size=100)
    assert slices(fleet, tmp_path / "cells")[1].tenants == fleet.tenants


def test_an_edit_changes_the_files_of_the_cells_it_concerns(folder: FleetFolder) -> None:
    """F26: what one cell reads does not depend on the others, nor on comments and order."""
    rows = [f"  t{number}: {{database: {{plan: timeweb-free}}}}\n" for number in range(5)]
    folder.write("tenants.yaml", "tenants:\n" + "".join(rows))
    before = placed(folder, cell_size=2)
    folder.write("tenants.yaml", "# turned round\ntenants:\n" + "".join(reversed(rows)))
    folder.edit("tenants.yaml", "t4: {", "t4: {state: suspended, ")
    after = placed(folder, cell_size=2)
    changed = [cell for cell in before.placements.cells if cell_files(before, cell, "") != cell_files(after, cell, "")]
    assert changed == [3]
    folder.edit("plans.yaml", "statement_timeout_seconds: 30", "statement_timeout_seconds: 31")
    priced = placed(folder, cell_size=2)
    assert all(cell_files(priced, cell, "") != cell_files(after, cell, "") for cell in after.placements.cells)
