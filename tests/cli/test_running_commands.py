"""Commands that run an engine: what ends them before it runs, with which exit code, and that nothing is sent."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import exit_codes
from tests.cli.conftest import Catalogue, Tenantry

STACK = ("--stack", "sandbox", "--engine", "embedded")


@pytest.mark.parametrize("command", [("preview",), ("up", "--yes"), ("refresh",)])
def test_a_tenant_without_a_place_ends_a_run_before_it_begins(
    tenantry: Tenantry, catalogue: Catalogue, command: Sequence[str]
) -> None:
    """Design 3.1: the run fails and says what to do."""
    ran = tenantry(*command, *STACK, *catalogue.option())
    assert (ran.code, ran.out) == (exit_codes.USER_ERROR, "")
    assert ran.err.startswith("tenants.yaml:5:")
    assert "is not placed yet: run `tenantry place`" in ran.err
    assert catalogue.untouched()


@pytest.mark.parametrize(
    "command", [("preview",), ("up",), ("refresh",), ("destroy",), ("outputs",), ("verify", "isolation")]
)
def test_a_run_wants_its_stack_named(tenantry: Tenantry, catalogue: Catalogue, command: Sequence[str]) -> None:
    ran = tenantry(*command, *catalogue.option())
    assert ran.code == exit_codes.USAGE
    assert "--stack" in ran.err
    assert catalogue.untouched()


@pytest.mark.parametrize(
    "words",
    [
        ("preview", "--stack", "sandbox", "--engine", "terraform"),
        ("preview", "--stack", "sandbox", "--force"),
        ("sandbox", "faults", "--times", "-1"),
        ("conjure",),
    ],
)
def test_words_that_nobody_knows_are_wrong_usage(
    tenantry: Tenantry, catalogue: Catalogue, words: Sequence[str]
) -> None:
    assert tenantry(*words).code == exit_codes.USAGE
    assert catalogue.untouched()


@pytest.mark.parametrize(
    "command",
    [("preview",), ("up", "--yes"), ("refresh",), ("destroy", "--yes"), ("outputs",), ("verify", "isolation")],
)
def test_a_stack_without_a_file_is_told_in_a_sentence(
    tenantry: Tenantry, catalogue: Catalogue, command: Sequence[str]
) -> None:
    catalogue.folder.place()
    ran = tenantry(*command, "--stack", "nowhere", *catalogue.option())
    assert ran.code == exit_codes.USER_ERROR
    assert ran.err == "there is no Pulumi.nowhere.yaml beside Pulumi.yaml: create it, or name another stack\n"
    assert catalogue.untouched()


def test_an_engine_that_is_not_here_is_told_in_a_sentence(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    ran = tenantry("preview", "--stack", "sandbox", "--engine", "pulumi", *catalogue.option())
    assert ran.code == exit_codes.USER_ERROR
    assert ran.err == "there is no `pulumi` on PATH: install the Pulumi CLI, or use `--engine embedded`\n"
    assert catalogue.untouched()


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_nobody_to_ask_is_no_consent(tenantry: Tenantry, catalogue: Catalogue, command: str) -> None:
    """Without `--yes` and without a terminal nothing is sent."""
    catalogue.folder.place()
    ran = tenantry(command, *STACK, *catalogue.option())
    assert (ran.code, ran.out) == (exit_codes.USAGE, "")
    assert ran.err == "there is nobody to ask: add --yes\n"
    assert catalogue.untouched()


@pytest.mark.parametrize("typed", [(), ("--yes",), ("--confirm", ""), ("--confirm", "prod"), ("--confirm", "Sandbox")])
def test_data_goes_only_with_the_stack_s_own_name(
    tenantry: Tenantry, catalogue: Catalogue, typed: Sequence[str]
) -> None:
    """Design 3.2: `--yes` is not enough, nor is another stack's name."""
    catalogue.folder.place()
    ran = tenantry("destroy", *STACK, *catalogue.option(), "--including-data", *typed)
    assert (ran.code, ran.out) == (exit_codes.USER_ERROR, "")
    assert ran.err.startswith("nothing was deleted: ")
    assert "--confirm sandbox" in ran.err
    assert catalogue.untouched()


def test_a_plain_destroy_is_refused_while_a_terminated_tenants_data_lies_unprotected(
    tenantry: Tenantry, catalogue: Catalogue
) -> None:
    """G26: a terminated tenant keeps its data until its removal is written down."""
    catalogue.folder.write("tenants.yaml", "tenants:\n  acme: {state: terminated, database: {plan: timeweb-free}}\n")
    catalogue.folder.place()
    ran = tenantry("destroy", *STACK, *catalogue.option(), "--yes")
    assert (ran.code, ran.out) == (exit_codes.REFUSED_BY_POLICY, "")
    assert "acme is terminated but not removed" in ran.err
    assert catalogue.untouched()


def test_a_stack_without_tenants_proves_nothing(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    ran = tenantry("verify", "isolation", *STACK, *catalogue.option(), "--json")
    assert (ran.code, ran.out) == (exit_codes.ENGINE_ERROR, "")
    assert "nothing is proven" in ran.err


def test_a_stack_that_never_ran_has_no_outputs(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    ran = tenantry("outputs", *STACK, *catalogue.option(), "--json")
    assert (ran.code, json.loads(ran.out)) == (exit_codes.DONE, {})
    assert catalogue.account.requests() == []


def test_a_preview_says_what_up_would_make_and_makes_nothing(tenantry: Tenantry, catalogue: Catalogue) -> None:
    """Design 3.2: `--check` exits 4 where anything is pending."""
    catalogue.folder.place()
    ran = tenantry("preview", *STACK, *catalogue.option())
    assert (ran.code, ran.err) == (exit_codes.DONE, "")
    lines = ran.out.splitlines()
    assert "would create   acme-schema-1" in lines
    assert "would create   shared-free-1-cluster-1" in lines
    assert any(line.startswith("sandbox: ") and " create" in line for line in lines)
    assert tenantry("preview", *STACK, *catalogue.option(), "--check").code == exit_codes.CHANGES_PENDING
    assert [entry for entry in catalogue.account.requests() if entry.method != "GET"] == []


def test_a_preview_as_json_is_lines_that_parse_one_by_one(tenantry: Tenantry, catalogue: Catalogue) -> None:
    catalogue.folder.place()
    ran = tenantry("preview", *STACK, *catalogue.option(), "--json")
    *_, last = [json.loads(line) for line in ran.out.splitlines()]
    assert (last["stack"], last["changed"], last["failures"], last["kept"]) == ("sandbox", True, [], [])
    assert last["counts"]["create"] > 5


def test_without_words_the_command_says_what_it_can(tenantry: Tenantry, tmp_path: Path) -> None:
    ran = tenantry("--help")
    assert ran.code == 0
    for verb in ("validate", "place", "preview", "up", "refresh", "destroy", "outputs", "verify", "sandbox"):
        assert verb in ran.out
    assert list(tmp_path.iterdir()) == []
