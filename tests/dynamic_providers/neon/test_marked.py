"""What of a simulated organization is listed as ours, and what is removed."""

import pytest

from dynamic_providers.errors import ProviderError
from dynamic_providers.listers import Owner, open_listers
from dynamic_providers.marks import Marked
from dynamic_providers.neon.marked import PROJECT, NeonLister
from dynamic_providers.neon.project import ProjectProvider
from dynamic_providers.postgres.marked import TENANT_SCHEMA
from tests.dynamic_providers.neon.conftest import Account


def lister(account: Account, stack: str = "prod", prefix: str = "prod") -> NeonLister:
    return NeonLister(account.session, stack, prefix)


def marked(account: Account, **owner: str) -> dict[str, Marked]:
    return {item.name: item for item in lister(account, **owner).marked()}


def test_a_project_is_listed_under_the_logical_name_in_its_mark(account: Account) -> None:
    """F15: `prod-acme-2` is tenant acme's second project, or the first of a tenant acme-2: the mark tells."""
    first, _ = account.project()
    second, _ = account.project(name="prod-acme-2", mark="tenantry:prod:acme-2-project-1")
    found = marked(account)
    assert {name: item.id for name, item in found.items()} == {"acme-project-1": first, "acme-2-project-1": second}
    shown = found["acme-project-1"]
    assert (shown.type, shown.holds_data, shown.charged, shown.proven) == (PROJECT, True, True, True)
    assert shown.what == "Neon project prod-acme (PostgreSQL 15, aws-us-east-1)"


def test_another_stacks_project_is_not_ours_though_its_name_begins_with_our_prefix(account: Account) -> None:
    account.project(name="prod-eu-shop", mark="tenantry:prod-eu:shop-project-1")
    assert marked(account) == {}
    assert set(marked(account, stack="prod-eu", prefix="prod-eu")) == {"shop-project-1"}


def test_a_project_without_a_mark_is_known_by_its_name_and_never_proven(account: Account) -> None:
    """One that was adopted; so that a state's project is not missed."""
    for name in ("prod-acme", "prod-shop-2", "staging-acme", "by-hand"):
        account.console("POST", "/projects", {"project": {"name": name}})
    found = marked(account)
    assert {name: item.proven for name, item in found.items()} == {"acme-project-1": False, "shop-project-2": False}


def test_two_projects_of_one_mark_are_both_listed(account: Account) -> None:
    first, _ = account.project()
    second = account.console("POST", "/projects", {"project": {"name": "prod-acme"}})
    assert {item.id for item in lister(account).marked()} == {first, second["project"]["id"]}


def test_the_way_into_each_project_is_known_where_there_is_one(account: Account) -> None:
    """So that `resume` finds the tenants inside, by the marks on their roles."""
    first, outs = account.project()
    second, _ = account.project(name="prod-shop", mark="tenantry:prod:shop-project-1")
    for row in account.held("endpoints"):
        if row["project_id"] == second:
            account.remove("endpoint", row["id"])
    for row in account.held("databases"):
        if row["branch_id"] != outs["branch_id"]:
            account.edit("database", row["id"], name="other")
    (place,) = lister(account).places()
    assert place.server.server_id == f"{first}/{outs['branch_id']}"
    assert (place.address.host, place.address.login) == ("localhost", "neondb_owner")
    assert place.address.password == account.session.neon.password(first, outs["branch_id"], "neondb_owner")


def test_what_is_removed_is_gone_and_no_longer_listed(account: Account) -> None:
    id_, _ = account.project()
    lister(account).remove(marked(account)["acme-project-1"])
    assert account.mutations() == [f"DELETE /projects/{id_}"]
    assert marked(account) == {}


def test_an_account_that_does_not_answer_is_an_error_and_no_empty_list(account: Account) -> None:
    """Design rule 4."""
    account.project()
    account.running.strike("bare-404", times=1000, path="/projects$")
    with pytest.raises(ProviderError):
        list(NeonLister(account.hasty(ProjectProvider).session, "prod", "prod").marked())


def test_the_account_of_a_stacks_settings_is_listed_where_there_is_a_key(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NEON_API_KEY", "TIMEWEB_CLOUD_TOKEN", "HCLOUD_TOKEN", "DIGITALOCEAN_TOKEN", "LINODE_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    id_, _ = account.project()
    settings = {"neon:apiKey": account.running.key, "neon:apiUrl": account.running.api_url}
    listers = open_listers(settings, Owner("prod", "prod"))
    (found,) = [item for each in listers if PROJECT in each.types for item in each.marked()]
    assert (found.type, found.id) == (PROJECT, id_)
    assert {type_ for each in listers for type_ in each.types} >= {PROJECT, TENANT_SCHEMA}
    assert open_listers({}, Owner("prod", "prod")) == []
