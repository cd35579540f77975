"""Tenants of every kind that the sandbox has are apart; and with each broken grant they are proven not to be."""

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import exit_codes
from cli.main import application
from lifecycle.certificate import digest
from sandbox.broken_grants import HOLES
from tests.e2e.world import STACK, World, connect

pytestmark = pytest.mark.e2e

APPLICATION = application(["verify", "sandbox"])
# Plan → what its tenants are called.
KINDS = {
    "timeweb-free": "free",
    "timeweb-pro": "pro",
    "timeweb-business": "business",
    "neon-free": "project",
    "managed-pro": "managed",
}
FLEET = {
    f"{called}-{number}": {
        "name": f"{plan} {number}",
        "database": {"plan": plan},
        "storage": {"plan": "timeweb-s3" if number else "s3-standard"},
    }
    for plan, called in KINDS.items()
    for number in range(3)
}
FREE = "free-0,free-1,free-2"
NOTES = """
CREATE TABLE notes (id int, author text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON notes USING (author = current_setting('app.user_id', true))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three tenants of each kind, all with a bucket and a table with forced policies."""
    made = World.start(tmp_path_factory.mktemp("isolation") / "sandbox", "embedded", FLEET)
    try:
        result = made.engine().up()
        assert result.ok, [failure.message for failure in result.failures]
        for tenant in made.tenants().values():
            if tenant.database:
                with connect(tenant.database) as session:
                    session.execute(NOTES)
        yield made
    finally:
        made.stop()


def run(world: World, *words: str) -> Result:
    return CliRunner().invoke(APPLICATION, list(words), env=world.environ, catch_exceptions=False)


def certified(world: World, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """How the proof ended, and the certificate as it was printed, which is the one that was written."""
    done = run(world, "verify", "isolation", "--output", str(folder), "--json", *words)
    told: dict[str, Any] = json.loads(done.stdout)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == told
    return done.exit_code, told


@contextmanager
def broken(world: World, *words: str) -> Iterator[str]:
    """A hole that is mended in the end; answers what was said when it was made."""
    done = run(world, "sandbox", "faults", *words)
    assert done.exit_code == exit_codes.DONE, done.output
    try:
        yield done.stdout
    finally:
        assert run(world, "sandbox", "faults", "--clear").exit_code == exit_codes.DONE


def successes(told: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(each["by"], each["against"], each["what"]) for each in told["successes"]}


def test_nobody_reaches_another_and_everybody_works_at_home(world: World, tmp_path: Path) -> None:
    """A24, A37, B20, B28, F31: all pairs, SQL and S3."""
    code, told = certified(world, tmp_path)
    assert (told["successes"], told["faults"], told["uncontrolled"]) == ([], [], [])
    assert (code, told["holds"]) == (exit_codes.DONE, True)
    assert sorted(told["tenants"]) == sorted(FLEET)
    pairs = {(each["by"], each["against"]) for each in told["attempts"]}
    assert pairs >= {(by, against) for by in FLEET for against in FLEET}
    assert told["digest"] == digest(told)
    assert told["stack"] == STACK
    everything = json.dumps(told)
    for tenant in world.tenants().values():
        for part in (tenant.database and tenant.database.password, tenant.storage and tenant.storage.secret_key):
            assert part
            assert part not in everything


def test_a_summary_is_printed_and_a_certificate_kept_beside_the_state(world: World) -> None:
    done = run(world, "verify", "isolation", "--tenants", "free-0, pro-1", "--neighbours", "1")
    assert done.exit_code == exit_codes.DONE
    figures, where = done.stdout.splitlines()
    assert figures.endswith(" controls, 0 successes")
    assert where.startswith("2 tenants in ")
    kept = list((world.folder / "state" / "certificates").iterdir())
    assert [str(path) for path in kept] == [where.rpartition(" ")[2]]


def test_the_grant_to_everybody_is_found_with_its_tenant_and_table(world: World, tmp_path: Path) -> None:
    with broken(world, "broken-grant", "--tenant", "free-1") as said:
        assert 'GRANT USAGE ON SCHEMA "c_free-1" TO PUBLIC' in said
        code, told = certified(world, tmp_path / "broken", "--tenants", FREE)
    assert (code, told["holds"]) == (exit_codes.ENGINE_ERROR, False)
    assert {against for _, against, _ in successes(told)} == {"free-1"}
    assert {by for by, _, _ in successes(told)} == {"free-0", "free-2"}
    found = {text for each in told["successes"] for text in each["found"]}
    assert {"USAGE to PUBLIC on schema c_free-1", "SELECT to PUBLIC on table c_free-1.notes"} <= {
        text.replace('"', "") for text in found
    }
    assert certified(world, tmp_path / "mended", "--tenants", FREE)[0] == exit_codes.DONE


@pytest.mark.parametrize(
    ("name", "tenant", "expected"),
    [
        ("broken-membership", "pro-2", ("pro-0", "pro-2", "SQL: take its owner's role")),
        ("broken-connect", "pro-0", ("pro-1", "pro-0", "SQL: find rights on its database")),
        ("broken-row-security", "business-1", ("business-1", "business-1", "SQL: have policies that are not forced")),
        ("broken-connect", "managed-0", ("managed-1", "managed-0", "SQL: find rights on its database")),
        ("broken-bucket-policy", "pro-1", ("pro-1", "free-2", "S3: read an object")),
    ],
)
def test_a_broken_grant_is_found(
    world: World, tmp_path: Path, name: str, tenant: str, expected: tuple[str, str, str]
) -> None:
    concerned = ",".join(sorted({tenant, *expected[:2]}))
    with broken(world, name, "--tenant", tenant):
        code, told = certified(world, tmp_path / "broken", "--tenants", concerned)
    assert code == exit_codes.ENGINE_ERROR
    assert expected in successes(told)
    code, told = certified(world, tmp_path / "mended", "--tenants", concerned)
    assert (code, successes(told)) == (exit_codes.DONE, set())


@pytest.mark.parametrize("name", HOLES)
def test_every_broken_grant_finds_somebody_by_itself(world: World, name: str) -> None:
    with broken(world, name) as said:
        assert said.startswith(f"on: {name}: ")


def test_what_a_broken_grant_found_by_itself_is_told_on_the_error_stream(world: World) -> None:
    with broken(world, "broken-grant"):
        done = run(world, "verify", "isolation")
    assert done.exit_code == exit_codes.ENGINE_ERROR
    assert "against" in done.stderr
    assert ": allowed" in done.stderr


def test_nobody_is_called_so(world: World) -> None:
    """One sentence, and nothing was given away."""
    from sandbox.errors import SandboxError  # noqa: PLC0415 - the command turns it into its exit code

    with pytest.raises(SandboxError, match="there is nobody called mallory to whom broken-grant can be done"):
        run(world, "sandbox", "faults", "broken-grant", "--tenant", "mallory")
    assert run(world, "verify", "isolation", "--tenants", "free-0,free-1").exit_code == exit_codes.DONE
