"""Rules for database clusters: ordering, changing the size, removal, and how their state moves with time."""

from datetime import UTC, datetime
from uuid import uuid4

from sandbox.simulators.digitalocean.errors import NotFoundError, PreconditionError, UnprocessableError
from sandbox.simulators.digitalocean.offers import (
    DEFAULT_VERSION,
    ENGINE,
    LAYOUTS,
    REGIONS,
    SIZES,
    VERSIONS,
)
from sandbox.simulators.digitalocean.records import (
    ADMIN,
    FIRST_DATABASE,
    Cluster,
    Db,
    Pool,
    Rule,
    Tag,
    User,
)
from sandbox.simulators.digitalocean.schemas import CreateCluster, MaintenanceWindow, ResizeCluster, RuleBody
from sandbox.simulators.digitalocean.servers import Guard
from sandbox.simulators.digitalocean.state import DEFAULT_PROJECT, State, default_network, new_password
from sandbox.simulators.servers import AdminWanted, Contents

_RESERVED = frozenset({"postgres", "template0", "template1", "cluster_owner", "_dodb", ADMIN, FIRST_DATABASE})
_LONGEST_NAME = 63
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def stored(state: State, uuid: str) -> Cluster:
    """The cluster as it was last written; NotFoundError when there is none."""
    for cluster in state.clusters.all():
        if cluster.uuid == uuid:
            return cluster
    raise NotFoundError


def get(state: State, uuid: str) -> Cluster:
    """The cluster as it is at this moment; NotFoundError when there is none."""
    return as_of_now(state, stored(state, uuid))


def listed(state: State, tag: str | None = None) -> list[Cluster]:
    """All clusters as they are at this moment, or those that carry a tag."""
    return [as_of_now(state, each) for each in state.clusters.all() if tag is None or tag in each.tags]


def as_of_now(state: State, cluster: Cluster) -> Cluster:
    """The cluster with the status that the clock and the server behind it give it.

    The vendor has no word for a cluster that failed: it stays in the state it was in.
    """
    if cluster.settles_at is None or cluster.settles_to is None or state.clock() < cluster.settles_at:
        return cluster
    if state.servers.address(cluster.id) is None:
        return cluster
    return cluster.model_copy(update={"status": cluster.settles_to})


def require_online(state: State, uuid: str) -> Cluster:
    """The cluster if it is usable; otherwise the vendor's refusal."""
    cluster = get(state, uuid)
    if cluster.status in ("creating", "forking"):
        raise PreconditionError(f"the cluster is {cluster.status}")
    return cluster


