"""Handlers for clusters, databases, users and backup schedules: request in, rule, document's shape out."""

from sandbox.simulators.timeweb import admins, backups, clusters, instances, views
from sandbox.simulators.timeweb.calls import Answer, Call
from sandbox.simulators.timeweb.errors import BadRequestError
from sandbox.simulators.timeweb.presets import DATABASE_PRESETS, DATABASE_TYPES, POSTGRES_PRIVILEGES
from sandbox.simulators.timeweb.records import Cluster
from sandbox.simulators.timeweb.schemas import (
    ClusterAction,
    CreateAdmin,
    CreateBackup,
    CreateCluster,
    CreateInstance,
    CreateLegacyDatabase,
    FirstAdmin,
    UpdateAdmin,
    UpdateAutoBackups,
    UpdateCluster,
    UpdateClusterV2,
    UpdateInstance,
    UpdateLegacyDatabase,
)
from sandbox.simulators.timeweb.state import State


def list_database_presets(state: State, call: Call) -> Answer:
    """Sizes to order, or those a cluster may change to."""
    wanted = call.queried_number("cluster_id")
    hidden = frozenset() if call.flag("with_unavailable") else call.fate.sold_out
    presets = [preset for preset in DATABASE_PRESETS.values() if preset.id not in hidden]
    if wanted is not None:
        cluster = clusters.get(state, wanted)
        family = DATABASE_TYPES[cluster.type].family
        presets = [preset for preset in presets if preset.tag == f"{family}_{cluster.location}"]
    shown = [views.database_preset(preset) for preset in presets]
    return Answer(200, {"databases_presets": shown, "meta": {"total": len(shown)}})


def list_clusters(state: State, call: Call) -> Answer:
    """One page of clusters."""
    found = clusters.listed(state)
    return Answer(
        200, {"dbs": [views.cluster(state, each) for each in call.page(found)], "meta": {"total": len(found)}}
    )


def create_cluster(state: State, call: Call) -> Answer:
    """Order a cluster."""
    return _cluster(state, clusters.create(state, call.body(CreateCluster), call.fate), 201)


def get_cluster(state: State, call: Call) -> Answer:
    """One cluster."""
    return _cluster(state, clusters.get(state, call.number("db_cluster_id")))


def update_cluster(state: State, call: Call) -> Answer:
    """Change a cluster."""
    change = call.body(UpdateCluster)
    return _cluster(state, clusters.update(state, call.number("db_cluster_id"), change, call.fate))


def update_cluster_v2(state: State, call: Call) -> Answer:
    """Change a cluster, second version."""
    change = call.body(UpdateClusterV2)
    return _cluster(state, clusters.update(state, call.number("db_cluster_id"), change, call.fate))


def delete_cluster(state: State, call: Call) -> Answer:
    """Delete a cluster, or ask for a confirmation that this shape has no way to give."""
    cluster_id = call.number("db_cluster_id")
    if call.struck_by("delete-needs-confirmation"):
        return Answer(200, {"database_delete": {"hash": clusters.request_deletion(state, cluster_id)}})
    clusters.delete(state, cluster_id)
    return Answer(204)


def act_on_cluster(state: State, call: Call) -> Answer:
    """Reboot, shut down or start a cluster."""
    clusters.act(state, call.number("db_cluster_id"), call.body(ClusterAction))
    return Answer(201)


def list_privileges(state: State, call: Call) -> Answer:
    """The privileges users of this cluster may have."""
    clusters.get(state, call.number("db_cluster_id"))
    return Answer(
        200, {"privileges": [{"group": group, "privilege": name} for name, group in POSTGRES_PRIVILEGES.items()]}
    )


def list_instances(state: State, call: Call) -> Answer:
    """The databases of a cluster."""
    found = [views.instance(each) for each in instances.listed(state, call.number("db_cluster_id"))]
    return Answer(200, {"instances": found, "meta": {"total": len(found)}})


def create_instance(state: State, call: Call) -> Answer:
    """Make a database."""
    made = instances.create(state, call.number("db_cluster_id"), call.body(CreateInstance))
    return Answer(201, {"instance": views.instance(made)})


def get_instance(state: State, call: Call) -> Answer:
    """One database."""
    found = instances.get(state, call.number("db_cluster_id"), call.number("instance_id"))
    return Answer(200, {"instance": views.instance(found)})


def update_instance(state: State, call: Call) -> Answer:
    """Change a database."""
    change = call.body(UpdateInstance)
    found = instances.update(state, call.number("db_cluster_id"), call.number("instance_id"), change)
    return Answer(200, {"instance": views.instance(found)})


def delete_instance(state: State, call: Call) -> Answer:
    """Drop a database."""
    instances.delete(state, call.number("db_cluster_id"), call.number("instance_id"))
    return Answer(204)


def list_admins(state: State, call: Call) -> Answer:
    """The users of a cluster."""
    found = [views.admin(state, each) for each in admins.listed(state, call.number("db_cluster_id"))]
    return Answer(200, {"admins": found, "meta": {"total": len(found)}})


