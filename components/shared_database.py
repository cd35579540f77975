"""A tenant's database on a shared cluster: a schema, an owner and a login of its own among its neighbours'."""

import pulumi

from catalogue.names import logical_name
from components.tenant_schema import TenantDatabaseArgs, database_outputs, declare_schema
from components.timeweb_cluster import TimewebCluster


class SharedDatabase(pulumi.ComponentResource):
    """`details` is the `database` part of the tenant's outputs."""

    def __init__(
        self, args: TenantDatabaseArgs, cluster: TimewebCluster, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        name = logical_name(args.tenant.id, "database", args.placed.generation)
        super().__init__("tenantry:database:Shared", name, None, opts)
        made = declare_schema(args, cluster.server, self)
        self.details = database_outputs(args, cluster.server, made)
        self.register_outputs({})
