"""`tenantry validate` and `tenantry place`: what they print, write and end with. Neither sends anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Catalogue, Tenantry

PROJECT = Path(__file__).resolve().parent.parent.parent
BETA = "  beta: {database: {plan: timeweb-business}}\n"
STALE = "placements.yaml is stale: 1 tenants on 1 clusters, 1 tenants new"
TIGHTEST = (
    "tightest cluster: shared-free-1 with 1 of 95 places taken; "
    "its tenants open at most 1 of 100 connections together, 5 are kept for us"
)
FAULTY = """\
tenants:
  acme:
    database: {plan: timeweb-prro}
    colour: blue
  Beta:
    storage: {plan: timeweb-s3}
"""
SENTENCES = [
    "tenants.yaml:3:16: tenants.acme.database.plan: unknown plan 'timeweb-prro' (did you mean 'timeweb-pro'?)",
    "tenants.yaml:4:5: tenants.acme.colour: ",
    "tenants.yaml:5:3: tenants.Beta: ",
]


def test_a_catalogue_without_fault_is_said_so(tenantry: Tenantry, catalogue: Catalogue) -> None:
    ran = tenantry("validate", *catalogue.option())
    assert (ran.code, ran.out, ran.err) == (0, "1 tenants, no problems\n", "")
    ran = tenantry("validate", *catalogue.option(), "--json")
    assert (ran.code, json.loads(ran.out), ran.err) == (0, {"tenants": 1, "problems": []}, "")
    assert catalogue.untouched()


def test_every_problem_is_told_at_once_each_with_its_place(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """F12, design 3.2: `file:line:column: path: sentence`, on stderr, exit 1."""
    catalogue.folder.write("tenants.yaml", FAULTY)
    ran = tenantry("validate", *catalogue.option())
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert len(lines) == len(SENTENCES)
    for line, sentence in zip(lines, SENTENCES, strict=True):
        assert line.startswith(sentence)
    assert catalogue.untouched()


def test_problems_are_told_as_json_where_that_is_asked_for(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """Design 3.2: `--json` on all that print."""
    catalogue.folder.write("tenants.yaml", FAULTY)
    ran = tenantry("validate", *catalogue.option(), "--json")
    assert ran.code == 1
    assert len(json.loads(ran.out)["problems"]) == len(SENTENCES)


def test_text_of_the_catalogue_is_never_read_as_markup(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.write("tenants.yaml", "tenants:\n  acme: {database: {plan: '[bold]timeweb[/bold]'}}\n")
    ran = tenantry("validate", *catalogue.option())
    assert ran.code == 1
    assert "[bold]timeweb[/bold]" in ran.err


def test_the_folder_may_come_from_the_environment(
    tenantry: Tenantry, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.folder.write("tenants.yaml", FAULTY)
    monkeypatch.setenv("TENANTRY_FLEET", str(catalogue.folder.path))
    assert tenantry("validate").code == 1


def test_a_folder_without_a_catalogue_is_one_of_the_user_s_mistakes(tenantry: Tenantry, tmp_path: Path) -> None:
    ran = tenantry("validate", "--fleet", str(tmp_path / "nowhere"))
    assert ran.code == 1
    assert "tenants.yaml" in ran.err
    assert "Traceback" not in ran.err


def test_the_module_is_the_command(catalogue: Catalogue) -> None:
    """`python -m cli.main` in a process of its own: exit code and streams are the real ones."""
    catalogue.folder.write("tenants.yaml", FAULTY)
    command = [sys.executable, "-m", "cli.main", "validate", *catalogue.option()]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(SENTENCES[0])


def test_place_writes_the_lock_file_and_a_second_one_changes_no_byte(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """F5, A40: committed like any lock file; the tightest cluster is told."""
    ran = tenantry("place", *catalogue.option())
    assert ran.code == 0
    assert ran.out.splitlines() == ["placements.yaml written: 1 tenants on 1 clusters, 1 tenants new", TIGHTEST]
    written, changed = catalogue.placements.read_bytes(), catalogue.placements.stat().st_mtime_ns
    ran = tenantry("place", *catalogue.option())
    assert (ran.code, ran.out.splitlines()) == (0, ["placements.yaml is up to date", TIGHTEST])
    assert catalogue.placements.read_bytes() == written
    assert catalogue.placements.stat().st_mtime_ns == changed
    assert catalogue.untouched()


def test_place_check_says_stale_and_writes_nothing(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """Design 3.2: exit 4 where a check finds changes pending."""
    before = catalogue.folder.names()
    ran = tenantry("place", *catalogue.option(), "--check")
    assert ran.code == 4
    assert ran.out.splitlines() == [f"{STALE}; run `tenantry place`", TIGHTEST]
    assert catalogue.folder.names() == before


def test_place_check_is_content_with_a_fresh_lock_file(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    ran = tenantry("place", *catalogue.option(), "--check")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "placements.yaml is up to date")


def test_place_check_finds_a_new_tenant_beside_placed_ones(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    written = catalogue.placements.read_bytes()
    text = (catalogue.folder.path / "tenants.yaml").read_text()
    catalogue.folder.write("tenants.yaml", text + BETA)
    ran = tenantry("place", *catalogue.option(), "--check", "--json")
    assert ran.code == 4
    told = json.loads(ran.out)
    tightest = told.pop("tightest")
    assert told == {"stale": True, "new_tenants": ["beta"], "clusters": 2, "written": False}
    assert tightest == {
        "cluster": "shared-free-1",
        "tenants": 1,
        "places": 95,
        "open": 1,
        "cap": 100,
        "reserve": 5,
        "pooled": False,
    }
    assert catalogue.placements.read_bytes() == written


def test_place_refuses_a_faulty_catalogue_and_writes_nothing(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.write("tenants.yaml", FAULTY)
    ran = tenantry("place", *catalogue.option())
    assert ran.code == 1
    assert not catalogue.placements.exists()


def test_an_empty_shared_cluster_is_dropped_only_on_request(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    removed = "{database: {plan: timeweb-free}, state: terminated, removed: {on: 2026-11-01, backup: b-1}}"
    catalogue.folder.write("tenants.yaml", f"tenants:\n  acme: {removed}\n{BETA}")
    assert tenantry("place", *catalogue.option()).code == 0
    assert catalogue.clusters() == {"shared-free-1", "customer-beta"}
    assert tenantry("place", *catalogue.option(), "--drop-empty", "--check").code == 4
    assert catalogue.clusters() == {"shared-free-1", "customer-beta"}
    assert tenantry("place", *catalogue.option(), "--drop-empty").code == 0
    assert catalogue.clusters() == {"customer-beta"}
