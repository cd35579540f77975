"""Lock files as `place` writes them are read in one go; all others by the YAML reader, with the same values."""

from pathlib import Path

import pytest

from catalogue.document import MEGABYTE
from catalogue.load import load_fleet
from catalogue.lockfile import placements_text, write_placements
from catalogue.placement import Placements, place
from catalogue.written import read_written
from tests.catalogue.fleets import FleetFolder

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "fleet"


@pytest.fixture
def lock(folder: FleetFolder) -> Path:
    """The example fleet's lock file, with words that YAML wants quoted, a tenant without a place and one that moves."""
    folder.write("tenants.yaml", (EXAMPLE / "tenants.yaml").read_bytes() + b"  'no': {storage: {plan: timeweb-s3}}\n")
    folder.place()
    folder.edit("tenants.yaml", "plan: timeweb-free}", "plan: timeweb-pro, migrate: true}")
    fleet = folder.place()
    assert any(tenant.others for tenant in fleet.placements.tenants.values())
    return folder.path / "placements.yaml"


def through_yaml(lock: Path) -> Placements:
    """What the YAML reader makes of the same file: a comment is nothing that `place` writes."""
    text = lock.read_text(encoding="utf-8")
    lock.write_text(f"{text}# by hand\n", encoding="utf-8")
    assert read_written(lock, MEGABYTE) is None
    found = load_fleet(lock.parent).placements
    lock.write_text(text, encoding="utf-8")
    return found


def test_both_ways_of_reading_give_the_same_values(lock: Path) -> None:
    """F5."""
    found = read_written(lock, MEGABYTE)
    assert found is not None
    assert found == through_yaml(lock)
    assert placements_text(found) == lock.read_text(encoding="utf-8")


def test_nobody_placed_is_read_too(tmp_path: Path) -> None:
    write_placements(tmp_path / "placements.yaml", Placements())
    assert read_written(tmp_path / "placements.yaml", MEGABYTE) == Placements()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Written by", "# Edited by"),
        ("cell: 1,", "cell: 01,"),
        ("cell: 1,", "cell: one,"),
        ("cell: 1,", "cell:  1,"),
        ("region: ru-1", "region: 'ru-1'"),
        ("provider: timeweb", "provider: timeweb, extra: 1"),
        ("tenants:\n", "<<<<<<< ours\ntenants:\n"),
        ("tenants:\n", "tenants:\n  alder-bakery:\n"),
        ("  alder-bakery:\n", "  alder-bakery: &a\n"),
    ],
)
def test_what_place_does_not_write_is_left_to_the_yaml_reader(lock: Path, old: str, new: str) -> None:
    text = lock.read_text(encoding="utf-8")
    assert old in text
    lock.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert read_written(lock, MEGABYTE) is None


def test_a_file_that_is_too_large_absent_or_no_text_is_left_to_the_yaml_reader(lock: Path) -> None:
    assert read_written(lock, 100) is None
    assert read_written(lock.parent / "nowhere.yaml", MEGABYTE) is None
    lock.write_bytes(b"\xff" + lock.read_bytes())
    assert read_written(lock, MEGABYTE) is None


def test_a_problem_in_a_file_read_in_one_go_has_its_line(folder: FleetFolder) -> None:
    """F4: a tenant that vanished is told at its place in the lock file."""
    folder.place()
    folder.write("tenants.yaml", "tenants:\n  beta: {}\n")
    (problem,) = folder.problems()
    lines = (folder.path / "placements.yaml").read_text(encoding="utf-8").splitlines()
    assert (problem.file, lines[problem.line - 1]) == ("placements.yaml", "  acme:")


def test_ten_thousand_rows_are_few_values(folder: FleetFolder) -> None:
    """Tenants of one cluster are one value in memory."""
    rows = [f"  t{number}: {{database: {{plan: timeweb-free}}}}\n" for number in range(300)]
    folder.write("tenants.yaml", "tenants:\n" + "".join(rows))
    fleet = load_fleet(folder.path, require_placed=False)
    write_placements(folder.path / "placements.yaml", place(fleet.tenants, fleet.plans, Placements()))
    found = read_written(folder.path / "placements.yaml", MEGABYTE)
    assert found is not None
    assert len({id(placed) for placed in found.tenants.values()}) <= 2 * len(found.clusters)
