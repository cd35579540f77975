"""Rules for the backups of a cluster: its schedule, and copies of all of it."""

from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.errors import ConflictError, NotFoundError
from sandbox.simulators.timeweb.records import AutoBackups, Backup
from sandbox.simulators.timeweb.schemas import CreateBackup, UpdateAutoBackups
from sandbox.simulators.timeweb.state import State


def schedule(state: State, cluster_id: int) -> AutoBackups | None:
    """The schedule, None when it is off."""
    return clusters.get(state, cluster_id).auto_backups


def reschedule(state: State, cluster_id: int, change: UpdateAutoBackups) -> AutoBackups | None:
    """Switch the schedule on or off; the cluster must run."""
    cluster = clusters.require_started(state, cluster_id, ConflictError)
    wanted = change.record()
    state.clusters.put(cluster.model_copy(update={"auto_backups": wanted}))
    return wanted


def listed(state: State, cluster_id: int) -> list[Backup]:
    """The copies of a cluster, oldest first."""
    clusters.get(state, cluster_id)
    return [backup for backup in state.backups.all() if backup.cluster_id == cluster_id]


def get(state: State, cluster_id: int, backup_id: int) -> Backup:
    """One copy; NotFoundError when the cluster has none of that id."""
    for backup in listed(state, cluster_id):
        if backup.id == backup_id:
            return backup
    raise NotFoundError


def create(state: State, cluster_id: int, order: CreateBackup) -> Backup:
    """Begin a copy; the cluster must run."""
    cluster = clusters.require_started(state, cluster_id, ConflictError)
    now = state.clock()
    made = Backup(
        cluster_id=cluster_id,
        comment=order.comment,
        created_at=now,
        done_at=now + state.delays.backup,
        size=cluster.disk // 10,
    )
    with state.database.transaction():
        return state.backups.add(made)


def delete(state: State, cluster_id: int, backup_id: int) -> None:
    """Delete a copy."""
    state.backups.remove(get(state, cluster_id, backup_id).id)


def restore(state: State, cluster_id: int, backup_id: int) -> None:
    """Bring the whole cluster back; it is away for a while.

    Copies hold no data here. Where a real server would have to lose what was written since, the answer is a refusal:
    a cluster that came back unchanged would be kinder than the cloud.
    """
    backup = get(state, cluster_id, backup_id)
    cluster = clusters.require_started(state, cluster_id, ConflictError)
    if state.clock() < backup.done_at:
        raise ConflictError("the backup is not done")
    if state.servers.hold_data:
        raise ConflictError("the sandbox keeps no data in copies of a cluster, so it cannot bring one back")
    recovery = {"status": "backup_recovery", "settles_at": state.clock() + state.delays.backup, "settles_to": "started"}
    state.clusters.put(cluster.model_copy(update=recovery))
