"""Records as the document shows them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.simulators.neon import connections, consumption, endpoints, operations
from sandbox.simulators.neon.records import (
    RECOVERY_SECONDS,
    Branch,
    BranchDatabase,
    Compute,
    Endpoint,
    Operation,
    Project,
    Role,
)
from sandbox.simulators.neon.state import State, timestamp

Json = Mapping[str, Any]

_PROXY = "localhost"
_OWNER_ID = "sandbox"
_SOURCE = "api"
_LARGEST_BRANCH_MIB = 16384


def project(state: State, record: Project) -> Json:
    """A project as `GET /projects/{id}` shows it."""
    begin, end = _period(state.clock())
    active = consumption.active_seconds(state, record, begin, state.clock())
    return {
        **_project(record),
        "history_retention_seconds": record.history_seconds,
        "data_storage_bytes_hour": 0,
        "data_transfer_bytes": 0,
        "written_data_bytes": 0,
        "compute_time_seconds": round(consumption.compute_unit_seconds(state, record, begin, state.clock())),
        "active_time_seconds": round(active),
        "cpu_used_sec": round(active),
        "consumption_period_start": timestamp(begin),
        "consumption_period_end": timestamp(end),
    }


def listed_project(state: State, record: Project) -> Json:
    """A project in a list."""
    begin, _ = _period(state.clock())
    active = round(consumption.active_seconds(state, record, begin, state.clock()))
    shown = {**_project(record), "active_time": active, "cpu_used_sec": active}
    if record.deleted_at is not None:
        shown["deleted_at"] = timestamp(record.deleted_at)
        shown["recoverable_until"] = timestamp(record.deleted_at + RECOVERY_SECONDS)
    return shown


def branch(state: State, record: Branch) -> Json:
    """A branch."""
    begins = any(
        each.branch_id == record.id and each.action in ("create_branch", "create_timeline")
        for each in operations.unfinished(state, record.project_id)
    )
    shown: dict[str, Any] = {
        "id": record.key,
        "project_id": _key_of_project(state, record.project_id),
        "name": record.name,
        "current_state": "init" if begins else "ready",
        "state_changed_at": timestamp(record.created_at),
        "creation_source": _SOURCE,
        "default": record.default,
        "protected": record.protected,
        "cpu_used_sec": 0,
        "compute_time_seconds": 0,
        "active_time_seconds": 0,
        "written_data_bytes": 0,
        "data_transfer_bytes": 0,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
        "init_source": "parent-data",
    }
    parent = state.branches.find(record.parent_id) if record.parent_id else None
    if parent is not None:
        shown |= {"parent_id": parent.key, "parent_timestamp": timestamp(record.created_at)}
    if record.expires_at is not None:
        shown |= {"expires_at": timestamp(record.expires_at), "ttl_interval_seconds": record.ttl_seconds}
    if record.deleted_at is not None:
        shown["recovery"] = {
            "deleted_at": timestamp(record.deleted_at),
            "recoverable_until": timestamp(record.deleted_at + RECOVERY_SECONDS),
            "deletion_method": record.deleted_by,
        }
    return shown


def annotation(record: Branch) -> Json:
    """What the customer noted at a branch."""
    return {"object": {"type": "console/branch", "id": record.key}, "value": dict(record.annotation)}


def endpoint(state: State, record: Endpoint) -> Json:
    """A compute. Its host has no port: that is in the connection string alone."""
    starts = any(
        each.endpoint_id == record.id and each.action == "start_compute"
        for each in operations.unfinished(state, record.project_id)
    )
    owner = state.projects.find(record.project_id)
    branch = state.branches.find(record.branch_id)
    last = record.runs[-1]
    shown: dict[str, Any] = {
        "host": connections.host(state.servers.place(record.branch_id), pooled=False),
        "id": record.key,
        "project_id": owner.key if owner else "",
        "branch_id": branch.key if branch else "",
        **_compute(record.compute),
        "region_id": owner.region_id if owner else "",
        "type": record.type,
        "current_state": _endpoint_state(state, record, starts=starts),
        "settings": {"pg_settings": {}, **record.settings},
        "pooler_enabled": False,
        "pooler_mode": "transaction",
        "disabled": record.disabled,
        "passwordless_access": True,
        "creation_source": _SOURCE,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
        "started_at": timestamp(last.begin),
        "last_active": timestamp(endpoints.run_end(record, last, state.clock())),
        "proxy_host": _PROXY,
        "provisioner": record.provisioner,
    }
    if starts:
        shown["pending_state"] = "active"
    if record.name is not None:
        shown["name"] = record.name
    if last.end is not None:
        shown["suspended_at"] = timestamp(last.end)
    return shown


def database(state: State, record: BranchDatabase) -> Json:
    """A database of a branch."""
    return {
        "id": record.id,
        "branch_id": _key_of_branch(state, record.branch_id),
        "name": record.name,
        "owner_name": record.owner_name,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }


def role(state: State, record: Role, *, with_password: bool = False) -> Json:
    """A role of a branch; its password only where it was just made."""
    shown = {
        "branch_id": _key_of_branch(state, record.branch_id),
        "name": record.name,
        "protected": False,
        "authentication_method": "no_login" if record.password is None else "password",
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }
    return shown | {"password": record.password} if with_password and record.password is not None else shown


def operation(state: State, record: Operation) -> Json:
    """An operation as it is at this moment."""
    now = state.clock()
    until = now if record.ended is None or record.done_at is None else min(now, record.done_at)
    # A branch or a compute that is gone by now is not named any more.
    branch = state.branches.find(record.branch_id or 0)
    compute = state.endpoints.find(record.endpoint_id or 0)
    shown = {
        "id": record.key,
        "project_id": _key_of_project(state, record.project_id),
        **({"branch_id": branch.key} if branch else {}),
        **({"endpoint_id": compute.key} if compute else {}),
        "action": record.action,
        "status": operations.status(state, record),
        "failures_count": int(record.ended == "failed"),
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(max(record.created_at, until)),
        "total_duration_ms": max(0, round((until - record.runs_at) * 1000)),
    }
    return shown | {"error": record.error} if record.error else shown


def operations_of(state: State, records: Iterable[Operation]) -> list[Json]:
    """The operations that a change has made."""
    return [operation(state, each) for each in records]


def connection(state: State, compute: Endpoint, of_database: BranchDatabase, of_role: Role) -> Json:
    """How to connect, as a new project or branch tells it."""
    place = state.servers.place(compute.branch_id)
    return {
        "connection_uri": connections.uri(state, compute, of_database, of_role, pooled=False),
        "connection_parameters": {
            "database": of_database.name,
            "password": of_role.password or "",
            "role": of_role.name,
            "host": connections.host(place, pooled=False),
            "pooler_host": connections.host(place, pooled=True),
        },
    }


def _project(record: Project) -> dict[str, Any]:
    return {
        "id": record.key,
        "platform_id": record.region_id.partition("-")[0],
        "region_id": record.region_id,
        "name": record.name,
        "provisioner": record.provisioner,
        "default_endpoint_settings": _compute(record.compute),
        "settings": {**record.settings, "quota": record.quota.model_dump(exclude_none=True)},
        "pg_version": record.pg_version,
        "proxy_host": _PROXY,
        "branch_logical_size_limit": _LARGEST_BRANCH_MIB,
        "branch_logical_size_limit_bytes": _LARGEST_BRANCH_MIB * 1024**2,
        "store_passwords": record.store_passwords,
        "creation_source": _SOURCE,
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
        "owner_id": _OWNER_ID,
        "org_id": record.org_id,
    }


def _compute(size: Compute) -> dict[str, Any]:
    return {
        "autoscaling_limit_min_cu": size.min_cu,
        "autoscaling_limit_max_cu": size.max_cu,
        "suspend_timeout_seconds": size.suspend_seconds,
    }


def _endpoint_state(state: State, record: Endpoint, *, starts: bool) -> str:
    if starts:
        return "init" if len(record.runs) == 1 else "idle"
    return "idle" if endpoints.is_idle(state, record) else "active"


def _period(now: float) -> tuple[float, float]:
    """The vendor's billing period: the calendar month in UTC."""
    begin = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month = begin.month % 12 + 1
    return begin.timestamp(), begin.replace(year=begin.year + (month == 1), month=month).timestamp()


def _key_of_project(state: State, number: int) -> str:
    found = state.projects.find(number)
    return found.key if found else ""


def _key_of_branch(state: State, number: int) -> str:
    found = state.branches.find(number)
    return found.key if found else ""
