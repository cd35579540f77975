"""Projects against the simulated organization: made once, found again, mended, never replaced, deleted for certain."""

import json
import logging
from typing import Any

import httpx
import pytest

from dynamic_providers.errors import (
    AmbiguousMarkError,
    DeadlineError,
    FailedOperationError,
    ProviderError,
    StatefulChangeError,
    TenantProjectError,
)
from dynamic_providers.neon.project import ProjectProvider
from tests.dynamic_providers.neon.conftest import WANTED, Account, Between, connect, drift

PROJECTS = "/projects"


@pytest.fixture
def provider(account: Account) -> ProjectProvider:
    return account.provider(ProjectProvider)


def make(provider: ProjectProvider, **changes: object) -> tuple[str, dict[str, Any]]:
    result = provider.create(WANTED | changes)
    assert result.outs is not None
    return result.id, result.outs


def test_a_create_is_a_listing_one_post_and_the_waiting_for_its_operations(
    account: Account, provider: ProjectProvider
) -> None:
    """B1, B3, B4, B7, G20: one request carries branch, database, role, quota and compute."""
    id_, outs = make(provider)
    assert account.mutations() == [f"POST {PROJECTS}"]
    (sent,) = account.bodies("POST")
    assert sent["project"] | {"settings": None} == {
        "name": "prod-acme",
        "region_id": "aws-us-east-1",
        "pg_version": 15,
        "org_id": "org-sandbox-10000001",
        "store_passwords": True,
        "settings": None,
        "default_endpoint_settings": {
            "autoscaling_limit_min_cu": 0.25,
            "autoscaling_limit_max_cu": 2.0,
            "suspend_timeout_seconds": 300,
        },
        "branch": {
            "name": "main",
            "database_name": "main",
            "role_name": "neondb_owner",
            "annotations": {"tenantry": "tenantry:prod:acme-project-1"},
        },
    }
    assert {name: bound for name, bound in sent["project"]["settings"]["quota"].items() if bound} == {
        "logical_size_bytes": 536870912
    }
    assert {row["status"] for row in account.held("operations")} == {"finished"}
    (branch,) = account.held("branches")
    (endpoint,) = account.held("endpoints")
    assert (outs["branch_id"], outs["endpoint_id"]) == (branch["id"], endpoint["id"])
    assert (outs["host"], outs["port"], outs["pooled_host"], outs["pooled_port"]) == (
        "localhost",
        5432,
        "127.0.0.1",
        5432,
    )
    assert outs["created_at"]
    assert [row["id"] for row in account.held("projects")] == [id_]


def test_no_password_is_among_the_outputs(account: Account, provider: ProjectProvider) -> None:
    """F21, H3: the answer to the create holds the owner's."""
    id_, outs = make(provider)
    password = account.session.neon.password(id_, outs["branch_id"], "neondb_owner")
    refreshed = provider.read(id_, outs)
    assert len(password) > 8
    assert password not in json.dumps([outs, refreshed.outs, refreshed.inputs])
    assert password not in repr(vars(provider.ours))


def test_what_was_made_shows_no_difference_before_and_after_a_refresh(provider: ProjectProvider) -> None:
    """H1: up, up, refresh, up changes nothing after the first."""
    id_, outs = make(provider)
    assert provider.diff(id_, outs, WANTED).changes is False
    assert drift(provider, id_, WANTED, outs) == set()
    assert provider.read(id_, outs).outs == outs


def test_a_second_create_finds_the_first_and_sends_nothing(account: Account) -> None:
    """B11: the name is the mark."""
    id_, outs = account.project()
    again = account.provider(ProjectProvider).create(WANTED)
    assert (again.id, again.outs) == (id_, outs)
    assert account.mutations() == []


