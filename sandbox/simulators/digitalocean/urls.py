"""What the simulator serves, as data: method, path as the document writes it, handler."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulators.digitalocean import responses
from sandbox.simulators.digitalocean.calls import Answer, Call
from sandbox.simulators.digitalocean.state import State

Handler = Callable[[State, Call], Answer]

_CLUSTER = "/v2/databases/{database_cluster_uuid}"
_DB = _CLUSTER + "/dbs/{database_name}"
_USER = _CLUSTER + "/users/{username}"
_POOL = _CLUSTER + "/pools/{pool_name}"
_TAG = "/v2/tags/{tag_id}"


@dataclass(frozen=True)
class Operation:
    """One served operation."""

    method: str
    path: str
    handler: Handler


OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(method, path, handler)
    for method, path, handler in (
        # Before the clusters: it looks like one's path.
        ("GET", "/v2/databases/options", responses.list_options),
        ("GET", "/v2/databases", responses.list_clusters),
        ("POST", "/v2/databases", responses.create_cluster),
        ("GET", _CLUSTER, responses.get_cluster),
        ("DELETE", _CLUSTER, responses.delete_cluster),
        ("PUT", _CLUSTER + "/resize", responses.resize_cluster),
        ("PUT", _CLUSTER + "/maintenance", responses.move_window),
        ("GET", _CLUSTER + "/ca", responses.get_certificate),
        ("GET", _CLUSTER + "/backups", responses.list_backups),
        ("GET", _CLUSTER + "/firewall", responses.list_rules),
        ("PUT", _CLUSTER + "/firewall", responses.replace_rules),
        ("GET", _CLUSTER + "/dbs", responses.list_dbs),
        ("POST", _CLUSTER + "/dbs", responses.create_db),
        ("GET", _DB, responses.get_db),
        ("DELETE", _DB, responses.delete_db),
        ("GET", _CLUSTER + "/users", responses.list_users),
        ("POST", _CLUSTER + "/users", responses.create_user),
        ("GET", _USER, responses.get_user),
        ("DELETE", _USER, responses.delete_user),
        ("POST", _USER + "/reset_auth", responses.reset_user),
        ("GET", _CLUSTER + "/pools", responses.list_pools),
        ("POST", _CLUSTER + "/pools", responses.create_pool),
        ("GET", _POOL, responses.get_pool),
        ("PUT", _POOL, responses.update_pool),
        ("DELETE", _POOL, responses.delete_pool),
        ("GET", "/v2/droplets", responses.list_droplets),
        ("GET", "/v2/tags", responses.list_tags),
        ("POST", "/v2/tags", responses.create_tag),
        ("GET", _TAG, responses.get_tag),
        ("DELETE", _TAG, responses.delete_tag),
        ("POST", _TAG + "/resources", responses.put_tag),
        ("DELETE", _TAG + "/resources", responses.take_tag),
    )
)