def create(state: State, order: CreateCluster, *, stuck: bool) -> Cluster:
    """Order a cluster with its admin and first database; it is made in the background, unless it is stuck."""
    _require_offered(state, order)
    now = state.clock()
    with state.database.transaction():
        if order.name in {each.name for each in state.clusters.all()}:
            raise UnprocessableError(f"cluster name {order.name} is not available")
        cluster = state.clusters.add(
            Cluster(
                uuid=str(uuid4()),
                name=order.name,
                version=order.version or DEFAULT_VERSION,
                size=order.size,
                region=order.region,
                num_nodes=order.num_nodes,
                storage=order.storage_size_mib or SIZES[order.size].disk,
                created_at=now,
                status="creating",
                settles_at=None if stuck else now + state.delays.create,
                settles_to="online",
                tags=tuple(order.tags),
                network=order.private_network_uuid or default_network(order.region),
                project=order.project_id or DEFAULT_PROJECT,
                rules=rules(state, order.rules),
                window_day=_DAYS[int(now // 86400) % 7],
                window_hour="02:00:00",
            )
        )
        state.dbs.add(Db(cluster_uuid=cluster.uuid, name=FIRST_DATABASE))
        state.users.add(User(cluster_uuid=cluster.uuid, name=ADMIN, password=new_password()))
        for name in set(order.tags) - {tag.name for tag in state.tags.all()}:
            state.tags.add(Tag(name=name))
    launch(state, cluster)
    return cluster


def resize(state: State, uuid: str, order: ResizeCluster, *, stuck: bool) -> None:
    """Change the size of an online cluster, which stays usable; a disk cannot become smaller."""
    cluster = get(state, uuid)
    if cluster.status != "online":
        raise PreconditionError(f"the cluster is {cluster.status}")
    _require_layout(order.size, order.num_nodes)
    storage = order.storage_size_mib or max(SIZES[order.size].disk, cluster.storage)
    if storage < cluster.storage:
        raise UnprocessableError("the storage of a cluster cannot become smaller")
    values: dict[str, object] = {"size": order.size, "num_nodes": order.num_nodes, "storage": storage}
    values |= {"status": "resizing", "settles_to": "online"}
    values["settles_at"] = None if stuck else state.clock() + state.delays.resize
    state.clusters.put(cluster.model_copy(update=values))


def move_window(state: State, uuid: str, window: MaintenanceWindow) -> None:
    """Choose when the vendor may work on the cluster."""
    cluster = stored(state, uuid)
    if window.day not in _DAYS:
        raise UnprocessableError(f"day {window.day} is no day of the week")
    state.clusters.put(cluster.model_copy(update={"window_day": window.day, "window_hour": window.hour}))


def replace_rules(state: State, uuid: str, wanted: list[RuleBody]) -> None:
    """Trust these sources and no others; without any the cluster is open to everybody."""
    cluster = stored(state, uuid)
    changed = state.clusters.put(cluster.model_copy(update={"rules": rules(state, wanted)}))
    guard(state, changed)


def rules(state: State, wanted: list[RuleBody]) -> tuple[Rule, ...]:
    """The trusted sources as they are stored."""
    now = state.clock()
    return tuple(
        Rule(
            uuid=each.uuid or str(uuid4()),
            type=each.type,
            value=each.value,
            description=each.description,
            created_at=now,
        )
        for each in wanted
    )


def delete(state: State, uuid: str) -> None:
    """Delete a cluster with all it holds, at once."""
    cluster = get(state, uuid)
    with state.database.transaction():
        for table in (state.dbs, state.users, state.pools):
            for part in table.all():
                if part.cluster_uuid == uuid:
                    table.remove(part.id)
        state.clusters.remove(cluster.id)
    state.servers.remove(cluster.id)


def launch(state: State, cluster: Cluster) -> None:
    """Start the server behind a cluster, or find it running."""
    guard(state, cluster)
    state.servers.launch(cluster.id, f"postgres{cluster.version}", contents(state, cluster.uuid))


def guard(state: State, cluster: Cluster) -> None:
    """Have the server let in who is trusted. Of the kinds of sources only addresses can be told apart on loopback."""
    addresses = tuple(rule.value for rule in cluster.rules if rule.type == "ip_addr")
    pools = {pool.name: pool.db for pool in pools_of(state, cluster.uuid)}
    state.servers.guard(cluster.id, Guard(addresses if cluster.rules else None, pools))


def resume(state: State) -> None:
    """Start the servers of all clusters."""
    for cluster in state.clusters.all():
        launch(state, cluster)


def ordered_dbs(state: State, uuid: str) -> list[Db]:
    """The databases that were made through the API, oldest first."""
    return [db for db in state.dbs.all() if db.cluster_uuid == uuid]


def ordered_users(state: State, uuid: str) -> list[User]:
    """The logins that were made through the API, the admin first."""
    return [user for user in state.users.all() if user.cluster_uuid == uuid]


def dbs_of(state: State, cluster: Cluster) -> list[Db]:
    """All databases of a cluster: the vendor also sees those that were made by SQL."""
    ordered = ordered_dbs(state, cluster.uuid)
    others = set(state.servers.held(cluster.id).databases) - {db.name for db in ordered}
    return [*ordered, *(Db(cluster_uuid=cluster.uuid, name=name) for name in sorted(others))]


def users_of(state: State, cluster: Cluster) -> list[User]:
    """All logins of a cluster, the admin first; of those that were made by SQL the vendor knows no password."""
    ordered = ordered_users(state, cluster.uuid)
    others = set(state.servers.held(cluster.id).logins) - {user.name for user in ordered}
    return [*ordered, *(User(cluster_uuid=cluster.uuid, name=name, password="") for name in sorted(others))]


def pools_of(state: State, uuid: str) -> list[Pool]:
    """The pools of a cluster, oldest first."""
    return [pool for pool in state.pools.all() if pool.cluster_uuid == uuid]


def require_free(kind: str, name: str, taken: set[str]) -> None:
    """Refuse a name that is taken, belongs to the vendor, or is longer than the server can store."""
    if name in taken:
        raise UnprocessableError(f"{kind} name is not available")
    if name in _RESERVED or name.startswith("pg_") or len(name.encode()) > _LONGEST_NAME:
        raise UnprocessableError(f"{name!r} cannot be used as a name")


def contents(state: State, uuid: str) -> Contents:
    """What the server behind a cluster should hold: the admin owns every database, and is no superuser."""
    return Contents(
        databases={db.name: ADMIN for db in ordered_dbs(state, uuid)},
        admins=tuple(
            AdminWanted(
                login=user.name,
                password=user.password,
                create_database=user.name == ADMIN,
                create_role=user.name == ADMIN,
                everywhere=False,
                privileges={},
            )
            for user in ordered_users(state, uuid)
        ),
    )


def _require_offered(state: State, order: CreateCluster) -> None:
    if order.engine != ENGINE:
        raise UnprocessableError(f"engine {order.engine} cannot be ordered here")
    version = VERSIONS.get(order.version or DEFAULT_VERSION)
    if version is None or datetime.fromtimestamp(state.clock(), UTC) >= version.end_of_availability:
        raise UnprocessableError(f"version {order.version} is not available")
    if order.region not in REGIONS:
        raise UnprocessableError(f"region {order.region} is not available")
    if order.backup_restore is not None:
        raise UnprocessableError("the sandbox keeps no data in backups, so nothing can start from one")
    _require_layout(order.size, order.num_nodes)
    if order.storage_size_mib is not None and order.storage_size_mib < SIZES[order.size].disk:
        raise UnprocessableError(f"storage_size_mib is less than {order.size} has")


def _require_layout(size: str, nodes: int) -> None:
    if size not in LAYOUTS.get(nodes, ()):
        raise UnprocessableError(f"size {size} is not available with {nodes} nodes")
