"""Branches against the simulated organization: found by name within their project, opened, closed, expired, deleted."""

from typing import Any

import pytest

from dynamic_providers.errors import ProviderError, StatefulChangeError
from dynamic_providers.neon.branch import BranchProvider
from tests.dynamic_providers.neon.conftest import Account, drift

EXPIRES = "2027-12-01T00:00:00Z"


@pytest.fixture
def project(account: Account) -> str:
    id_, _ = account.project()
    return id_


def wanted(project: str, **changes: object) -> dict[str, Any]:
    asked = {"project_id": project, "name": "preview", "parent": "main", "endpoint": True, "expires_at": EXPIRES}
    return asked | changes


def make(account: Account, want: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    result = account.provider(BranchProvider).create(want)
    assert result.outs is not None
    return result.id, result.outs


def test_a_branch_is_one_post_with_its_parents_id_an_endpoint_and_an_expiry(account: Account, project: str) -> None:
    """B6: the parent is named in the catalogue and sent as an id; an endpoint is asked for explicitly."""
    id_, outs = make(account, wanted(project))
    (main,) = [row for row in account.held("branches") if row["name"].endswith("/main")]
    assert account.mutations() == [f"POST /projects/{project}/branches"]
    assert account.bodies("POST") == [
        {
            "branch": {"name": "preview", "parent_id": main["id"], "expires_at": EXPIRES},
            "endpoints": [{"type": "read_write"}],
        }
    ]
    assert (outs["branch_id"], outs["host"], outs["port"]) == (id_, "localhost", 5432)
    assert {row["status"] for row in account.held("operations")} == {"finished"}


def test_a_branch_without_an_endpoint_has_no_host(account: Account, project: str) -> None:
    _, outs = make(account, wanted(project, endpoint=False))
    assert "host" not in outs
    assert len(account.held("endpoints")) == 1


@pytest.mark.parametrize("change", [{}, {"endpoint": False}, {"expires_at": None}], ids=["open", "closed", "for ever"])
def test_what_was_made_shows_no_difference_before_and_after_a_refresh(
    account: Account, project: str, change: dict[str, Any]
) -> None:
    want = {name: value for name, value in wanted(project, **change).items() if value is not None}
    id_, outs = make(account, want)
    provider = account.provider(BranchProvider)
    assert provider.diff(id_, outs, want).changes is False
    assert drift(provider, id_, want, outs) == set()
    assert provider.read(id_, outs).outs == outs


def test_a_branch_is_adopted_by_its_name_and_a_lost_answer_makes_no_second_one(account: Account, project: str) -> None:
    account.running.strike("response-lost", method="POST", path="/branches$")
    id_, outs = make(account, wanted(project))
    assert make(account, wanted(project)) == (id_, outs)
    assert account.mutations() == [f"POST /projects/{project}/branches"]
    assert len(account.held("branches")) == 2


def test_a_branch_of_a_branch_needs_its_parent_first(account: Account, project: str) -> None:
    with pytest.raises(ProviderError, match=f"Neon project {project} has no branch preview to start deeper from"):
        make(account, wanted(project, name="deeper", parent="preview"))
    parent, _ = make(account, wanted(project))
    account.running.log.clear()
    make(account, wanted(project, name="deeper", parent="preview", expires_at=None))
    assert account.bodies("POST")[0]["branch"] == {"name": "deeper", "parent_id": parent}


def test_a_branch_of_our_name_that_starts_elsewhere_is_not_taken_over(account: Account, project: str) -> None:
    make(account, wanted(project))
    make(account, wanted(project, name="deeper", parent="preview", expires_at=None))
    account.running.log.clear()
    with pytest.raises(ProviderError, match="does not start from main"):
        make(account, wanted(project, name="deeper"))
    assert account.mutations() == []


def test_the_default_branch_is_never_made_or_deleted_as_a_further_one(account: Account, project: str) -> None:
    with pytest.raises(ProviderError, match="main is the default branch"):
        make(account, wanted(project, name="main"))
    (main,) = account.held("branches")
    with pytest.raises(ProviderError, match="is the default of Neon project"):
        account.provider(BranchProvider).delete(main["id"], wanted(project, name="main"))
    assert account.mutations() == []


def test_closing_a_branch_takes_its_endpoint_and_keeps_its_data(account: Account, project: str) -> None:
    """G46: how a branch is closed when its tenant is suspended; it is read back."""
    id_, outs = make(account, wanted(project))
    closed = account.provider(BranchProvider).update(id_, outs, wanted(project, endpoint=False)).outs
    assert closed is not None
    assert "host" not in closed
    assert len(account.held("endpoints")) == 1
    opened = account.provider(BranchProvider).update(id_, closed, wanted(project)).outs
    assert opened is not None
    assert opened["host"] == "localhost"
    assert len(account.held("branches")) == 2


def test_an_expiry_is_moved_and_taken_away_in_place(account: Account, project: str) -> None:
    id_, outs = make(account, wanted(project))
    account.running.log.clear()
    later = account.provider(BranchProvider).update(id_, outs, wanted(project, expires_at="2028-01-01T00:00:00Z")).outs
    assert later is not None
    for_ever = {name: value for name, value in wanted(project).items() if name != "expires_at"}
    account.provider(BranchProvider).update(id_, later, for_ever)
    assert [body["branch"]["expires_at"] for body in account.bodies("PATCH")] == ["2028-01-01T00:00:00Z", None]
    assert drift(account.provider(BranchProvider), id_, for_ever, for_ever) == set()


def test_drift_of_a_name_and_an_endpoint_shows_and_is_mended(account: Account, project: str) -> None:
    id_, outs = make(account, wanted(project))
    account.console("PATCH", f"/projects/{project}/branches/{id_}", {"branch": {"name": "mine"}})
    for row in account.held("endpoints"):
        if row["branch_id"] == id_:
            account.remove("endpoint", row["id"])
    provider = account.provider(BranchProvider)
    assert drift(provider, id_, wanted(project), outs) == {"name", "endpoint"}
    refreshed = provider.read(id_, outs).outs
    assert refreshed is not None
    provider.update(id_, refreshed, wanted(project))
    assert drift(provider, id_, wanted(project), outs) == set()


def test_another_parent_is_refused_and_never_a_replacement(account: Account, project: str) -> None:
    """F22."""
    id_, outs = make(account, wanted(project))
    provider = account.provider(BranchProvider)
    assert provider.diff(id_, outs, wanted(project, parent="other")).replaces == []
    with pytest.raises(StatefulChangeError, match="parent cannot be changed in place"):
        provider.update(id_, outs, wanted(project, parent="other"))


def test_a_time_without_a_zone_is_refused_before_anything_is_sent(account: Account, project: str) -> None:
    failures = account.provider(BranchProvider).check({}, wanted(project, expires_at="2027-12-01T00:00:00")).failures
    assert [(failure.property, "names its zone" in failure.reason) for failure in failures] == [("expires_at", True)]


def test_a_delete_is_awaited_and_read_back_and_one_that_is_gone_is_done(account: Account, project: str) -> None:
    id_, outs = make(account, wanted(project))
    account.running.log.clear()
    provider = account.provider(BranchProvider)
    provider.delete(id_, outs)
    assert account.mutations() == [f"DELETE /projects/{project}/branches/{id_}"]
    assert [row["name"] for row in account.held("branches")] == ["prod-acme/main"]
    assert provider.read(id_, outs).id is None
    provider.delete(id_, outs)
    assert len(account.mutations()) == 1


def test_a_branch_that_expired_at_neon_is_gone_and_so_is_one_whose_project_is(account: Account, project: str) -> None:
    id_, outs = make(account, wanted(project))
    account.remove("branch", id_)
    assert account.provider(BranchProvider).read(id_, outs).id is None
    account.remove("project", project)
    account.provider(BranchProvider).delete(id_, outs)