@pytest.mark.parametrize(
    ("change", "methods"),
    [
        ({"name": "prod-acme-2"}, ["PATCH project"]),
        ({"logical_size_bytes": 1.0, "written_data_bytes": 7.0}, ["PATCH project"]),
        ({"logical_size_bytes": None}, ["PATCH project"]),
        ({"max_cu": 4.0, "suspend_seconds": -1.0}, ["PATCH project", "PATCH endpoint"]),
    ],
    ids=["name", "quota", "no quota", "compute"],
)
def test_a_harmless_change_is_an_update_of_the_same_project(
    account: Account, change: dict[str, Any], methods: list[str]
) -> None:
    """H1, B7: never a replacement."""
    id_, outs = account.project()
    provider = account.provider(ProjectProvider)
    wanted = {name: value for name, value in (WANTED | change).items() if value is not None}
    difference = provider.diff(id_, outs, wanted)
    assert (difference.changes, difference.replaces) == (True, [])
    updated = provider.update(id_, outs, wanted).outs
    assert updated is not None
    assert provider.changed_fields(updated, wanted) == set()
    sent = [f"{line.split()[0]} {'endpoint' if '/endpoints/' in line else 'project'}" for line in account.mutations()]
    assert sent == methods
    assert provider.read(id_, updated).outs == updated


@pytest.mark.parametrize("change", [{"region": "aws-eu-central-1"}, {"pg_version": 17.0}], ids=["region", "version"])
def test_another_region_or_version_is_refused_and_never_a_replacement(account: Account, change: dict[str, Any]) -> None:
    """F22, H1."""
    id_, outs = account.project()
    provider = account.provider(ProjectProvider)
    difference = provider.diff(id_, outs, WANTED | change)
    assert (difference.changes, difference.replaces) == (True, [])
    with pytest.raises(StatefulChangeError, match=f"project {id_}: {next(iter(change))} cannot be changed"):
        provider.update(id_, outs, WANTED | change)
    assert account.running.requests() == []


def test_drift_shows_per_field_and_the_next_update_mends_it(account: Account) -> None:
    """F25, H5: a quota, a size and a name that somebody changed in the console."""
    id_, outs = account.project()
    (endpoint,) = account.held("endpoints")
    account.console(
        "PATCH",
        f"{PROJECTS}/{id_}",
        {"project": {"name": "mine", "settings": {"quota": {"logical_size_bytes": 5, "active_time_seconds": 9}}}},
    )
    account.edit("endpoint", endpoint["id"], compute={"min_cu": 1.0, "max_cu": 1.0, "suspend_seconds": 60})
    provider = account.provider(ProjectProvider)
    changed = {"name", "logical_size_bytes", "active_time_seconds", "min_cu", "max_cu", "suspend_seconds"}
    assert drift(provider, id_, WANTED, outs) == changed
    refreshed = provider.read(id_, outs).outs
    assert refreshed is not None
    provider.update(id_, refreshed, WANTED)
    assert drift(provider, id_, WANTED, outs) == set()


def test_a_database_and_its_owner_that_are_gone_are_made_again(account: Account) -> None:
    """G20: read back, and mended by the update."""
    id_, outs = account.project()
    inside = f"{PROJECTS}/{id_}/branches/{outs['branch_id']}"
    account.console("DELETE", f"{inside}/databases/main")
    account.session.settle_all(id_)
    account.console("DELETE", f"{inside}/roles/neondb_owner")
    account.session.settle_all(id_)
    provider = account.provider(ProjectProvider)
    refreshed = provider.read(id_, outs).outs
    assert refreshed is not None
    assert provider.changed_fields(refreshed, WANTED) == {"database", "role"}
    assert "host" not in refreshed
    account.running.log.clear()
    mended = provider.update(id_, refreshed, WANTED).outs
    assert mended == outs
    assert account.mutations() == [f"POST {inside}/roles", f"POST {inside}/databases"]
    assert 423 not in account.statuses()


def test_an_endpoint_that_is_gone_is_made_again(account: Account) -> None:
    id_, outs = account.project()
    account.remove("endpoint", outs["endpoint_id"])
    provider = account.provider(ProjectProvider)
    refreshed = provider.read(id_, outs).outs
    assert refreshed is not None
    mended = provider.update(id_, refreshed, WANTED).outs
    assert mended is not None
    (endpoint,) = account.held("endpoints")
    assert mended["endpoint_id"] == endpoint["id"] != outs["endpoint_id"]
    assert drift(provider, id_, WANTED, mended) == set()


def test_a_vanished_project_is_gone_and_a_bare_404_proves_nothing(account: Account) -> None:
    """G17, design rule 4."""
    id_, outs = account.project()
    account.running.strike("bare-404", method="GET", path=f"/projects/{id_}$", times=2)
    assert account.provider(ProjectProvider).read(id_, outs).id == id_
    account.remove("project", id_)
    assert account.provider(ProjectProvider).read(id_, outs).id is None


