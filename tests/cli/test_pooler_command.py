"""`tenantry pooler render`: what ends it before it writes anything."""

from pathlib import Path

import pytest

from cli import exit_codes
from tests.cli.conftest import Catalogue, Tenantry

STACK = ("--stack", "sandbox", "--engine", "embedded")


def test_a_fleet_without_a_pooled_plan_is_told_what_to_write(
    tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path
) -> None:
    catalogue.folder.place()
    ran = tenantry("pooler", "render", str(tmp_path / "files"), *STACK, *catalogue.option())
    assert ran.code == 0
    assert ran.out.startswith("no cluster has a pooler: write `pooled: true` in a shared plan of plans.yaml")
    assert not (tmp_path / "files" / "shared-free-1").exists()


def test_a_cluster_that_is_not_up_is_named_and_its_old_files_stay(
    tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path
) -> None:
    """A state that knows nobody, as on another engine, takes no running pooler's files away."""
    catalogue.folder.edit("plans.yaml", "pooled: false", "pooled: true")
    catalogue.folder.place()
    home = tmp_path / "files" / "shared-free-1"
    words = ("pooler", "render", str(tmp_path / "files"), *STACK, *catalogue.option())
    assert tenantry(*words).code == 0
    home.mkdir()
    (home / "pgbouncer.ini").write_text(
        "; Written by `tenantry pooler render`, which overwrites what is edited here.\n"
    )
    ran = tenantry(*words)
    assert ran.code == 0
    assert "cluster shared-free-1 is not in the stack's outputs, so its files stay as they are" in ran.err
    assert (home / "pgbouncer.ini").exists()


def test_a_catalogue_that_is_not_placed_ends_it(tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path) -> None:
    ran = tenantry("pooler", "render", str(tmp_path / "files"), *STACK, *catalogue.option())
    assert ran.code == exit_codes.USER_ERROR
    assert "run `tenantry place`" in ran.err
    assert not (tmp_path / "files").exists()


def test_a_folder_with_other_files_is_refused(tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.folder.place()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "passwd").write_text("not ours")
    ran = tenantry("pooler", "render", str(tmp_path / "files"), *STACK, *catalogue.option())
    assert ran.code == exit_codes.USER_ERROR
    assert "holds other files; give the poolers' files a folder of their own" in ran.err


def test_a_wrong_setting_is_told_by_its_key(
    tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.folder.place()
    monkeypatch.setenv("TENANTRY_POOLER_PORT", "six")
    ran = tenantry("pooler", "render", str(tmp_path / "files"), *STACK, *catalogue.option())
    assert ran.code == exit_codes.USER_ERROR
    assert ran.err.startswith("setting tenantry:poolerPort must be a port from 1 to 65535, not 'six'")
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("version", ["1.17", "1", "new", "1.18.0.1"])
def test_a_version_that_is_none_is_wrong_usage(
    tenantry: Tenantry, catalogue: Catalogue, tmp_path: Path, version: str
) -> None:
    catalogue.folder.place()
    words = ("pooler", "render", str(tmp_path / "files"), "--pgbouncer", version, *STACK, *catalogue.option())
    ran = tenantry(*words)
    assert ran.code == exit_codes.USAGE
    assert f"'{version}' is no version of PgBouncer" in ran.err
    assert not (tmp_path / "files").exists()
