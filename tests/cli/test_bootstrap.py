"""`tenantry bootstrap`: what is needed once, looked at on a simulated account and made only where that is safe."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from catalogue.load import load_fleet
from cli import exit_codes
from cli.bootstrap import steps
from cli.options import EngineName
from components.settings import PROJECT
from engines.embedded import EmbeddedEngine
from lifecycle.bootstrap import admin_secret
from tests.cli.conftest import Catalogue, Tenantry

STACK = ("--stack", "sandbox", "--engine", "embedded")


def outcomes(written: str) -> dict[str, str]:
    """Each step's outcome."""
    return {step["name"]: step["outcome"] for step in json.loads(written)}


def test_twice_in_a_row_asks_for_two_lists_and_makes_nothing(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """Design 3.2: idempotent; one cheap call proves the token, and the sizes come with it."""
    for _ in range(2):
        ran = tenantry("bootstrap", *STACK, *catalogue.option(), "--json")
        assert (ran.code, ran.err) == (exit_codes.DONE, "")
        assert outcomes(ran.out) == {
            "timeweb:token": "present",
            "tenantry:adminSecret": "present",
            "size of plan timeweb-free": "present",
            "size of plan timeweb-s3": "present",
        }
    asked = [f"{entry.method} {entry.path}" for entry in catalogue.account.requests()]
    assert asked == ["GET /api/v2/presets/dbs", "GET /api/v1/presets/storages"] * 2


def test_a_token_that_the_provider_refuses_is_named(
    tenantry: Tenantry, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMEWEB_CLOUD_TOKEN", "of another account")
    ran = tenantry("bootstrap", *STACK, *catalogue.option(), "--json")
    assert ran.code == exit_codes.ENGINE_ERROR
    assert outcomes(ran.out) == {"timeweb:token": "refused", "tenantry:adminSecret": "present"}
    assert "of another account" not in ran.out + ran.err
    assert len(catalogue.account.requests()) == 1


def test_a_size_that_is_not_on_offer_is_refused_with_those_that_are(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """A15."""
    catalogue.folder.edit("plans.yaml", "disk_gb: 100\n", "disk_gb: 101\n")
    ran = tenantry("bootstrap", *STACK, *catalogue.option(), "--check", "--json")
    assert ran.code == exit_codes.ENGINE_ERROR
    (refused,) = [step for step in json.loads(ran.out) if step["outcome"] == "refused"]
    assert refused["name"] == "size of plan timeweb-s3"
    assert "disk_gb 101" in refused["detail"]
    assert "offered: id " in refused["detail"]


@pytest.fixture
def project(tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack file may be written, without a secret in the environment."""
    del catalogue
    monkeypatch.delenv("TENANTRY_ADMIN_SECRET")
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("Pulumi.yaml", "Pulumi.sandbox.yaml"):
        (folder / name).write_text((PROJECT / name).read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def secret_step(project: Path, catalogue: Catalogue, *, check: bool = False) -> str:
    fleet = load_fleet(catalogue.folder.path, require_placed=False)
    found = steps("sandbox", EngineName.embedded, fleet, check=check, project=project)
    return next(step.outcome for step in found if step.name == "tenantry:adminSecret")


def test_the_administrators_secret_is_made_once_and_encrypted(project: Path, catalogue: Catalogue) -> None:
    """Design rules 6 and 7: never overwritten, in no argument list, and the rest of the stack file stays."""
    file = project / "Pulumi.sandbox.yaml"
    before = file.read_text(encoding="utf-8")
    assert secret_step(project, catalogue, check=True) == "missing"
    assert file.read_text(encoding="utf-8") == before
    assert secret_step(project, catalogue) == "made"
    made = file.read_text(encoding="utf-8")
    assert set(before.splitlines()) <= set(made.splitlines())
    assert YAML(typ="safe").load(made)["config"]["tenantry:adminSecret"]["secure"].startswith("v1:")
    engine = EmbeddedEngine(project, "sandbox", catalogue.state)
    assert len(engine.configuration()["tenantry:adminSecret"]) == 64
    assert secret_step(project, catalogue) == "present"
    assert file.read_text(encoding="utf-8") == made


def test_another_secret_is_refused_where_it_would_lock_everybody_out() -> None:
    """Design rule 6: a lost secret is not replaced, and the environment does not silently win over the stack's."""
    saved: list[str] = []
    lost = admin_secret(None, None, clusters=True, check=False, save=saved.append)
    other = admin_secret("one", "another", clusters=False, check=False, save=saved.append)
    assert (lost.outcome, other.outcome, saved) == ("refused", "refused", [])
    assert "lock everybody out" in lost.detail
    assert "one" not in other.detail.split()


def test_a_cell_is_not_bootstrapped_by_itself(tenantry: Tenantry, catalogue: Catalogue) -> None:
    ran = tenantry("bootstrap", "--stack", "nowhere", *catalogue.option())
    assert (ran.code, ran.out) == (exit_codes.USER_ERROR, "")
    assert catalogue.account.requests() == []
