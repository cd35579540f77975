"""Stored records as the document writes them: keys, units, and which value may be null."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.presets import (
    CPU_FREQUENCY,
    DATABASE_PRESETS,
    GB,
    STORAGE_PRESETS,
    DatabasePreset,
    StoragePreset,
)
from sandbox.simulators.timeweb.records import (
    Account,
    Admin,
    AutoBackups,
    Backup,
    Bucket,
    Cluster,
    Instance,
    StorageUser,
)
from sandbox.simulators.timeweb.state import State, timestamp

Json = dict[str, object]
KB_PER_MB = 1024
_USED_KB = 8192.5
_STORAGE_CONFIGURATOR_PRICE_PER_GB = 2
_LEGACY_LOCATIONS = frozenset({"ru-1", "ru-2", "pl-1", "kz-1"})
# The older document knows four states only.
_LEGACY_STATUS: Mapping[str, str] = {
    "started": "started",
    "starting": "starting",
    "rebooting": "starting",
    "turning_on": "starting",
    "transfer": "starting",
    "no_paid": "no_paid",
}


def cluster(state: State, record: Cluster) -> Json:
    """A cluster in the shape of `/api/v1/databases`; it has no address before it has started once."""
    address = state.servers.address(record.id) if record.status not in ("starting", "error") else None
    public = address is not None and record.public_network
    return {
        "id": record.id,
        "created_at": timestamp(record.created_at),
        "location": record.location,
        "name": record.name,
        "description": record.description,
        "networks": [_network(address.ip)] if address and public else [],
        "is_enabled_public_ipv6": record.public_ipv6,
        "type": record.type,
        "hash_type": record.hash_type,
        "avatar_link": None,
        "port": address.port if address else None,
        "status": record.status,
        "preset_id": record.preset_id,
        "configurator_id": record.configurator_id,
        "cpu": record.cpu,
        "cpu_frequency": CPU_FREQUENCY,
        "is_dedicated_cpu": False,
        "ram": record.ram,
        "disk": {"size": record.disk * KB_PER_MB, "used": _USED_KB},
        "has_additional_disk": False,
        "disk_autoscaling": {"is_enabled": False, "step_size": 5 * GB, "threshold_percent": 80}
        | (record.disk_autoscaling or {}),
        "config_parameters": record.config_parameters,
        "is_enabled_public_network": record.public_network,
        "is_secure_connection_enabled": record.secure_connection,
        "is_autobackups_enabled": record.auto_backups is not None,
        "is_backup_schedule_enabled": record.backup_schedule,
        "availability_zone": record.zone,
        "project_id": record.project_id,
        "replica_list": [],
        "domains": [{"fqdn": address.host, "cert_status": "issued"}] if address and public else [],
        "child_services": [],
        "parent_services": [],
        "maintenance_slot": {"type": "any_time"},
    }


def _network(ip: str) -> Json:
    return {"type": "public", "ips": [{"ip": ip, "type": "ipv_4"}]}


def legacy(state: State, record: Cluster) -> Json:
    """The same cluster in the older shape of `/api/v1/dbs`."""
    address = state.servers.address(record.id) if record.status not in ("starting", "error") else None
    first = clusters.admins_of(state, record.id)[:1]
    view: Json = {
        "id": record.id,
        "created_at": timestamp(record.created_at),
        "account_id": state.account.account_id,
        "login": first[0].login if first else "",
        "password": first[0].password if first else "",
        "name": record.name,
        "host": address.host if address else None,
        "type": record.type,
        "hash_type": record.hash_type,
        "port": address.port if address else 0,
        "ip": address.ip if address else None,
        "local_ip": None,
        "status": _LEGACY_STATUS.get(record.status, "stopped"),
        # The older document has no null here; a free configuration shows as preset 0.
        "preset_id": record.preset_id or 0,
        "disk_stats": {"size": record.disk * KB_PER_MB, "used": _USED_KB},
        "config_parameters": record.config_parameters,
        "is_only_local_ip_access": not record.public_network,
        "availability_zone": record.zone,
    }
    return view | ({"location": record.location} if record.location in _LEGACY_LOCATIONS else {})


def instance(record: Instance) -> Json:
    """A database of a cluster."""
    return {
        "id": record.id,
        "created_at": timestamp(record.created_at),
        "name": record.name,
        "description": record.description,
        "extensions": {"extension_list": list(record.extensions), "is_global": record.extensions_global},
        "owner_id": record.owner_id,
        "config_parameters": {},
    }


def admin(state: State, record: Admin) -> Json:
    """A user of a cluster, with its password as the document has it."""
    reach = [
        found.id for found in clusters.instances_of(state, record.cluster_id) if record.instance_id in (None, found.id)
    ]
    return {
        "id": record.id,
        "created_at": timestamp(record.created_at),
        "login": record.login,
        "password": record.password,
        "description": record.description,
        "host": record.host,
        "for_all": record.instance_id is None,
        "is_reset_password": False,
        "instances": [{"instance_id": found, "privileges": list(record.privileges)} for found in reach],
    }


def auto_backups(schedule: AutoBackups | None) -> Json:
    """A backup schedule; one that is off has no more to say."""
    return {"is_enabled": False} if schedule is None else {"is_enabled": True, **schedule.model_dump()}


def backup(record: Backup, now: float) -> Json:
    """A copy of a cluster, in bytes; `progress` counts up to 99 and is 0 again when it is done."""
    done = now >= record.done_at
    share = (now - record.created_at) / max(record.done_at - record.created_at, 1e-9)
    return {
        "id": record.id,
        "name": f"backup-{record.id}",
        "comment": record.comment,
        "created_at": timestamp(record.created_at),
        "status": "done" if done else "create",
        "size": record.size << 20 if done else 0,
        "type": "manual",
        "progress": 0 if done else int(99 * share),
    }


def database_preset(preset: DatabasePreset) -> Json:
    """A size for clusters, in MB."""
    return {
        "id": preset.id,
        "description": f"Managed {preset.family}",
        "description_short": f"{preset.cpu} CPU, {preset.ram // GB} GB RAM, {preset.disk // GB} GB disk",
        "cpu": preset.cpu,
        "cpu_frequency": CPU_FREQUENCY,
        "ram": preset.ram,
        "disk": preset.disk,
        "type": preset.family,
        "price": preset.price,
        "location": preset.location,
        "tags": [preset.tag],
    }


def storage_preset(preset: StoragePreset) -> Json:
    """A size for buckets, in MB."""
    return {
        "id": preset.id,
        "description": "Object storage",
        "description_short": f"{preset.disk // GB} GB {preset.storage_class}",
        "disk": preset.disk,
        "price": preset.price,
        "location": preset.location,
        "tags": [f"s3_{preset.location}_{preset.storage_class}"],
        "storage_class": preset.storage_class,
    }


def bucket(state: State, record: Bucket) -> Json:
    """A bucket; its keys are those of the account's own user. `full_name` is not in the document."""
    usage = state.storage.usage(record.full_name)
    account = state.account
    return {
        "id": record.id,
        "name": record.name,
        "full_name": record.full_name,
        "description": record.description,
        "disk_stats": {"size": record.disk * KB_PER_MB, "used": usage.bytes / 1024, "is_unlimited": False},
        "type": record.type,
        "preset_id": record.preset_id,
        "configurator_id": record.configurator_id,
        "avatar_link": None,
        "status": "created",
        "object_amount": usage.objects,
        "location": record.location,
        "hostname": state.storage.hostname,
        "access_key": account.access_key,
        "secret_key": account.secret_key,
        "moved_in_quarantine_at": None if record.quarantined_at is None else timestamp(record.quarantined_at),
        "storage_class": record.storage_class,
        "project_id": record.project_id,
        "rate_id": record.preset_id or record.configurator_id,
        "website_config": None,
        "is_allow_auto_upgrade": False,
    }


