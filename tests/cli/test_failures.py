"""One failure of every command: a sentence that names what is wrong, its exit code, and nothing changed anywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli import exit_codes
from components.settings import PROJECT
from docs.commands import leaves
from tests.cli.conftest import Catalogue, Tenantry


def nothing(_catalogue: Catalogue) -> None:
    """The catalogue as it is: one tenant, not placed."""


def placed(catalogue: Catalogue) -> None:
    """Everybody has a place."""
    catalogue.folder.place()


def misspelt(catalogue: Catalogue) -> None:
    """A plan that is not there."""
    catalogue.folder.edit("tenants.yaml", "timeweb-free", "timeweb-fre")


@dataclass(frozen=True)
class Case:
    """Options after the command's words, how it must end, and what the sentence must say."""

    options: tuple[str, ...]
    code: int
    sentence: str
    given: Callable[[Catalogue], object] = field(default=nothing)


NO_STACK = ("--stack", "nowhere")
IN_SANDBOX = ("--stack", "sandbox", "--engine", "embedded")
# {folder} is the catalogue's, which is no sandbox's.
CASES: Mapping[str, Case] = {
    "validate": Case((), exit_codes.USER_ERROR, "(did you mean 'timeweb-free'?)", misspelt),
    "place": Case((), exit_codes.USER_ERROR, "(did you mean 'timeweb-free'?)", misspelt),
    "bootstrap": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml"),
    "backup": Case(("acme", *NO_STACK), exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "restore": Case(("acme", *NO_STACK), exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "preview": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "up": Case(IN_SANDBOX, exit_codes.USAGE, "there is nobody to ask: add --yes", placed),
    "refresh": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "resume": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "move": Case(("nobody", *IN_SANDBOX), exit_codes.USER_ERROR, "there is no tenant nobody", placed),
    "destroy": Case(
        (*IN_SANDBOX, "--including-data", "--confirm", "prod"), exit_codes.USER_ERROR, "--confirm sandbox", placed
    ),
    "outputs": Case(
        ("--stack", "sandbox", "--engine", "pulumi"), exit_codes.USER_ERROR, "there is no `pulumi` on PATH", placed
    ),
    "pooler render": Case(("{folder}", *NO_STACK), exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "state export": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "state import": Case(
        ("{folder}/plans.yaml", *IN_SANDBOX),
        exit_codes.USER_ERROR,
        "plans.yaml is not JSON: it is no exported state",
        placed,
    ),
    "verify isolation": Case(NO_STACK, exit_codes.USER_ERROR, "there is no Pulumi.nowhere.yaml", placed),
    "query": Case(
        ("acme", "SELECT version()", "--as", "ann@acme.example", *NO_STACK),
        exit_codes.USER_ERROR,
        "there is no Pulumi.nowhere.yaml",
        placed,
    ),
    "sandbox start": Case(("--folder", "{folder}"), exit_codes.USER_ERROR, "{folder}"),
    "sandbox stop": Case(("--folder", "{folder}", "--wipe"), exit_codes.USER_ERROR, "is no sandbox folder"),
    "sandbox status": Case(("--folder", "{folder}", "--verbose"), exit_codes.USAGE, "No such option: --verbose"),
    "sandbox env": Case(
        ("--folder", "{folder}"), exit_codes.USER_ERROR, "there is no sandbox in {folder}; start one first"
    ),
    "sandbox faults": Case(("flood", "--folder", "{folder}"), exit_codes.USER_ERROR, "there is no fault 'flood'"),
}


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file with its bytes."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_command_has_a_failure_here() -> None:
    assert set(CASES) == {" ".join(words) for words, _ in leaves()}


@pytest.mark.parametrize("command", CASES)
def test_a_failure_is_a_sentence_with_an_exit_code_and_changes_nothing(
    tenantry: Tenantry, catalogue: Catalogue, command: str
) -> None:
    case, folder = CASES[command], str(catalogue.folder.path)
    case.given(catalogue)
    before = contents(catalogue.folder.path)
    options = [option.format(folder=folder) for option in case.options]
    takes_a_catalogue = "--folder" not in options
    ran = tenantry(*command.split(), *options, *(catalogue.option() if takes_a_catalogue else ()))
    assert ran.code == case.code, ran.err
    assert case.sentence.format(folder=folder) in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert contents(catalogue.folder.path) == before
    assert not list(PROJECT.glob("Pulumi.nowhere*"))
    assert catalogue.untouched()