@pytest.mark.parametrize("incident", ["response-lost", "error-after-work", "refused-after-work"])
def test_a_create_whose_answer_is_lost_is_found_and_not_sent_again(account: Account, incident: str) -> None:
    """G43: non-idempotent calls are repeated only after a look for our mark."""
    account.running.strike(incident, method="POST", path="/projects$")
    id_, outs = make(account.provider(ProjectProvider))
    assert account.mutations() == [f"POST {PROJECTS}"]
    assert [row["id"] for row in account.held("projects")] == [id_]
    assert outs["host"] == "localhost"
    assert account.provider(ProjectProvider).diff(id_, outs, WANTED).changes is False


@pytest.mark.parametrize(("incident", "answer"), [("locked", 423), ("unavailable", 503), ("rate-limited", 429)])
def test_423_and_503_are_waited_out_even_for_a_post(account: Account, incident: str, answer: int) -> None:
    """G21: `423 and 503 are always safe to retry`."""
    account.running.strike(incident, method="POST", path="/projects$", times=4)
    make(account.provider(ProjectProvider))
    posts = [entry.status for entry in account.running.requests("POST")]
    assert posts == [answer] * 4 + [201]
    assert len(account.held("projects")) == 1


def test_a_423_storm_ends_at_the_deadline_with_a_sentence(account: Account) -> None:
    account.running.strike("locked", method="POST", path="/projects$", times=10_000)
    with pytest.raises(TenantProjectError, match=r"^Failed to create tenant project: Neon: POST /projects was put off"):
        account.hasty(ProjectProvider).create(WANTED)
    assert account.held("projects") == []


def test_a_project_is_not_lost_when_its_operations_may_not_be_polled(account: Account) -> None:
    """A 403 while polling ends the create; the next run adopts the project and goes on waiting."""
    account.running.strike("operation-forbidden")
    with pytest.raises(TenantProjectError, match="Failed to create tenant project: Neon API error: 403"):
        account.provider(ProjectProvider).create(WANTED)
    (project,) = account.held("projects")
    id_, _ = make(account.provider(ProjectProvider))
    assert id_ == project["id"]
    assert account.mutations() == [f"POST {PROJECTS}"]
    assert {row["status"] for row in account.held("operations")} == {"finished"}


def test_a_failed_operation_is_named_by_its_id(account: Account) -> None:
    account.running.strike("operation-failed")
    with pytest.raises(TenantProjectError) as raised:
        account.provider(ProjectProvider).create(WANTED)
    (failed,) = [row for row in account.held("operations") if row["status"] == "failed"]
    assert isinstance(raised.value.__cause__, FailedOperationError)
    assert f"operation {failed['id']} (start_compute)" in str(raised.value)


def test_an_operation_that_never_ends_is_waited_for_until_the_deadline_and_by_the_next_run(account: Account) -> None:
    account.running.strike("operation-stuck")
    with pytest.raises(TenantProjectError) as raised:
        account.hasty(ProjectProvider, seconds=0.4).create(WANTED)
    assert isinstance(raised.value.__cause__, DeadlineError)
    (project,) = account.held("projects")
    for row in account.held("operations"):
        if row["status"] != "finished":
            account.edit("operation", row["id"], done_at=0.0)
    assert make(account.provider(ProjectProvider))[0] == project["id"]
    assert account.mutations() == [f"POST {PROJECTS}"]


def test_two_projects_of_one_name_are_refused_with_both_ids(account: Account) -> None:
    """B11: a repeated POST makes a second one, since names are not unique at Neon."""
    first, _ = account.project()
    second = account.console("POST", PROJECTS, {"project": {"name": "prod-acme", "region_id": "aws-us-east-1"}})
    with pytest.raises(TenantProjectError) as raised:
        account.provider(ProjectProvider).create(WANTED)
    assert isinstance(raised.value.__cause__, AmbiguousMarkError)
    assert first in str(raised.value)
    assert second["project"]["id"] in str(raised.value)
    assert account.mutations() == []


