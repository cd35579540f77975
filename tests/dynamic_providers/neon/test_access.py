"""The way to a project as its owner: Neon is asked for the password, once, and never for more than it is."""

import pytest

from dynamic_providers.configuration import Configuration
from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.access import Reach
from dynamic_providers.postgres.connection import SYSTEM_AUTHORITIES, PostgresError, ServerAbsentError
from dynamic_providers.postgres.inputs import Server
from tests.dynamic_providers.neon.conftest import Account


def reach(account: Account, **changes: object) -> Reach:
    running = account.running
    settings = {
        "neon_api_key": running.key,
        "neon_api_url": running.api_url,
        "rate_dir": account.folder / "rate",
        "neon_requests_per_minute": 60_000.0,
        "retry_seconds": 1.0,
    }
    return Reach(Configuration(**(settings | changes)))  # type: ignore[arg-type]  # the fields' own types


@pytest.fixture
def server(account: Account) -> Server:
    id_, outs = account.project()
    return Server.of(
        {
            "host": outs["host"],
            "port": outs["port"],
            "database": "main",
            "admin_login": "neondb_owner",
            "cluster_mark": "",
            "access": "neon",
            "server_id": f"{id_}/{outs['branch_id']}",
        }
    )


def test_the_owners_password_is_revealed_once_and_shown_nowhere(account: Account, server: Server) -> None:
    """F21: it is no input and in no state."""
    way = reach(account)
    found = [way.address(server) for _ in range(3)]
    project, _, branch = server.server_id.partition("/")
    assert {each.password for each in found} == {account.session.neon.password(project, branch, "neondb_owner")}
    assert (found[0].host, found[0].port, found[0].login) == ("localhost", 5432, "neondb_owner")
    assert account.asked("/reveal_password") == 2
    assert found[0].password not in repr(found)


@pytest.mark.parametrize(("mode", "authority"), [("verify-full", SYSTEM_AUTHORITIES), ("disable", None)])
def test_a_project_is_checked_against_the_machines_authorities(
    account: Account, server: Server, mode: str, authority: str | None
) -> None:
    """G24: Neon's certificates are from a public authority; the sandbox has none."""
    found = reach(account, neon_sslmode=mode).address(server)
    assert (found.sslmode, found.root_certificate) == (mode, authority)


def test_a_role_that_is_gone_does_not_say_that_the_branch_is(account: Account, server: Server) -> None:
    """Design rule 4: else a tenant's schema would be taken for removed."""
    (role,) = account.held("roles")
    account.edit("role", role["id"], name="another")
    with pytest.raises(PostgresError, match="has no role neondb_owner") as raised:
        reach(account).address(server)
    assert not isinstance(raised.value, ServerAbsentError)


def test_a_project_that_is_gone_is_said_to_be(account: Account, server: Server) -> None:
    project, _, branch = server.server_id.partition("/")
    account.remove("project", project)
    with pytest.raises(ServerAbsentError, match=f"Neon has no branch {branch} of project {project}"):
        reach(account).address(server)


def test_a_project_that_keeps_no_passwords_is_one_clear_sentence(account: Account, server: Server) -> None:
    """412."""
    project, _, _ = server.server_id.partition("/")
    account.edit("project", project, store_passwords=False)
    with pytest.raises(ProviderError, match=f"Neon project {project} does not keep its roles' passwords"):
        reach(account).address(server)
