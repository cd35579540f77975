"""A command's edit of an entry leaves the rest of the file as it was, to the byte."""

import pytest

from catalogue.edit import edit_section
from catalogue.errors import CatalogueError
from tests.catalogue.fleets import FleetFolder

WRITTEN = """\
# Who is served.
tenants:
  acme:   # the first
    name: "Acme GmbH"
    members: {dev@acme.example: admin}
    database: {plan: timeweb-pro, migrate: true}
    storage:
      plan: s3-standard
      migrate: true
  beta:
    database: {plan: timeweb-enterprise, size: {cpu: 8, ram_gb: 16, disk_gb: 220}}
"""


def test_a_section_says_what_it_is_told_and_all_else_stays(folder: FleetFolder) -> None:
    """F18: an undo writes back what the entry said before the move."""
    folder.write("tenants.yaml", WRITTEN)
    edit_section(folder.path, "acme", "database", {"plan": "timeweb-free", "migrate": None, "region": None})
    edit_section(folder.path, "acme", "storage", {"plan": "timeweb-s3", "migrate": None})
    expected = WRITTEN.replace("{plan: timeweb-pro, migrate: true}", "{plan: timeweb-free}")
    expected = expected.replace("      plan: s3-standard\n      migrate: true\n", "      plan: timeweb-s3\n")
    assert (folder.path / "tenants.yaml").read_text(encoding="utf-8") == expected


def test_an_edit_that_says_what_is_there_writes_nothing(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", WRITTEN)
    before = (folder.path / "tenants.yaml").stat().st_ino
    size = {"cpu": 8, "ram_gb": 16, "disk_gb": 220}
    edit_section(folder.path, "beta", "database", {"plan": "timeweb-enterprise", "size": size, "migrate": None})
    assert (folder.path / "tenants.yaml").stat().st_ino == before


def test_the_file_that_holds_the_entry_is_edited(folder: FleetFolder) -> None:
    """Design 3.1: tenants may be a folder."""
    (folder.path / "tenants.yaml").unlink()
    folder.write("tenants/a.yaml", "tenants:\n  acme: {storage: {plan: timeweb-s3}}\n")
    folder.write("tenants/b.yaml", "tenants:\n  beta: {database: {plan: timeweb-pro, migrate: true}}\n")
    edit_section(folder.path, "beta", "database", {"plan": "timeweb-free", "migrate": None})
    assert (folder.path / "tenants" / "b.yaml").read_text() == "tenants:\n  beta: {database: {plan: timeweb-free}}\n"
    assert folder.problems() == ()


def test_an_entry_that_is_not_there_is_a_sentence(folder: FleetFolder) -> None:
    with pytest.raises(CatalogueError, match=r"tenants\.nobody\.database: there is no such section"):
        edit_section(folder.path, "nobody", "database", {"plan": "timeweb-free"})
