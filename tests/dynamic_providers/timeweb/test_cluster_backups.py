"""Copies of a whole cluster, through the client against the simulated account."""

import pytest

from dynamic_providers.errors import AbsentError, RefusedError
from sandbox.simulators.clock import MovableClock
from tests.dynamic_providers.timeweb.conftest import Account

CLUSTER = {"name": "shared-pro-1", "type": "postgres15", "preset_id": 124, "description": "tenantry:prod:c-1"}


def test_a_cluster_is_copied_and_brought_back_without_a_body_in_either_direction(
    account: Account, clock: MovableClock
) -> None:
    """A48, G3: the copy is there when its status says so, and the cluster is away while it comes back."""
    timeweb = account.session.timeweb
    cluster = str(timeweb.create_cluster(CLUSTER).id)
    clock.advance(10)
    made = timeweb.create_backup(cluster, "before the move")
    assert made is not None
    backup = str(made.id)
    assert (made.status, made.comment) == ("create", "before the move")
    with pytest.raises(RefusedError, match="not done"):
        timeweb.restore_backup(cluster, backup)
    clock.advance(10)
    assert [each.id for each in timeweb.backups(cluster) if each.status == "done"] == [made.id]
    timeweb.restore_backup(cluster, backup)
    assert timeweb.cluster(cluster).status == "backup_recovery"
    sent = account.running.requests("PUT")[-1]
    assert (sent.path, sent.body) == (f"/api/v1/dbs/{cluster}/backups/{backup}", None)
    clock.advance(10)
    timeweb.delete_backup(cluster, backup)
    assert timeweb.backups(cluster) == ()
    with pytest.raises(AbsentError):
        timeweb.backup(cluster, backup)


def test_copies_are_listed_to_the_last_page_and_go_with_their_cluster(account: Account, clock: MovableClock) -> None:
    timeweb = account.session.timeweb
    cluster = str(timeweb.create_cluster(CLUSTER).id)
    clock.advance(10)
    state = account.running.state
    first = timeweb.create_backup(cluster, "1")
    assert first is not None
    for _ in range(120):
        state.backups.add(state.backups.all()[0].model_copy(update={"id": 0}))
    assert len(timeweb.backups(cluster)) == 121
    timeweb.delete_cluster(cluster)
    assert state.backups.all() == []
