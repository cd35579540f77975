"""Rules for database clusters: ordering, changing the size, power, removal, and how their state moves with time."""

import secrets
from dataclasses import dataclass
from uuid import uuid4

from sandbox.simulators.servers import AdminWanted, Contents
from sandbox.simulators.timeweb.errors import BadRequestError, NotFoundError
from sandbox.simulators.timeweb.presets import (
    CONFIGURATORS,
    DATABASE_PRESETS,
    DATABASE_TYPES,
    POSTGRES_PRIVILEGES,
    ZONES,
)
from sandbox.simulators.timeweb.records import Admin, Cluster, Instance, Status
from sandbox.simulators.timeweb.schemas import ClusterAction, Configuration, CreateCluster, Sized, UpdateCluster
from sandbox.simulators.timeweb.state import State

DEFAULT_LOGIN = "gen_user"
DEFAULT_INSTANCE = "default_db"
_RESERVED = frozenset({"postgres", "template0", "template1", "cluster_owner"})
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Fate:
    """What an incident does to an order: the cluster stays in `starting`, ends in `error`, or its size is sold out."""

    stuck: bool = False
    fails: bool = False
    sold_out: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Size:
    """What a cluster gets, in MB; one of the two ids says by which offer."""

    preset_id: int | None
    configurator_id: int | None
    location: str
    cpu: int
    ram: int
    disk: int


def get(state: State, cluster_id: int) -> Cluster:
    """The cluster as it is at this moment; NotFoundError when there is none."""
    cluster = state.clusters.find(cluster_id)
    if cluster is None:
        raise NotFoundError
    return as_of_now(state, cluster)


def listed(state: State) -> list[Cluster]:
    """All clusters as they are at this moment."""
    return [as_of_now(state, cluster) for cluster in state.clusters.all()]


def as_of_now(state: State, cluster: Cluster) -> Cluster:
    """The cluster with the status that the clock and the server behind it give it."""
    status = cluster.status
    if cluster.settles_at is not None and cluster.settles_to and state.clock() >= cluster.settles_at:
        status = cluster.settles_to
    if status == "started" and state.servers.failure(cluster.id):
        status = "error"
    elif status == "started" and state.servers.address(cluster.id) is None:
        status = "starting"
    return cluster.model_copy(update={"status": status})


def require_started(state: State, cluster_id: int, refusal: type[Exception] = BadRequestError) -> Cluster:
    """The cluster if it runs; otherwise the vendor's refusal."""
    cluster = get(state, cluster_id)
    if cluster.status != "started":
        raise refusal(f"cluster is {cluster.status}")
    return cluster


def create(state: State, order: CreateCluster, fate: Fate) -> Cluster:
    """Order a cluster with its first database and first user; it starts in the background."""
    engine = DATABASE_TYPES.get(order.type)
    if engine is None:
        raise BadRequestError(f"type {order.type} cannot be ordered here")
    size = _size(order, engine.family, fate)
    zones = ZONES[size.location]
    if order.availability_zone and order.availability_zone not in zones:
        raise BadRequestError(f"availability_zone {order.availability_zone} is not in {size.location}")
    require_free(order.admin.login or DEFAULT_LOGIN, set())
    require_free(order.instance.name or DEFAULT_INSTANCE, set())
    now = state.clock()
    cluster = Cluster(
        name=order.name,
        type=order.type,
        description=order.description,
        zone=order.availability_zone or zones[0],
        created_at=now,
        status="starting",
        settles_at=None if fate.stuck else now + state.delays.start,
        settles_to="error" if fate.fails else "started",
        hash_type=order.hash_type,
        project_id=order.project_id or 1,
        public_ipv6=order.is_public_ipv6,
        config_parameters=order.config_parameters,
        disk_autoscaling=order.disk_autoscaling.model_dump(exclude_none=True) if order.disk_autoscaling else None,
        auto_backups=order.auto_backups.record() if order.auto_backups else None,
        backup_schedule=order.backup_schedule is not None,
        **vars(size),
    )
    with state.database.transaction():
        cluster = state.clusters.add(cluster)
        _first_contents(state, cluster, order, now)
    state.servers.launch(cluster.id, cluster.type, contents(state, cluster.id))
    return cluster


def _first_contents(state: State, cluster: Cluster, order: CreateCluster, now: float) -> None:
    state.instances.add(
        Instance(
            cluster_id=cluster.id,
            name=order.instance.name or DEFAULT_INSTANCE,
            description=order.instance.description or "",
            created_at=now,
        )
    )
    state.admins.add(
        Admin(
            cluster_id=cluster.id,
            login=order.admin.login or DEFAULT_LOGIN,
            password=order.admin.password or secrets.token_urlsafe(16),
            description=order.admin.description or "",
            host=order.admin.host,
            created_at=now,
            privileges=tuple(order.admin.privileges or POSTGRES_PRIVILEGES),
        )
    )


def update(state: State, cluster_id: int, change: UpdateCluster, fate: Fate) -> Cluster:
    """Change what was given; a new size needs a started cluster and makes it restart."""
    cluster = get(state, cluster_id)
    values: dict[str, object] = {
        field: value
        for field, value in {
            "name": change.name,
            "description": change.description,
            "hash_type": change.hash_type,
            "public_network": change.is_enabled_public_network,
            "public_ipv6": change.is_enabled_public_ipv6,
            "secure_connection": change.is_secure_connection_enable,
        }.items()
        if value is not None
    }
    if change.config_parameters is not None:
        values["config_parameters"] = cluster.config_parameters | change.config_parameters
    if change.disk_autoscaling is not None:
        values["disk_autoscaling"] = change.disk_autoscaling.model_dump(exclude_none=True)
    if change.preset_id is not None or change.configuration is not None:
        require_started(state, cluster_id)
        values |= vars(_new_size(cluster, change, fate))
        values |= _passing(state, "rebooting", "started", state.delays.resize)
        if fate.stuck:
            values["settles_at"] = None
    return state.clusters.put(cluster.model_copy(update=values))


