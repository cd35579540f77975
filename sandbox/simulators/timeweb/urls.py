"""Every operation the simulator serves, as data: method, path as the document writes it, handler."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulators.timeweb import responses, storage_responses
from sandbox.simulators.timeweb.calls import Answer, Call
from sandbox.simulators.timeweb.state import State

Handler = Callable[[State, Call], Answer]

_CLUSTER = "/api/v1/databases/{db_cluster_id}"
_INSTANCE = _CLUSTER + "/instances/{instance_id}"
_ADMIN = _CLUSTER + "/admins/{admin_id}"
_BUCKET = "/api/v1/storages/buckets/{bucket_id}"
_LEGACY = "/api/v1/dbs/{db_id}"


@dataclass(frozen=True)
class Operation:
    """One served operation."""

    method: str
    path: str
    handler: Handler


OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(method, path, handler)
    for method, path, handler in (
        ("GET", "/api/v2/presets/dbs", responses.list_database_presets),
        ("GET", "/api/v2/dbs/presets/{preset_id}", storage_responses.get_database_preset),
        ("GET", "/api/v1/databases", responses.list_clusters),
        ("POST", "/api/v1/databases", responses.create_cluster),
        ("GET", _CLUSTER, responses.get_cluster),
        ("PATCH", _CLUSTER, responses.update_cluster),
        ("PATCH", "/api/v2/databases/{db_cluster_id}", responses.update_cluster_v2),
        ("DELETE", _CLUSTER, responses.delete_cluster),
        ("POST", _CLUSTER + "/action", responses.act_on_cluster),
        ("GET", _CLUSTER + "/privileges", responses.list_privileges),
        ("GET", _CLUSTER + "/instances", responses.list_instances),
        ("POST", _CLUSTER + "/instances", responses.create_instance),
        ("GET", _INSTANCE, responses.get_instance),
        ("PATCH", _INSTANCE, responses.update_instance),
        ("DELETE", _INSTANCE, responses.delete_instance),
        ("GET", _CLUSTER + "/admins", responses.list_admins),
        ("POST", _CLUSTER + "/admins", responses.create_admin),
        ("GET", _ADMIN, responses.get_admin),
        ("PATCH", _ADMIN, responses.update_admin),
        ("DELETE", _ADMIN, responses.delete_admin),
        ("GET", _LEGACY + "/auto-backups", responses.get_auto_backups),
        ("PATCH", _LEGACY + "/auto-backups", responses.update_auto_backups),
        ("GET", _LEGACY + "/backups", responses.list_backups),
        ("POST", _LEGACY + "/backups", responses.create_backup),
        ("GET", _LEGACY + "/backups/{backup_id}", responses.get_backup),
        ("PUT", _LEGACY + "/backups/{backup_id}", responses.restore_backup),
        ("DELETE", _LEGACY + "/backups/{backup_id}", responses.delete_backup),
        ("GET", "/api/v1/dbs", responses.list_legacy),
        ("POST", "/api/v1/dbs", responses.create_legacy),
        ("GET", _LEGACY, responses.get_legacy),
        ("PATCH", _LEGACY, responses.update_legacy),
        ("DELETE", _LEGACY, responses.delete_legacy),
        ("GET", "/api/v1/presets/storages", storage_responses.list_storage_presets),
        ("GET", "/api/v1/storages/buckets", storage_responses.list_buckets),
        ("POST", "/api/v1/storages/buckets", storage_responses.create_bucket),
        ("GET", _BUCKET, storage_responses.get_bucket),
        ("PATCH", _BUCKET, storage_responses.update_bucket),
        ("DELETE", _BUCKET, storage_responses.delete_bucket),
        ("GET", "/api/v1/storages/users", storage_responses.list_signers),
        ("PATCH", "/api/v1/storages/users/{user_id}", storage_responses.update_signer),
        ("GET", "/api/v1/account/status", storage_responses.get_account_status),
        ("GET", "/api/v1/account/finances", storage_responses.get_finances),
        ("GET", "/api/v1/account/services/cost", storage_responses.list_service_costs),
        ("GET", "/api/v1/database-types", storage_responses.list_database_types),
        ("GET", "/api/v2/locations", storage_responses.list_locations),
    )
)

# Seen on the live service by others, but in no official document.
UNDOCUMENTED: tuple[Operation, ...] = (
    Operation("GET", "/api/v2/storages/users", storage_responses.list_storage_users),
    Operation("POST", "/api/v2/storages/users", storage_responses.create_storage_user),
    Operation("GET", "/api/v2/storages/users/{user_id}", storage_responses.get_storage_user),
    Operation("DELETE", "/api/v2/storages/users/{user_id}", storage_responses.delete_storage_user),
)
