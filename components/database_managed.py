"""Databases on DigitalOcean's managed PostgreSQL: clusters that tenants share, each with a database to itself (B30).

Cluster, firewall and the admin's pool are the native plugin's. What is inside a cluster is ours, made as its admin:
the plugin's own database and user can be neither adopted nor given a password.
"""

from dataclasses import dataclass, replace

import pulumi
import pulumi_digitalocean as do

from catalogue.names import logical_name, managed_cluster_name
from catalogue.placement import ClusterPlacement
from catalogue.plan import DatabasePlan
from components.digitalocean import trusted_sources
from components.settings import Settings
from components.tenant_schema import TenantDatabaseArgs, database_outputs, declare_schema
from components.tenant_server import TenantServer
from dynamic_providers.marks import Mark, tag
from dynamic_providers.postgres.access import DIGITALOCEAN, DIGITALOCEAN_DATABASE
from dynamic_providers.postgres.tenant_database import TenantDatabase
from dynamic_providers.postgres.tenant_database import TenantDatabaseArgs as DatabaseArgs

ADMIN_LOGIN = "doadmin"
NODES = 1
SSLMODE = "verify-full"
POOL = "admin"
LARGEST_POOL = 20


@dataclass(frozen=True, kw_only=True)
class ManagedClusterArgs:
    """A placed cluster; `protect` holds while tenants' data is on it."""

    name: str
    placement: ClusterPlacement
    plan: DatabasePlan
    settings: Settings
    provider: do.Provider
    protect: bool


class ManagedCluster(pulumi.ComponentResource):
    """A cluster that takes connections from the trusted sources only; `server` is what tenants are made on."""

    def __init__(self, args: ManagedClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        name, generation = args.name, args.placement.generation
        super().__init__("tenantry:digitalocean:Cluster", f"{name}-{generation}", None, opts)
        own = pulumi.ResourceOptions(parent=self, provider=args.provider, protect=args.protect)
        cluster = logical_name(name, "cluster", generation)
        mark = Mark(args.settings.base_stack, cluster)
        self._cluster = do.DatabaseCluster(
            cluster,
            name=managed_cluster_name(args.settings.prefix, name, generation),
            engine="pg",
            version=str(args.placement.version),
            size=str(args.plan.node_size),
            region=args.placement.region,
            node_count=NODES,
            tags=[tag(mark)],
            opts=own,
        )
        inside = pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(deleted_with=self._cluster))
        firewall = do.DatabaseFirewall(
            logical_name(name, "firewall", generation),
            cluster_id=self._cluster.id,
            rules=trusted_sources(args.settings),
            opts=inside,
        )
        do.DatabaseConnectionPool(
            logical_name(name, "pool", generation),
            cluster_id=self._cluster.id,
            name=POOL,
            mode="transaction",
            # Out of what is kept for us, so that no tenant's connection is taken.
            size=max(1, min(LARGEST_POOL, args.plan.connections.reserve)),
            db_name=DIGITALOCEAN_DATABASE,
            user=ADMIN_LOGIN,
            # It holds nothing, and the plugin makes it anew when it changes, which it may not where it is protected.
            opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(protect=False)),
        )
        self.server = TenantServer(
            id=self._cluster.id,
            host=self._cluster.host,
            port=self._cluster.port,
            database=DIGITALOCEAN_DATABASE,
            admin_login=ADMIN_LOGIN,
            cluster_mark=str(mark),
            sslmode=SSLMODE,
            ready=[self._cluster, firewall],
            deleted_with=self._cluster,
            access=DIGITALOCEAN,
            server_id=self._cluster.id,
        )
        self.register_outputs({})


class ManagedDatabase(pulumi.ComponentResource):
    """`details` is the `database` part of the tenant's outputs."""

    def __init__(
        self, args: TenantDatabaseArgs, cluster: ManagedCluster, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = logical_name(args.tenant.id, "database", args.placed.generation)
        super().__init__("tenantry:database:Managed", name, None, opts)
        made = self._database(args, cluster.server)
        server = replace(cluster.server, database=args.names.database, ca=made.ca, ready=[made])
        schema = declare_schema(args, server, self)
        self.details = database_outputs(args, server, schema)
        self.register_outputs({})

    def _database(self, args: TenantDatabaseArgs, server: TenantServer) -> TenantDatabase:
        name = logical_name(args.tenant.id, "own-database", args.placed.generation)
        return TenantDatabase(
            name,
            DatabaseArgs(
                host=server.host,
                port=server.port,
                database=server.database,
                admin_login=server.admin_login,
                cluster_mark=server.cluster_mark,
                access=server.access,
                server_id=server.server_id,
                name=args.names.database,
                mark=str(Mark(args.settings.base_stack, name)),
            ),
            pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=server.ready, deleted_with=server.deleted_with
            ),
        )