def act(state: State, cluster_id: int, order: ClusterAction) -> None:
    """Switch a cluster on, off, or off and on."""
    cluster = get(state, cluster_id)
    wanted_before: Status = "stopped" if order.action == "start" else "started"
    if cluster.status != wanted_before:
        raise BadRequestError(f"cluster is {cluster.status}")
    passing: dict[str, tuple[Status, Status]] = {
        "reboot": ("rebooting", "started"),
        "shutdown": ("turning_off", "stopped"),
        "start": ("turning_on", "started"),
    }
    state.clusters.put(cluster.model_copy(update=_passing(state, *passing[order.action], seconds=state.delays.power)))
    if order.action in ("reboot", "shutdown"):
        state.servers.halt(cluster_id)
    if order.action in ("reboot", "start"):
        state.servers.launch(cluster_id, cluster.type, contents(state, cluster_id))


def request_deletion(state: State, cluster_id: int) -> str:
    """Delete nothing and give the hash that a confirmation has to repeat."""
    cluster = get(state, cluster_id)
    confirmation = str(uuid4())
    state.clusters.put(cluster.model_copy(update={"delete_hash": confirmation}))
    return confirmation


def delete(state: State, cluster_id: int, confirmation: str | None = None) -> None:
    """Delete a cluster with all it holds; a confirmation that is given must be the one that was asked for."""
    cluster = get(state, cluster_id)
    if confirmation is not None and confirmation != cluster.delete_hash:
        raise BadRequestError("the hash is not that of this deletion")
    with state.database.transaction():
        for instance in instances_of(state, cluster_id):
            state.instances.remove(instance.id)
        for admin in admins_of(state, cluster_id):
            state.admins.remove(admin.id)
        for backup in [each for each in state.backups.all() if each.cluster_id == cluster_id]:
            state.backups.remove(backup.id)
        state.clusters.remove(cluster_id)
    state.servers.remove(cluster_id)


def resume(state: State) -> None:
    """Start the servers of all clusters that are not switched off."""
    for cluster in listed(state):
        if cluster.status not in ("stopped", "turning_off"):
            state.servers.launch(cluster.id, cluster.type, contents(state, cluster.id))


def instances_of(state: State, cluster_id: int) -> list[Instance]:
    """The databases of a cluster, oldest first."""
    return [instance for instance in state.instances.all() if instance.cluster_id == cluster_id]


def admins_of(state: State, cluster_id: int) -> list[Admin]:
    """The users of a cluster, oldest first."""
    return [admin for admin in state.admins.all() if admin.cluster_id == cluster_id]


def require_free(name: str, taken: set[str]) -> None:
    """Refuse a name that is taken, belongs to the server itself, or is longer than the server can store."""
    if name in taken:
        raise BadRequestError(f"{name!r} exists in this cluster")
    if name in _RESERVED or name.startswith("pg_") or len(name.encode()) > _LONGEST_NAME:
        raise BadRequestError(f"{name!r} cannot be used as a name")


def contents(state: State, cluster_id: int) -> Contents:
    """What the server behind a cluster should hold."""
    instances = instances_of(state, cluster_id)
    admins = admins_of(state, cluster_id)
    logins = {admin.id: admin.login for admin in admins}
    return Contents(
        databases={
            instance.name: logins.get(instance.owner_id) if instance.owner_id else None for instance in instances
        },
        admins=tuple(
            AdminWanted(
                login=admin.login,
                password=admin.password,
                create_database="CREATEDB" in admin.privileges,
                create_role="CREATEROLE" in admin.privileges,
                everywhere=admin.instance_id is None,
                privileges={
                    instance.name: frozenset(admin.privileges)
                    for instance in instances
                    if admin.instance_id in (None, instance.id)
                },
            )
            for admin in admins
        ),
    )


def _passing(state: State, through: Status, to: Status, seconds: float) -> dict[str, object]:
    return {"status": through, "settles_at": state.clock() + seconds, "settles_to": to}


def _size(order: Sized, family: str, fate: Fate) -> Size:
    if order.configuration is not None:
        return _configured(order.configuration)
    preset = DATABASE_PRESETS.get(order.preset_id or 0)
    if preset is None or preset.family != family:
        raise BadRequestError(f"preset_id {order.preset_id} is no {family} preset")
    if preset.id in fate.sold_out:
        raise BadRequestError(f"preset {preset.id} is not available for order: no free resources")
    return Size(preset.id, None, preset.location, preset.cpu, preset.ram, preset.disk)


def _configured(configuration: Configuration) -> Size:
    configurator = CONFIGURATORS.get(configuration.configurator_id)
    if configurator is None:
        raise BadRequestError(f"configurator_id {configuration.configurator_id} is unknown")
    return Size(
        None,
        configurator.id,
        configurator.location,
        configuration.cpu,
        configuration.ram,
        configuration.disk,
    )


def _new_size(cluster: Cluster, change: UpdateCluster, fate: Fate) -> Size:
    size = _size(change, DATABASE_TYPES[cluster.type].family, fate)
    if size.location != cluster.location:
        raise BadRequestError(f"the cluster is in {cluster.location}, the new size in {size.location}")
    if size.disk < cluster.disk:
        raise BadRequestError("a disk cannot become smaller")
    return size
