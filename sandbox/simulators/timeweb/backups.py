"""Rules for the backup schedule of a cluster."""

from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.errors import ConflictError
from sandbox.simulators.timeweb.records import AutoBackups
from sandbox.simulators.timeweb.schemas import UpdateAutoBackups
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
