"""Clusters against the simulated account: made once, found again, mended, and deleted for certain."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dynamic_providers.errors import (
    AmbiguousMarkError,
    ConfirmationNeededError,
    DeadlineError,
    DoubtfulAbsenceError,
    FailedStateError,
    PresetError,
    ProviderError,
    StatefulChangeError,
    UncertainError,
)
from dynamic_providers.timeweb.cluster import ClusterProvider
from tests.dynamic_providers.timeweb.conftest import Account, drift

CLUSTERS = "/api/v1/databases"
MARK = "tenantry:prod:shared-pro-1-cluster-1"
WANTED: dict[str, Any] = {
    "name": "shared-pro-1",
    "engine": "postgres15",
    "cpu": 2.0,
    "ram_gb": 4.0,
    "disk_gb": 40.0,
    "location": "ru-1",
    "mark": MARK,
    "__provider": "reference",
}
BY_ID = {key: value for key, value in WANTED.items() if key not in {"cpu", "ram_gb", "disk_gb"}} | {"preset_id": 124}


@pytest.fixture
def provider(account: Account) -> ClusterProvider:
    return account.provider(ClusterProvider)


def made(provider: ClusterProvider, wanted: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    result = provider.create(wanted or WANTED)
    assert result.outs is not None
    return result.id, result.outs


def test_a_create_is_a_listing_the_presets_and_one_post_without_a_secret(
    account: Account, provider: ClusterProvider
) -> None:
    """A9, A15, G1, G13."""
    id_, outs = made(provider)
    assert account.requests("GET", CLUSTERS) == [CLUSTERS]
    assert account.mutations() == [f"POST {CLUSTERS}"]
    assert account.bodies("POST") == [
        {"name": "shared-pro-1", "type": "postgres15", "preset_id": 124, "description": MARK}
    ]
    assert (outs["status"], outs["resolved_preset"], outs["port"]) == ("started", 124, 5432)
    assert outs["host"]
    assert [cluster["id"] for cluster in account.running_clusters()] == [int(id_)]


@pytest.mark.parametrize("wanted", [WANTED, BY_ID], ids=["by size", "by id"])
def test_what_was_made_shows_no_difference_before_and_after_a_refresh(
    provider: ClusterProvider, wanted: dict[str, Any]
) -> None:
    """H1: up, up, refresh, up changes nothing after the first."""
    id_, outs = made(provider, wanted)
    assert provider.diff(id_, outs, wanted).changes is False
    assert drift(provider, id_, wanted, outs) == set()
    refreshed = provider.read(id_, outs).outs
    assert refreshed == outs


def test_naming_a_size_by_its_preset_id_instead_is_no_change(provider: ClusterProvider) -> None:
    _, outs = made(provider)
    assert provider.changed_fields(outs, BY_ID) == set()


def test_a_second_create_finds_ours_and_sends_no_post(account: Account, provider: ClusterProvider) -> None:
    """G43: state lost, or killed before it was written."""
    id_, _ = made(provider)
    account.running.log.clear()
    assert made(account.provider(ClusterProvider))[0] == id_
    assert account.mutations() == []


def test_several_creates_share_one_listing(account: Account, provider: ClusterProvider) -> None:
    """Design rule 1: one provider object serves several threads."""
    wanted = [WANTED | {"name": f"c-{n}", "mark": f"{MARK[:-1]}{n}"} for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(provider.create, wanted))
    assert len({result.id for result in results}) == 4
    assert len(account.requests("GET", CLUSTERS)) == 1


@pytest.mark.parametrize("fault", ["response-lost", "error-after-work"])
def test_a_create_whose_answer_is_lost_leaves_one_cluster_and_one_post(
    account: Account, provider: ClusterProvider, fault: str
) -> None:
    """G43, F37."""
    account.running.strike(fault, method="POST", path=f"^{CLUSTERS}$")
    id_, _ = made(provider)
    assert account.mutations() == [f"POST {CLUSTERS}"]
    assert len(account.requests("GET", CLUSTERS)) == 2
    assert [str(cluster["id"]) for cluster in account.running_clusters()] == [id_]


@pytest.mark.parametrize("fault", ["unavailable", "bare-404"])
def test_a_create_that_was_not_executed_is_sent_again_after_looking(
    account: Account, provider: ClusterProvider, fault: str
) -> None:
    account.running.strike(fault, method="POST", path=f"^{CLUSTERS}$")
    made(provider)
    assert len(account.mutations()) == 2
    assert len(account.running_clusters()) == 1


def test_a_create_that_stays_uncertain_is_given_up(account: Account, provider: ClusterProvider) -> None:
    account.running.strike("unavailable", method="POST", path=f"^{CLUSTERS}$", times=0)
    with pytest.raises(UncertainError):
        provider.create(WANTED)
    assert len(account.mutations()) == 2
    assert account.running_clusters() == []


def test_a_refused_pace_repeats_the_create_without_another_look(account: Account, provider: ClusterProvider) -> None:
    """A6."""
    account.running.strike("rate-limited", method="POST", path=f"^{CLUSTERS}$", times=2)
    made(provider)
    assert len(account.mutations()) == 3
    assert len(account.requests("GET", CLUSTERS)) == 1
    assert len(account.running_clusters()) == 1


def test_a_bare_404_is_asked_again(account: Account, provider: ClusterProvider) -> None:
    """G17."""
    id_, outs = made(provider)
    account.running.strike("bare-404", method="GET", path=f"{CLUSTERS}/{id_}$", times=2)
    assert provider.read(id_, outs).outs == outs


def test_a_bare_404_that_lasts_is_an_error_and_never_absence(account: Account, provider: ClusterProvider) -> None:
    """G17, design rule 4: a refresh must not drop a live cluster from the state."""
    id_, outs = made(provider)
    account.running.strike("bare-404", path=f"{CLUSTERS}/{id_}$", times=0)
    hasty = account.hasty(ClusterProvider)
    with pytest.raises(DoubtfulAbsenceError):
        hasty.read(id_, outs)
    with pytest.raises(DoubtfulAbsenceError):
        hasty.delete(id_, outs)


def test_what_is_gone_is_read_as_gone(account: Account, provider: ClusterProvider) -> None:
    id_, outs = made(provider)
    account.remove("cluster", id_)
    assert provider.read(id_, outs).id is None


@pytest.mark.parametrize(
    ("edit", "field", "body"),
    [
        ({"name": "renamed"}, "name", {"name": "shared-pro-1"}),
        ({"description": "mine now"}, "mark", {"description": MARK}),
        ({"description": f"{MARK} (ops: keep)"}, "mark", {"description": MARK}),
        ({"preset_id": 122, "cpu": 1}, "cpu", {"preset_id": 124}),
        ({"preset_id": 122, "ram": 2048}, "ram_gb", {"preset_id": 124}),
        ({"preset_id": 122, "disk": 30 * 1024}, "disk_gb", {"preset_id": 124}),
    ],
    ids=str,
)
def test_drift_of_a_field_shows_and_is_mended_by_exactly_one_request(
    account: Account, provider: ClusterProvider, edit: dict[str, object], field: str, body: dict[str, object]
) -> None:
    """H5."""
    id_, outs = made(provider)
    account.edit("cluster", id_, **edit)
    assert drift(provider, id_, WANTED, outs) == {field}
    refreshed = provider.read(id_, outs).outs
    assert refreshed
    account.running.log.clear()
    mended = provider.update(id_, refreshed, WANTED).outs
    assert mended
    assert account.mutations() == [f"PATCH {CLUSTERS}/{id_}"]
    assert account.bodies("PATCH") == [body]
    assert provider.diff(id_, mended, WANTED).changes is False


def test_drift_of_the_preset_shows_where_it_was_given_by_id(account: Account, provider: ClusterProvider) -> None:
    id_, outs = made(provider, BY_ID)
    account.edit("cluster", id_, preset_id=125)
    assert drift(provider, id_, BY_ID, outs) == {"preset_id"}


def test_a_new_size_is_one_patch_and_waited_for(account: Account, provider: ClusterProvider) -> None:
    id_, outs = made(provider)
    bigger = WANTED | {"cpu": 4.0, "ram_gb": 8.0, "disk_gb": 80.0}
    account.running.log.clear()
    grown = provider.update(id_, outs, bigger).outs
    assert grown
    assert account.bodies("PATCH") == [{"preset_id": 125}]
    assert (grown["status"], grown["resolved_preset"], grown["disk_gb"]) == ("started", 125, 80)
    assert provider.diff(id_, grown, bigger).changes is False


def test_a_stateful_change_is_refused_in_one_sentence_and_sends_nothing(
    account: Account, provider: ClusterProvider
) -> None:
    """H1, design rule 2."""
    id_, outs = made(provider)
    account.running.log.clear()
    moved = WANTED | {"engine": "postgres16"}
    shown = provider.diff(id_, outs, moved)
    assert (shown.changes, shown.replaces) == (True, [])
    with pytest.raises(StatefulChangeError, match="tenantry validate"):
        provider.update(id_, outs, moved)
    assert account.running.requests() == []


def test_an_old_cluster_that_answers_with_its_family_shows_no_drift(
    account: Account, provider: ClusterProvider
) -> None:
    id_, outs = made(provider)
    account.edit("cluster", id_, type="postgres")
    assert provider.session.timeweb.cluster(id_).type == "postgres"
    assert drift(provider, id_, WANTED, outs) == set()


def test_a_delete_counts_when_it_reads_back_as_gone(account: Account, provider: ClusterProvider) -> None:
    """G16."""
    id_, outs = made(provider)
    account.running.log.clear()
    provider.delete(id_, outs)
    assert [(entry.method, entry.status) for entry in account.running.requests()] == [("DELETE", 204), ("GET", 404)]
    provider.delete(id_, outs)
    assert made(provider)[0] != id_


def test_a_delete_that_answers_200_with_a_hash_is_no_delete(account: Account, provider: ClusterProvider) -> None:
    """G16, A4."""
    id_, outs = made(provider)
    account.running.strike("delete-needs-confirmation")
    with pytest.raises(ConfirmationNeededError, match="confirm it in the panel"):
        provider.delete(id_, outs)
    assert len(account.running_clusters()) == 1


def test_a_delete_whose_answer_is_lost_is_repeated_and_done(account: Account, provider: ClusterProvider) -> None:
    id_, outs = made(provider)
    account.running.strike("response-lost", method="DELETE", path=f"{CLUSTERS}/{id_}$")
    provider.delete(id_, outs)
    assert account.running_clusters() == []


def test_a_stuck_start_ends_at_the_deadline_and_the_next_run_goes_on_waiting(account: Account) -> None:
    """H15, design rule 1: the half-made cluster is found again."""
    account.running.strike("stuck")
    with pytest.raises(DeadlineError, match="its state is 'starting'"):
        account.hasty(ClusterProvider).create(WANTED)
    (cluster,) = account.running_clusters()
    account.edit("cluster", str(cluster["id"]), status="started")
    assert made(account.provider(ClusterProvider))[0] == str(cluster["id"])
    assert account.mutations() == [f"POST {CLUSTERS}"]


@pytest.mark.parametrize("state", ["error", "blocked", "no_paid", "stopped"])
def test_a_state_that_does_not_pass_ends_the_wait_at_once(
    account: Account, provider: ClusterProvider, state: str
) -> None:
    id_, _ = made(provider)
    account.edit("cluster", id_, status=state)
    account.running.log.clear()
    with pytest.raises(FailedStateError, match=rf"cluster {id_} \(shared-pro-1\) is in state '{state}': "):
        account.provider(ClusterProvider).create(WANTED)
    assert [entry.path for entry in account.running.requests()] == [CLUSTERS]


def test_a_start_that_ends_in_error_is_one_sentence(account: Account, provider: ClusterProvider) -> None:
    account.running.strike("failed-state")
    with pytest.raises(FailedStateError):
        provider.create(WANTED)


def test_a_size_that_is_sold_out_lists_what_there_is(account: Account, provider: ClusterProvider) -> None:
    """A15."""
    account.running.strike("sold-out", times=0, preset_id=124)
    with pytest.raises(
        PresetError, match=r"none matches; offered: .*id 125 \(cpu 4, ram_gb 8, disk_gb 80, 2775 a month"
    ):
        provider.create(WANTED)
    assert account.mutations() == []


def test_a_size_that_is_ambiguous_lists_the_candidates(provider: ClusterProvider) -> None:
    """A15."""
    two = {key: value for key, value in WANTED.items() if key not in {"ram_gb", "disk_gb"}}
    with pytest.raises(PresetError, match=r"several match: id 122 .*; id 124 "):
        provider.create(two)


def test_adoption_takes_over_by_id_and_puts_the_mark(account: Account, provider: ClusterProvider) -> None:
    """H5."""
    found = account.session.timeweb.create_cluster({"name": "old", "type": "postgres15", "preset_id": 124})
    account.running.log.clear()
    id_, outs = made(provider, WANTED | {"adopt": str(found.id)})
    assert id_ == str(found.id)
    assert account.bodies("PATCH") == [{"description": MARK}]
    assert account.bodies("POST") == []
    assert provider.changed_fields(outs, WANTED) == {"name"}
    account.running.log.clear()
    assert made(account.provider(ClusterProvider), WANTED | {"adopt": id_})[0] == id_
    assert account.mutations() == []


def test_what_carries_another_mark_is_not_adopted(account: Account, provider: ClusterProvider) -> None:
    theirs = {"name": "old", "type": "postgres15", "preset_id": 124, "description": "tenantry:prod:other-1-cluster-1"}
    found = account.session.timeweb.create_cluster(theirs)
    with pytest.raises(AmbiguousMarkError):
        provider.create(WANTED | {"adopt": str(found.id)})
    assert account.bodies("PATCH") == []


def test_what_has_another_engine_is_not_adopted(account: Account, provider: ClusterProvider) -> None:
    found = account.session.timeweb.create_cluster({"name": "old", "type": "postgres16", "preset_id": 124})
    with pytest.raises(ProviderError, match="is postgres16 in ru-1, not postgres15"):
        provider.create(WANTED | {"adopt": str(found.id)})
    assert account.bodies("PATCH") == []


def test_two_clusters_with_our_mark_are_refused(account: Account, provider: ClusterProvider) -> None:
    for _ in range(2):
        fields = {"name": "twin", "type": "postgres15", "preset_id": 124, "description": MARK}
        account.session.timeweb.create_cluster(fields)
    with pytest.raises(AmbiguousMarkError):
        provider.create(WANTED)
    assert len(account.mutations()) == 2


@pytest.mark.parametrize(
    "edit",
    [{"engine": "mysql8_4"}, {"mark": "mine"}, {"preset_id": 124.0}, {"cpu": None, "ram_gb": None, "disk_gb": None}],
)
def test_check_refuses_what_can_never_be_made(edit: dict[str, Any]) -> None:
    """A8: anything but PostgreSQL; a size given twice or not at all."""
    assert ClusterProvider().check({}, WANTED | edit).failures
    assert ClusterProvider().check({}, WANTED).failures == []


def test_a_new_size_whose_answer_is_lost_is_ordered_once(account: Account, provider: ClusterProvider) -> None:
    """G43: the repeated order is refused while the first is carried out, and that is no failure."""
    id_, outs = made(provider)
    account.running.strike("response-lost", method="PATCH", path=f"{CLUSTERS}/{id_}$")
    grown = provider.update(id_, outs, WANTED | {"cpu": 4.0, "ram_gb": 8.0, "disk_gb": 80.0}).outs or {}
    assert (grown["status"], grown["resolved_preset"]) == ("started", 125)
    assert [entry.status for entry in account.running.requests("PATCH")] == [None, 400]


def test_a_new_size_that_an_earlier_run_ordered_is_waited_for_and_not_ordered_again(
    account: Account, provider: ClusterProvider
) -> None:
    """H15: each order restarts the cluster under everybody who is on it."""
    id_, outs = made(provider)
    bigger = WANTED | {"cpu": 4.0, "ram_gb": 8.0, "disk_gb": 80.0}
    account.running.strike("stuck", method="PATCH", path=CLUSTERS)
    with pytest.raises(DeadlineError, match="its state is 'rebooting'"):
        account.hasty(ClusterProvider).update(id_, outs, bigger)
    account.edit("cluster", id_, status="started")
    account.running.log.clear()
    fresh = account.provider(ClusterProvider)
    refreshed = fresh.read(id_, outs).outs or {}
    assert (fresh.update(id_, refreshed, bigger).outs or {})["resolved_preset"] == 125
    assert account.mutations() == []
