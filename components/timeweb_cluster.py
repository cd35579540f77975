"""A Timeweb cluster with its database, administrator and backup schedule: what shared and dedicated plans stand on."""

from dataclasses import dataclass

import pulumi

from catalogue.names import cluster_vendor_name, logical_name
from catalogue.placement import ClusterPlacement
from catalogue.plan import DatabasePlan, Size
from components.settings import Settings
from components.tenant_server import TenantServer
from dynamic_providers.marks import Mark
from dynamic_providers.timeweb.admin import Admin, AdminArgs
from dynamic_providers.timeweb.backup_schedule import BackupSchedule, BackupScheduleArgs
from dynamic_providers.timeweb.cluster import Cluster, ClusterArgs
from dynamic_providers.timeweb.database import Database, DatabaseArgs

DATABASE = "main"
ADMIN_LOGIN = "admin"
# What the administrator needs to make tenants' roles and schemas; it is no superuser and reads nobody's tables.
ADMIN_PRIVILEGES = ("CREATE", "CREATEDB", "CREATEROLE", "TEMPORARY")


@dataclass(frozen=True, kw_only=True)
class TimewebClusterArgs:
    """A placed cluster; `adopt` is one to take over instead, `protect` holds while tenants' data is on it."""

    name: str
    placement: ClusterPlacement
    plan: DatabasePlan
    settings: Settings
    protect: bool
    adopt: str | None = None


class TimewebCluster(pulumi.ComponentResource):
    """A cluster that tenants can be made on: `server`."""

    def __init__(self, args: TimewebClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        name, generation = args.name, args.placement.generation
        super().__init__("tenantry:timeweb:Cluster", f"{name}-{generation}", None, opts)
        self._args = args
        self._generation = generation
        cluster_name = logical_name(name, "cluster", generation)
        self.mark = str(Mark(args.settings.base_stack, cluster_name))
        self.cluster = Cluster(cluster_name, self._cluster_args(), self._child())
        inside = self._child(deleted_with=self.cluster)
        database = logical_name(name, "main", generation)
        self.database = Database(
            database,
            DatabaseArgs(cluster_id=self.cluster.id, name=DATABASE, mark=str(Mark(args.settings.base_stack, database))),
            inside,
        )
        admin = logical_name(name, "admin", generation)
        self.admin = Admin(
            admin,
            AdminArgs(
                cluster_id=self.cluster.id,
                login=ADMIN_LOGIN,
                privileges=list(ADMIN_PRIVILEGES),
                cluster_mark=self.mark,
                mark=str(Mark(args.settings.base_stack, admin)),
            ),
            self._child(deleted_with=self.cluster, depends_on=[self.database]),
        )
        backups = args.plan.backups
        if backups.keep:
            BackupSchedule(
                logical_name(name, "backups", generation),
                BackupScheduleArgs(
                    cluster_id=self.cluster.id, enabled=True, interval=backups.interval, copy_count=backups.keep
                ),
                inside,
            )
        self.server = TenantServer(
            id=self.cluster.id,
            host=self.cluster.host,
            port=self.cluster.port,
            database=DATABASE,
            admin_login=ADMIN_LOGIN,
            cluster_mark=self.mark,
            sslmode=args.settings.timeweb_sslmode,
            ready=[self.database, self.admin],
            deleted_with=self.cluster,
        )
        self.register_outputs({})

    def _child(
        self, *, deleted_with: pulumi.Resource | None = None, depends_on: list[pulumi.Resource] | None = None
    ) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, protect=self._args.protect, deleted_with=deleted_with, depends_on=depends_on
        )

    def _cluster_args(self) -> ClusterArgs:
        args = self._args
        recorded = args.placement.size
        size = Size.parse(recorded) if recorded else args.plan.size
        preset = args.placement.preset
        if size is None and preset is None:
            preset = args.settings.default_preset
        by_size = size if preset is None else None
        return ClusterArgs(
            name=cluster_vendor_name(args.name, self._generation),
            engine=f"{args.plan.engine}{args.placement.version}",
            preset_id=preset,
            cpu=by_size.cpu if by_size else None,
            ram_gb=by_size.ram_gb if by_size else None,
            disk_gb=by_size.disk_gb if by_size else None,
            location=args.placement.region,
            mark=self.mark,
            adopt=args.adopt,
        )
