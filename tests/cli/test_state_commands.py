"""`tenantry state`: a copy of a state that brings it back, and what is refused."""

import json
from pathlib import Path

import pytest

from cli import exit_codes
from tests.cli.conftest import Catalogue, Ran, Tenantry
from tests.cli.test_resume import Fleet, fleet

__all__ = ["fleet"]


def exported(fleet: Fleet, file: Path) -> Ran:
    """Keep a copy of the state."""
    ran = fleet.run("state", "export")
    file.write_text(ran.out, encoding="utf-8")
    return ran


def test_a_copy_of_a_state_brings_it_back(fleet: Fleet, tmp_path: Path) -> None:
    ran = exported(fleet, tmp_path / "copy.json")
    assert (ran.code, ran.err) == (exit_codes.DONE, "")
    secret = next(user.secret_key for user in fleet.account.state.storage_users.all())
    assert secret not in ran.out
    for file in fleet.catalogue.state.glob("sandbox*"):
        file.unlink()
    ran = fleet.run("state", "import", str(tmp_path / "copy.json"), "--yes")
    assert (ran.code, ran.err) == (exit_codes.DONE, "")
    assert fleet.run("preview", "--check").code == exit_codes.DONE
    assert fleet.changes() == []


def test_nothing_is_replaced_without_a_word(fleet: Fleet, tmp_path: Path) -> None:
    exported(fleet, tmp_path / "copy.json")
    before = fleet.file.read_bytes()
    ran = fleet.run("state", "import", str(tmp_path / "copy.json"))
    assert (ran.code, fleet.file.read_bytes()) == (exit_codes.USAGE, before)


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        ("{", exit_codes.USER_ERROR, "is not JSON: it is no exported state"),
        ("[1]", exit_codes.USER_ERROR, "is not a JSON object"),
        ("{}", exit_codes.ENGINE_ERROR, "the document has version None"),
        (
            json.dumps({"version": 3, "deployment": {"resources": [{"urn": "urn:pulumi:prod::tenantry::t::n"}]}}),
            exit_codes.ENGINE_ERROR,
            "the document is damaged: KeyError('type')",
        ),
    ],
)
def test_what_is_no_state_is_refused(fleet: Fleet, tmp_path: Path, content: str, code: int, sentence: str) -> None:
    (tmp_path / "copy.json").write_text(content, encoding="utf-8")
    before = fleet.file.read_bytes()
    ran = fleet.run("state", "import", str(tmp_path / "copy.json"), "--yes")
    assert (ran.code, fleet.file.read_bytes()) == (code, before)
    assert sentence in ran.err


def test_a_file_that_is_not_there_is_a_sentence(tenantry: Tenantry, catalogue: Catalogue) -> None:
    words = ("--stack", "sandbox", "--engine", "embedded", *catalogue.option())
    ran = tenantry("state", "import", "nowhere.json", *words, "--yes")
    assert (ran.code, ran.err) == (exit_codes.USER_ERROR, "nowhere.json: No such file or directory\n")
