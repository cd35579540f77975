"""PgBouncer's files for the shared clusters of pooled plans, as text: a configuration and a user list for each.

A cluster's tenants log in to one database of its pooler, each with the verifier that the server has too, so that no
password is in a file. PgBouncer keeps a pool for each pair of database and user: nobody reaches another's pool without
the other's password, and `max_db_connections` is the total of all of them (ADR 0013).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from catalogue.load import Fleet
from catalogue.placement import Placements
from catalogue.plan import DatabasePlan, Plans
from components.outputs import DatabaseOutput, TenantOutputs
from components.pooler import PoolerSettings
from dynamic_providers.postgres.verifier import scram_verifier
from lifecycle.errors import MistakeError

HEADER = "; Written by `tenantry pooler render`, which overwrites what is edited here.\n"
CONFIGURATION, USERS = "pgbouncer.ini", "userlist.txt"
# What has a pool: a blocked tenant is refused at the door.
SERVED = frozenset({"active", "trial"})
PREPARED_SINCE, CLIENT_LIMIT_SINCE = (1, 21), (1, 24)
PREPARED_STATEMENTS = 200
# Client connections cost the pooler only memory: each tenant may wait with many more than its pool.
CLIENTS_PER_CONNECTION, LEAST_CLIENTS = 10, 50
# A pool of one whose connection was just given away may find the server still counting it: ask again soon.
LOGIN_RETRY_SECONDS = "0.5"
QUEUE_SECONDS = 30
"""How long a client of a full pool, or of a tenant who has just been blocked, waits for an answer."""


class PoolerError(MistakeError):
    """The files cannot be rendered or written where they should be; one sentence for the user."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What the fleet does not know of its poolers.

    `folder` is where the files will lie on the poolers' host, `listen` the addresses to listen on; on PgBouncer's own
    `version` depends which settings it knows.
    """

    settings: PoolerSettings
    folder: Path
    listen: str = "*"
    version: tuple[int, int] = PREPARED_SINCE


@dataclass(frozen=True)
class ClusterFiles:
    """The files of one cluster's pooler, as texts, and how many `tenants` it serves."""

    cluster: str
    port: int
    tenants: int
    configuration: str
    users: str


def pooled_clusters(placements: Placements, plans: Plans) -> list[str]:
    """The clusters that have a pooler: those of pooled plans that serve somebody."""
    served = {tenant.database.cluster for tenant in placements.tenants.values() if tenant.database}
    pooled = {name for name, plan in plans.database.items() if plan.pooled}
    return [name for name, held in sorted(placements.clusters.items()) if held.plan in pooled and name in served]


def render(fleet: Fleet, tenants: Mapping[str, TenantOutputs], deployment: Deployment) -> list[ClusterFiles]:
    """The files of every cluster that has a pooler and is known to `tenants`, the outputs with secrets shown.

    The same fleet gives the same bytes. Raises `PoolerError` where the outputs do not fit the catalogue.
    """
    return [
        _cluster_files(fleet, name, members, deployment)
        for name in pooled_clusters(fleet.placements, fleet.plans)
        if (members := _members(name, tenants))
    ]


def _members(cluster: str, tenants: Mapping[str, TenantOutputs]) -> list[TenantOutputs]:
    return [tenant for _, tenant in sorted(tenants.items()) if tenant.database and tenant.database.cluster == cluster]


def _cluster_files(fleet: Fleet, name: str, members: list[TenantOutputs], deployment: Deployment) -> ClusterFiles:
    placement = fleet.placements.clusters[name]
    plan = fleet.plans.database[placement.plan]
    if placement.pooler is None:
        raise PoolerError(f"cluster {name} has no number of a pooler in placements.yaml: run `tenantry place`")
    try:
        port = deployment.settings.port(placement.pooler)
    except ValueError as error:
        raise PoolerError(f"cluster {name}: {error}") from error
    databases = [tenant.database for tenant in members if tenant.database]
    served = [tenant.database for tenant in members if tenant.database and tenant.state in SERVED]
    if len({(each.host, each.port, each.database) for each in databases}) > 1:
        raise PoolerError(f"the outputs place cluster {name} at several addresses: run `tenantry up` first")
    if behind := [each.login for each in served if each.connection_limit != plan.connection_limit]:
        raise PoolerError(f"{behind[0]} on cluster {name} does not have the limit of its plan yet: run `tenantry up`")
    return ClusterFiles(
        cluster=name,
        port=port,
        tenants=len(served),
        configuration=_configuration(name, port, plan, databases[0], deployment),
        users="".join(f'"{each.login}" "{scram_verifier(each.login, each.password)}"\n' for each in served),
    )


def _configuration(name: str, port: int, plan: DatabasePlan, at: DatabaseOutput, deployment: Deployment) -> str:
    server_tls = str(conninfo_to_dict(at.direct_url).get("sslmode", "require"))
    settings = {
        "listen_addr": deployment.listen,
        "listen_port": port,
        "pool_mode": "transaction",
        # Each tenant's pool, which is its role's limit too, and all pools together.
        "default_pool_size": plan.connection_limit,
        "max_db_connections": plan.connections.budget,
        **_clients(plan, deployment.version),
        **({"max_prepared_statements": PREPARED_STATEMENTS} if deployment.version >= PREPARED_SINCE else {}),
        "server_login_retry": LOGIN_RETRY_SECONDS,
        "query_wait_timeout": QUEUE_SECONDS,
        # The login role has its search_path on the server; what a client asks for at its start, a pool cannot carry.
        "ignore_startup_parameters": "options,search_path,extra_float_digits",
        "auth_type": "scram-sha-256",
        "auth_file": deployment.folder / name / USERS,
        "server_tls_sslmode": server_tls,
        **({"server_tls_ca_file": deployment.folder / "server-ca.crt"} if server_tls.startswith("verify") else {}),
        **_client_tls(deployment),
        "log_connections": 0,
        "log_disconnections": 0,
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    # PgBouncer takes the first address of a name and tries no other: for this machine's that may be the one of IPv6.
    host = "127.0.0.1" if at.host == "localhost" else at.host
    database = f"{at.database} = host={host} port={at.port} dbname={at.database}"
    return HEADER + "\n".join(["[databases]", database, "", "[pgbouncer]", *lines, ""])


def _clients(plan: DatabasePlan, version: tuple[int, int]) -> dict[str, int]:
    each = max(LEAST_CLIENTS, CLIENTS_PER_CONNECTION * plan.connection_limit)
    limit = {"max_user_client_connections": each} if version >= CLIENT_LIMIT_SINCE else {}
    return {"max_client_conn": each * plan.tenants_per_cluster, **limit}


def _client_tls(deployment: Deployment) -> dict[str, object]:
    if deployment.settings.sslmode == "disable":
        return {"client_tls_sslmode": "disable"}
    key, certificate = deployment.folder / "tls.key", deployment.folder / "tls.crt"
    return {"client_tls_sslmode": "require", "client_tls_key_file": key, "client_tls_cert_file": certificate}
