"""A tenant's database on a cluster that serves it alone."""

import pulumi

from catalogue.names import dedicated_cluster_name, logical_name
from catalogue.placement import ClusterPlacement
from components.tenant_schema import TenantDatabaseArgs, database_outputs, declare_schema
from components.timeweb_cluster import TimewebCluster, TimewebClusterArgs


class DedicatedDatabase(pulumi.ComponentResource):
    """`details` is the `database` part of the tenant's outputs."""

    def __init__(
        self, args: TenantDatabaseArgs, placement: ClusterPlacement, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = logical_name(args.tenant.id, "database", args.placed.generation)
        super().__init__("tenantry:database:Dedicated", name, None, opts)
        cluster = TimewebCluster(
            TimewebClusterArgs(
                name=dedicated_cluster_name(args.tenant.id),
                placement=placement,
                plan=args.plan,
                settings=args.settings,
                protect=args.protect,
                adopt=args.adopt,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        made = declare_schema(args, cluster.server, self)
        self.details = database_outputs(args, cluster.server, made)
        self.register_outputs({})
