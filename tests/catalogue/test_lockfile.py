"""The lock file is written whole, durably and the same to the byte, and reads back as it was."""

from pathlib import Path

import pytest

from catalogue.load import load_fleet
from catalogue.lockfile import placements_text, write_placements
from catalogue.placement import ClusterPlacement, Placed, Placements, TenantPlacement
from tests.catalogue.fleets import ACME, FleetFolder


@pytest.fixture
def placements(folder: FleetFolder) -> Placements:
    folder.write("tenants.yaml", ACME + "  beta: {database: {plan: timeweb-business}}\n  gamma: {}\n")
    return folder.place().placements


def test_what_was_written_is_what_is_read(folder: FleetFolder, placements: Placements) -> None:
    """F5."""
    assert load_fleet(folder.path).placements == placements
    assert set(placements.clusters) == {"shared-free-1", "customer-beta"}


def test_each_object_is_one_line_under_its_tenant_and_sorted(folder: FleetFolder, placements: Placements) -> None:
    """F5: two branches merge line by line."""
    lines = (folder.path / "placements.yaml").read_text(encoding="utf-8").splitlines()
    assert (
        lines[0]
        == "# Written by `tenantry place`; committed like any lock file. Do not edit: what is placed never moves."
    )
    assert [line.partition(" {")[0] for line in lines[2:]] == [
        "clusters:",
        "  customer-beta:",
        "  shared-free-1:",
        "tenants:",
        "  acme:",
        "    database:",
        "    storage:",
        "  beta:",
        "    database:",
    ]
    assert placements_text(placements) == "\n".join([*lines, ""])


def test_the_order_of_placements_does_not_show_in_the_file(placements: Placements) -> None:
    backwards = Placements(
        dict(reversed(list(placements.clusters.items()))), dict(reversed(list(placements.tenants.items())))
    )
    assert placements_text(backwards) == placements_text(placements)


def test_nobody_placed_is_a_file_too(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants: {}\n")
    write_placements(folder.path / "placements.yaml", Placements())
    assert load_fleet(folder.path).placements == Placements()


@pytest.mark.parametrize("name", ["123", "null", "true", "no", "y", "2026-11-01", "1e3", "0x1f"])
def test_an_id_that_other_readers_take_for_something_else_is_quoted(folder: FleetFolder, name: str) -> None:
    folder.write("tenants.yaml", f'tenants:\n  "{name}": {{storage: {{plan: timeweb-s3}}}}\n')
    assert set(folder.place().placements.tenants) == {name}
    assert f'\n  "{name}":\n' in (folder.path / "placements.yaml").read_text(encoding="utf-8")


def test_a_file_keeps_its_mode(folder: FleetFolder, placements: Placements) -> None:
    path = folder.path / "placements.yaml"
    path.chmod(0o640)
    write_placements(path, placements)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_new_file_is_readable_by_all(tmp_path: Path) -> None:
    write_placements(tmp_path / "placements.yaml", Placements())
    assert (tmp_path / "placements.yaml").stat().st_mode & 0o777 == 0o644


def test_a_link_stays_a_link_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("", encoding="utf-8")
    link = tmp_path / "placements.yaml"
    link.symlink_to("real.yaml")
    write_placements(link, Placements())
    assert link.is_symlink()
    assert (tmp_path / "real.yaml").read_text(encoding="utf-8") == placements_text(Placements())


def test_a_reader_never_meets_half_a_file(folder: FleetFolder, placements: Placements) -> None:
    """The old file stays until the new one is whole: an open reader keeps the old one, the name is another file."""
    path = folder.path / "placements.yaml"
    before = path.stat().st_ino
    with path.open(encoding="utf-8") as reader:
        write_placements(path, Placements())
        assert reader.read() == placements_text(placements)
    assert path.stat().st_ino != before


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(folder: FleetFolder) -> None:
    folder.place()
    before = {name: (folder.path / name).read_bytes() for name in folder.names()}
    lone_surrogate = Placements(tenants={"\ud800": TenantPlacement()})
    with pytest.raises(UnicodeEncodeError):
        write_placements(folder.path / "placements.yaml", lone_surrogate)
    assert {name: (folder.path / name).read_bytes() for name in folder.names()} == before


def test_later_generations_and_cells_are_kept(folder: FleetFolder) -> None:
    """F5: what a later version writes, this one carries on."""
    pins = {"plan": "timeweb-business", "region": "ru-1", "provider": "timeweb", "mode": "dedicated", "version": 15}
    cluster = ClusterPlacement.model_validate({**pins, "cell": 7, "generation": 2, "tenant": "acme"})
    database = Placed.model_validate({**pins, "cell": 7, "generation": 2, "cluster": "customer-acme-2"})
    placements = Placements({"customer-acme-2": cluster}, {"acme": TenantPlacement(database=database)})
    write_placements(folder.path / "placements.yaml", placements)
    folder.write("tenants.yaml", "tenants:\n  acme: {database: {plan: timeweb-business}}\n")
    assert load_fleet(folder.path).placements == placements
    assert placements.cells == (1, 7)


def test_a_name_in_angle_brackets_is_told_like_any_other(folder: FleetFolder) -> None:
    folder.write("placements.yaml", "clusters:\n  <x: {}\n")
    assert any("placements.yaml:2:" in str(problem) for problem in folder.problems())