def create_admin(state: State, call: Call) -> Answer:
    """Make a user."""
    made = admins.create(state, call.number("db_cluster_id"), call.body(CreateAdmin))
    return Answer(201, {"admin": views.admin(state, made)})


def get_admin(state: State, call: Call) -> Answer:
    """One user."""
    found = admins.get(state, call.number("db_cluster_id"), call.number("admin_id"))
    return Answer(200, {"admin": views.admin(state, found)})


def update_admin(state: State, call: Call) -> Answer:
    """Change a user."""
    change = call.body(UpdateAdmin)
    found = admins.update(state, call.number("db_cluster_id"), call.number("admin_id"), change)
    return Answer(200, {"admin": views.admin(state, found)})


def delete_admin(state: State, call: Call) -> Answer:
    """Drop a user."""
    admins.delete(state, call.number("db_cluster_id"), call.number("admin_id"))
    return Answer(204)


def get_auto_backups(state: State, call: Call) -> Answer:
    """The backup schedule of a cluster."""
    schedule = backups.schedule(state, call.number("db_id"))
    return Answer(200, {"auto_backups_settings": views.auto_backups(schedule)})


def update_auto_backups(state: State, call: Call) -> Answer:
    """Change the backup schedule of a cluster."""
    schedule = backups.reschedule(state, call.number("db_id"), call.body(UpdateAutoBackups))
    return Answer(200, {"auto_backups_settings": views.auto_backups(schedule)})


def list_backups(state: State, call: Call) -> Answer:
    """One page of a cluster's copies."""
    found = backups.listed(state, call.number("db_id"))
    shown = [views.backup(each, state.clock()) for each in call.page(found)]
    return Answer(200, {"backups": shown, "meta": {"total": len(found)}})


def create_backup(state: State, call: Call) -> Answer:
    """Begin a copy of a cluster."""
    order = call.body(CreateBackup) if call.raw else CreateBackup()
    made = backups.create(state, call.number("db_id"), order)
    return Answer(201, {"backup": views.backup(made, state.clock())})


def get_backup(state: State, call: Call) -> Answer:
    """One copy of a cluster."""
    found = backups.get(state, call.number("db_id"), call.number("backup_id"))
    return Answer(200, {"backup": views.backup(found, state.clock())})


def delete_backup(state: State, call: Call) -> Answer:
    """Delete a copy of a cluster."""
    backups.delete(state, call.number("db_id"), call.number("backup_id"))
    return Answer(204)


def restore_backup(state: State, call: Call) -> Answer:
    """Bring a cluster back to a copy; the request has no body and the answer none."""
    if call.raw:
        raise BadRequestError("a restore has no body")
    backups.restore(state, call.number("db_id"), call.number("backup_id"))
    return Answer(204)


def list_legacy(state: State, call: Call) -> Answer:
    """One page of clusters in the older shape."""
    found = clusters.listed(state)
    return Answer(200, {"dbs": [views.legacy(state, each) for each in call.page(found)], "meta": {"total": len(found)}})


def create_legacy(state: State, call: Call) -> Answer:
    """Order a cluster in the older shape: credentials are flat."""
    order = call.body(CreateLegacyDatabase)
    wanted = CreateCluster(
        name=order.name,
        type=order.type,
        preset_id=order.preset_id,
        admin=FirstAdmin(login=order.login or clusters.DEFAULT_LOGIN, password=order.password),
        config_parameters=order.config_parameters,
    )
    return _legacy(state, clusters.create(state, wanted, call.fate), 201)


def get_legacy(state: State, call: Call) -> Answer:
    """One cluster in the older shape."""
    return _legacy(state, clusters.get(state, call.number("db_id")))


def update_legacy(state: State, call: Call) -> Answer:
    """Change a cluster in the older shape; a password is that of its first user."""
    cluster_id = call.number("db_id")
    change = call.body(UpdateLegacyDatabase)
    given = change.model_dump(exclude={"password", "is_external_ip"}, exclude_none=True)
    if change.is_external_ip is not None:
        given["is_enabled_public_network"] = change.is_external_ip
    cluster = clusters.update(state, cluster_id, UpdateCluster(**given), call.fate)
    if change.password is not None:
        first = clusters.admins_of(state, cluster_id)[0]
        admins.update(state, cluster_id, first.id, UpdateAdmin(password=change.password))
    return _legacy(state, cluster)


def delete_legacy(state: State, call: Call) -> Answer:
    """Delete a cluster in the older shape, where a confirmation repeats the hash with a code."""
    cluster_id = call.number("db_id")
    confirmation = call.query.get("hash")
    if confirmation is None and call.struck_by("delete-needs-confirmation"):
        pending = clusters.request_deletion(state, cluster_id)
        return Answer(200, {"database_delete": {"hash": pending, "is_moved_in_quarantine": False}})
    clusters.delete(state, cluster_id, confirmation)
    return Answer(204)


def _cluster(state: State, record: Cluster, status: int = 200) -> Answer:
    return Answer(status, {"db": views.cluster(state, record)})


def _legacy(state: State, record: Cluster, status: int = 200) -> Answer:
    return Answer(status, {"db": views.legacy(state, record)})