def signer(account: Account) -> Json:
    """The account's own storage user."""
    return {"id": account.id, "access_key": account.access_key, "secret_key": account.secret_key}


def storage_user(user: StorageUser, *, with_secret: bool = False) -> Json:
    """A scoped storage user. The secret key is only in the answer to its creation."""
    view: Json = {"id": user.uuid, "name": user.name, "access_key": user.access_key, "status": "active"}
    return view | ({"secret_key": user.secret_key} if with_secret else {})


def cluster_cost(record: Cluster) -> Json:
    """What a cluster costs in a month."""
    preset = DATABASE_PRESETS.get(record.preset_id or 0)
    price = preset.price if preset else 0
    size = {"cpu": record.cpu, "ram": record.ram, "disk": record.disk}
    return _cost("database", record.id, price, record.project_id, record.name) | {"configuration": size}


def bucket_cost(record: Bucket) -> Json:
    """What a bucket costs in a month."""
    preset = STORAGE_PRESETS.get(record.preset_id or 0)
    price = preset.price if preset else record.disk // GB * _STORAGE_CONFIGURATOR_PRICE_PER_GB
    return _cost("s3", record.id, price, record.project_id, record.name)


def _cost(kind: str, service_id: int, price: int, project_id: int, name: str) -> Json:
    return {
        "cost": price,
        "total_cost": price,
        "type": kind,
        "service_id": service_id,
        "project_id": project_id,
        "info": {"name": name},
    }


@dataclass(frozen=True)
class Costs:
    """Everything the account pays for, and the sum of it."""

    services: list[Json]
    monthly: int


def costs(state: State) -> Costs:
    """The price list of all that is ordered now."""
    services = [cluster_cost(record) for record in state.clusters.all()]
    services += [bucket_cost(record) for record in state.buckets.all()]
    return Costs(services, sum(int(str(service["cost"])) for service in services))
