"""Stored records as the document writes them."""

import base64
from urllib.parse import quote

from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.offers import DEFAULT_VERSION, ENGINE, LAYOUTS, REGIONS, VERSIONS, Version
from sandbox.simulators.digitalocean.records import ADMIN, FIRST_DATABASE, Cluster, Db, Pool, Rule, Tag, User
from sandbox.simulators.digitalocean.state import State, timestamp
from sandbox.simulators.servers import Address

Json = dict[str, object]
_DAY_SECONDS = 86400
_BACKUPS_KEPT = 7


def cluster(state: State, record: Cluster) -> Json:
    """A cluster; its addresses are known before it is online."""
    connection = _connection(state.servers.place(record.id), FIRST_DATABASE, _admin(state, record))
    return {
        "id": record.uuid,
        "name": record.name,
        "engine": ENGINE,
        "version": record.version,
        "semantic_version": VERSIONS[record.version].semantic,
        "num_nodes": record.num_nodes,
        "size": record.size,
        "region": record.region,
        "status": record.status,
        "created_at": timestamp(record.created_at),
        "private_network_uuid": record.network,
        "tags": list(record.tags),
        "db_names": [db.name for db in clusters.dbs_of(state, record)],
        "users": [user(each) for each in clusters.users_of(state, record)],
        "connection": connection,
        "private_connection": connection,
        "maintenance_window": {
            "day": record.window_day,
            "hour": record.window_hour,
            "pending": False,
            "description": [],
        },
        "project_id": record.project,
        "rules": [rule(record, each) for each in record.rules],
        "version_end_of_life": timestamp(VERSIONS[record.version].end_of_life.timestamp()),
        "version_end_of_availability": timestamp(VERSIONS[record.version].end_of_availability.timestamp()),
        "storage_size_mib": record.storage,
    }


def _admin(state: State, record: Cluster) -> User:
    return next(each for each in clusters.ordered_users(state, record.uuid) if each.name == ADMIN)


def _connection(address: Address | None, database: str, login: User | None) -> Json:
    host, port = (address.host, address.port) if address else ("", 0)
    name, password = (login.name, login.password) if login else ("", "")
    who = f"{quote(name, safe='')}:{quote(password, safe='')}"
    return {
        "uri": f"postgres://{who}@{host}:{port}/{quote(database, safe='')}?sslmode=require",
        "database": database,
        "host": host,
        "port": port,
        "user": name,
        "password": password,
        "ssl": True,
    }


def certificate(state: State) -> Json:
    """The certificate of the CA that signed the servers', in base64 over its PEM text."""
    return {"certificate": base64.b64encode(state.certificate.encode()).decode()}


def db(record: Db) -> Json:
    """A database of a cluster."""
    return {"name": record.name}


def user(record: User) -> Json:
    """A login of a cluster with its password."""
    return {
        "name": record.name,
        "role": "primary" if record.name == ADMIN else "normal",
        "password": record.password,
    }


def pool(state: State, record: Pool) -> Json:
    """A pool; a client connects to it as if it were a database."""
    whose = clusters.stored(state, record.cluster_uuid)
    login = next((each for each in clusters.users_of(state, whose) if each.name == record.user), None)
    connection = _connection(state.servers.pool_place(whose.id), record.name, login)
    return {
        "name": record.name,
        "mode": record.mode,
        "size": record.size,
        "db": record.db,
        "user": record.user or "",
        "connection": connection,
        "private_connection": connection,
    }


def rule(whose: Cluster, record: Rule) -> Json:
    """A trusted source of a cluster."""
    view: Json = {
        "uuid": record.uuid,
        "cluster_uuid": whose.uuid,
        "type": record.type,
        "value": record.value,
        "created_at": timestamp(record.created_at),
    }
    return view | ({"description": record.description} if record.description else {})


def backups(state: State, record: Cluster) -> Json:
    """One copy a day since the cluster was made, the last seven; they hold nothing."""
    days = int((state.clock() - record.created_at) // _DAY_SECONDS)
    made = [record.created_at + day * _DAY_SECONDS for day in range(max(days - _BACKUPS_KEPT, 0) + 1, days + 1)]
    minutes = int(record.created_at % _DAY_SECONDS // 60)
    return {
        "backups": [{"created_at": timestamp(each), "size_gigabytes": 0.03, "incremental": False} for each in made],
        "scheduled_backup_time": {
            "backup_hour": minutes // 60,
            "backup_minute": minutes % 60,
            "backup_interval_hours": 24,
        },
    }


def tag(state: State, record: Tag) -> Json:
    """A tag, and how much carries it."""
    carried = {"count": len(clusters.listed(state, record.name))}
    nothing = {kind: {"count": 0} for kind in ("droplets", "images", "volumes", "volume_snapshots")}
    return {"name": record.name, "resources": {**carried, **nothing, "databases": carried}}


def options(now: float) -> Json:
    """What may be ordered at this moment."""
    offered = [version.name for version in VERSIONS.values() if now < version.end_of_availability.timestamp()]
    return {
        "options": {
            ENGINE: {
                "regions": list(REGIONS),
                "versions": offered,
                "layouts": [{"num_nodes": nodes, "sizes": list(sizes)} for nodes, sizes in LAYOUTS.items()],
                "default_version": DEFAULT_VERSION,
            }
        },
        "version_availability": {ENGINE: [_availability(version) for version in VERSIONS.values()]},
    }


def _availability(version: Version) -> Json:
    return {
        "version": version.name,
        "end_of_life": timestamp(version.end_of_life.timestamp()),
        "end_of_availability": timestamp(version.end_of_availability.timestamp()),
        "default": version.name == DEFAULT_VERSION,
    }