def test_a_project_of_our_name_with_another_version_is_not_taken_over(account: Account) -> None:
    """B11: adoption also compares region and version."""
    account.project(pg_version=17.0)
    with pytest.raises(TenantProjectError, match="is PostgreSQL 17 in aws-us-east-1, not 15 in aws-us-east-1"):
        account.provider(ProjectProvider).create(WANTED)
    assert account.mutations() == []


def test_adopt_takes_over_a_project_with_its_data_and_gives_it_our_name_and_contents(account: Account) -> None:
    """F22, H5: `adopt: <project id>`."""
    made = account.console(
        "POST", PROJECTS, {"project": {"name": "by-hand", "region_id": "aws-us-east-1", "pg_version": 15}}
    )
    id_ = made["project"]["id"]
    provider = account.provider(ProjectProvider)
    result = provider.create(WANTED | {"adopt": id_})
    assert result.id == id_
    assert result.outs is not None
    assert [(row["id"], row["name"]) for row in account.held("projects")] == [(id_, "prod-acme")]
    assert {row["name"] for row in account.held("databases")} == {"neondb", "main"}
    assert drift(provider, id_, WANTED, result.outs) == set()


def test_adopt_refuses_what_is_not_there_and_what_would_be_a_second_of_our_name(account: Account) -> None:
    account.project()
    other = account.console("POST", PROJECTS, {"project": {"name": "by-hand", "region_id": "aws-us-east-1"}})
    with pytest.raises(TenantProjectError, match="there is no Neon project cool-fog-00000000: correct `adopt`"):
        account.provider(ProjectProvider).create(WANTED | {"adopt": "cool-fog-00000000"})
    with pytest.raises(TenantProjectError, match=f"{other['project']['id']} cannot be adopted under this name"):
        account.provider(ProjectProvider).create(WANTED | {"adopt": other["project"]["id"]})
    assert account.mutations() == []


def test_a_delete_is_read_back_and_tells_how_long_it_can_be_taken_back(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """B23: recoverable for seven days."""
    id_, outs = account.project()
    with caplog.at_level(logging.WARNING):
        account.provider(ProjectProvider).delete(id_, outs)
    assert account.mutations() == [f"DELETE {PROJECTS}/{id_}"]
    assert account.held("projects") == []
    assert f"Neon project {id_} (prod-acme) is deleted and can be recovered until 2" in caplog.text
    assert account.provider(ProjectProvider).read(id_, outs).id is None


def test_a_deleted_project_is_nobodys_so_the_same_name_is_made_anew(account: Account) -> None:
    id_, outs = account.project()
    provider = account.provider(ProjectProvider)
    provider.delete(id_, outs)
    again, _ = make(provider)
    assert again != id_


def test_a_delete_of_what_is_proven_absent_is_done(account: Account) -> None:
    id_, outs = account.project()
    account.remove("project", id_)
    account.provider(ProjectProvider).delete(id_, outs)
    assert account.mutations() == [f"DELETE {PROJECTS}/{id_}"]


def test_a_delete_that_is_not_carried_out_is_no_success(account: Account) -> None:
    """G16, B22: proven by reading back, not by the answer."""
    id_, outs = account.project()
    ignored = Between(lambda request: httpx.Response(200, json={}) if request.method == "DELETE" else None)
    hasty = ProjectProvider()
    hasty.connect(connect(account.running, account.folder, ignored, seconds=0.3))
    with pytest.raises(
        TenantProjectError, match=r"^Failed to delete tenant project: the delete of .* it is still there"
    ):
        hasty.delete(id_, outs)
    assert [row["id"] for row in account.held("projects")] == [id_]


def test_a_deleted_project_that_still_answers_since_it_can_be_recovered_is_gone(account: Account) -> None:
    id_, outs = account.project()
    account.running.strike("deleted-still-answers", times=100)
    account.provider(ProjectProvider).delete(id_, outs)
    assert account.provider(ProjectProvider).read(id_, outs).id is None


def test_a_project_whose_passwords_are_not_kept_says_what_to_do(account: Account) -> None:
    made = account.console("POST", PROJECTS, {"project": {"name": "other", "store_passwords": False}})
    with pytest.raises(ProviderError, match="does not keep its roles' passwords"):
        account.session.neon.password(made["project"]["id"], made["branch"]["id"], made["roles"][0]["name"])
