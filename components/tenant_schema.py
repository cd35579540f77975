"""What all kinds of database have in common: the tenant's schema, what is set up in it, and what its outputs say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pulumi

from billing.money import Money
from catalogue.names import MAIN_BRANCH, database_names, logical_name, login_name, owner_name
from catalogue.placement import Placed
from catalogue.plan import DatabasePlan
from catalogue.tenant import Tenant
from components.pooler import PoolerAddress
from components.settings import Settings
from components.timeweb_cluster import ADMIN_LOGIN, DATABASE, TimewebCluster
from dynamic_providers.marks import Mark
from dynamic_providers.postgres.tenant_schema import TenantSchema, TenantSchemaArgs
from dynamic_providers.postgres.tenant_setup import TenantSetup, TenantSetupArgs
from dynamic_providers.postgres.urls import database_url


@dataclass(frozen=True, kw_only=True)
class TenantDatabaseArgs:
    """One generation of a tenant's database section; `cost` is the tenant's share of its cluster a month.

    `password` is for the login of a generation that is made beside another one, whose password stays the tenant's.
    `pooler` is where the tenant is sent; None sends it to the cluster itself. `serves` says that it is this generation
    that serves: migrations and access roles are for no other, since a move brings the tables along with their ledger.
    """

    tenant: Tenant
    plan: DatabasePlan
    placed: Placed
    settings: Settings
    today: date
    cost: Money | None
    blocked: bool
    protect: bool
    serves: bool
    password: pulumi.Input[str] | None = None
    pooler: PoolerAddress | None = None

    @property
    def adopt(self) -> str | None:
        """What is taken over is so once, by the first generation."""
        return self.tenant.database.adopt if self.tenant.database and self.placed.generation == 1 else None


def declare_schema(
    args: TenantDatabaseArgs, schema: str, cluster: TimewebCluster, parent: pulumi.Resource
) -> TenantSchema:
    """The tenant's schema, owner and login on `cluster`."""
    name = logical_name(args.tenant.id, "schema", args.placed.generation)
    return declare_place(
        args,
        TenantSchemaArgs(
            host=cluster.host,
            port=cluster.port,
            database=DATABASE,
            admin_login=ADMIN_LOGIN,
            cluster_mark=cluster.mark,
            schema=schema,
            owner=owner_name(args.tenant.id),
            login=login_name(args.tenant.id),
            connection_limit=args.plan.connection_limit,
            statement_timeout_ms=args.plan.statement_timeout_seconds * 1000,
            extensions=list(args.plan.extensions),
            blocked=args.blocked,
            given_password=args.password,
            mark=str(Mark(args.settings.base_stack, name)),
        ),
        pulumi.ResourceOptions(
            parent=parent,
            protect=args.protect,
            depends_on=cluster.ready,
            deleted_with=cluster.cluster,
        ),
    )


def declare_place(args: TenantDatabaseArgs, schema: TenantSchemaArgs, options: pulumi.ResourceOptions) -> TenantSchema:
    """A tenant's place on any server, and where it serves, what is set up there."""
    made = TenantSchema(logical_name(args.tenant.id, "schema", args.placed.generation), schema, options)
    if args.serves:
        _declare_setup(
            args,
            schema,
            pulumi.ResourceOptions(parent=options.parent, depends_on=made, deleted_with=options.deleted_with),
        )
    return made


def _declare_setup(args: TenantDatabaseArgs, schema: TenantSchemaArgs, options: pulumi.ResourceOptions) -> None:
    name = logical_name(args.tenant.id, "setup", args.placed.generation)
    TenantSetup(
        name,
        TenantSetupArgs(
            host=schema.host,
            port=schema.port,
            database=schema.database,
            admin_login=schema.admin_login,
            cluster_mark=schema.cluster_mark,
            access=schema.access,
            server_id=schema.server_id,
            schema=schema.schema,
            owner=schema.owner,
            login=schema.login,
            base=database_names(args.placed.provider, args.plan.mode, args.tenant.id).base,
            blocked=schema.blocked,
            mark=str(Mark(args.settings.base_stack, name)),
        ),
        options,
    )


def database_outputs(
    args: TenantDatabaseArgs, schema: str, cluster: TimewebCluster, made: TenantSchema
) -> dict[str, Any]:
    """The `database` part of the tenant's outputs: plain, but for each credential, a secret of its own."""
    login = login_name(args.tenant.id)

    def url(host: pulumi.Input[str], port: pulumi.Input[int], sslmode: str) -> pulumi.Output[str]:
        return pulumi.Output.all(host=host, port=port, password=made.password).apply(
            lambda known: database_url(
                login=login,
                password=known["password"],
                host=known["host"],
                port=int(known["port"]),
                database=DATABASE,
                schema=schema,
                sslmode=sslmode,
            )
        )

    direct = url(cluster.host, cluster.port, args.settings.timeweb_sslmode)
    pooler = args.pooler
    return {
        "plan": args.plan.name,
        "provider": args.placed.provider,
        "status": "suspended" if args.blocked else "active",
        "branch": MAIN_BRANCH,
        "features": features_output(args.plan),
        "mode": args.plan.mode,
        "region": args.placed.region,
        "cluster": args.placed.cluster,
        "clusterId": cluster.cluster_id,
        "host": cluster.host,
        "port": cluster.port.apply(int),
        "database": DATABASE,
        "schema": schema,
        "login": login,
        "connectionLimit": args.plan.connection_limit,
        "backups": _backups(args.plan),
        "monthlyCost": money_output(args.cost),
        "password": made.password,
        "databaseUrl": url(pooler.host, pooler.port, pooler.sslmode) if pooler else direct,
        "directUrl": direct,
        "sslmode": args.settings.timeweb_sslmode,
    }


def features_output(plan: DatabasePlan) -> Mapping[str, bool]:
    """What the platform offers on the plan."""
    return {
        "realTime": plan.features.real_time,
        "branches": plan.features.branches,
        "apiGeneration": plan.features.api_generation,
    }


def _backups(plan: DatabasePlan) -> Mapping[str, Any]:
    if not plan.backups.keep:
        return {"interval": "none", "copies": 0, "note": "this plan has no backups: they are the tenant's own duty"}
    # Never called point-in-time: each dump tells the recovery point that was measured.
    note = "beside these a dump of the tenant alone every hour" if plan.backups.point_in_time else ""
    return {"interval": plan.backups.interval, "copies": plan.backups.keep, "note": note}


def money_output(money: Money | None) -> Mapping[str, str] | None:
    """`{"amount": "6.38", "currency": "RUB"}`: decimal text, so that no reader meets a binary float."""
    return None if money is None else {"amount": str(money.amount), "currency": money.currency}
