"""What all kinds of database have in common: the tenant's schema, what is set up in it, and what its outputs say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pulumi

from billing.money import Money
from catalogue.names import MAIN_BRANCH, DatabaseNames, database_names, logical_name
from catalogue.placement import Placed
from catalogue.plan import DatabasePlan
from catalogue.tenant import Tenant
from components.pooler import PoolerAddress
from components.settings import Settings
from components.tenant_server import TenantServer
from dynamic_providers.marks import Mark
from dynamic_providers.postgres.tenant_schema import TenantSchema, TenantSchemaArgs
from dynamic_providers.postgres.tenant_setup import TenantSetup, TenantSetupArgs
from dynamic_providers.postgres.urls import database_url

# What the outputs of a plan without backups say of them.
NO_BACKUPS: Mapping[str, str] = {
    "timeweb": "this plan has no backups: they are the tenant's own duty",
    "neon": "the provider keeps a history of its own; a copy of one tenant is the tenant's own duty",
    "digitalocean": "the provider copies the whole cluster every day; a copy of one tenant is the tenant's own duty",
}


@dataclass(frozen=True, kw_only=True)
class TenantDatabaseArgs:
    """One generation of a tenant's database section; `cost` is the tenant's share of its server a month.

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

    @property
    def names(self) -> DatabaseNames:
        """What the tenant's things on the server are called."""
        return database_names(self.placed.provider, self.placed.mode, self.tenant.id)


def declare_schema(args: TenantDatabaseArgs, server: TenantServer, parent: pulumi.Resource) -> TenantSchema:
    """The tenant's schema, owner and login on `server`."""
    name = logical_name(args.tenant.id, "schema", args.placed.generation)
    return declare_place(
        args,
        TenantSchemaArgs(
            host=server.host,
            port=server.port,
            database=server.database,
            admin_login=server.admin_login,
            cluster_mark=server.cluster_mark,
            access=server.access,
            server_id=server.server_id,
            schema=args.names.schema,
            owner=args.names.owner,
            login=args.names.login,
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
            depends_on=server.ready,
            deleted_with=server.deleted_with,
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
            base=args.names.base,
            blocked=schema.blocked,
            mark=str(Mark(args.settings.base_stack, name)),
        ),
        options,
    )


def database_outputs(args: TenantDatabaseArgs, server: TenantServer, made: TenantSchema) -> dict[str, Any]:
    """The `database` part of the tenant's outputs: plain, but for each credential, a secret of its own."""
    names = args.names

    def url(host: pulumi.Input[str], port: pulumi.Input[int], sslmode: str) -> pulumi.Output[str]:
        return pulumi.Output.all(host=host, port=port, password=made.password).apply(
            lambda known: database_url(
                login=names.login,
                password=known["password"],
                host=known["host"],
                port=int(known["port"]),
                database=server.database,
                schema=names.schema,
                sslmode=sslmode,
            )
        )

    direct = url(server.host, server.port, server.sslmode)
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
        "clusterId": server.id,
        "host": server.host,
        "port": pulumi.Output.from_input(server.port).apply(int),
        "database": server.database,
        "schema": names.schema,
        "login": names.login,
        "connectionLimit": args.plan.connection_limit,
        "backups": _backups(args.plan),
        "monthlyCost": money_output(args.cost),
        "password": made.password,
        "databaseUrl": url(pooler.host, pooler.port, pooler.sslmode) if pooler else direct,
        "directUrl": direct,
        "sslmode": server.sslmode,
        **({} if server.ca is None else {"ca": server.ca}),
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
        return {"interval": "none", "copies": 0, "note": NO_BACKUPS.get(plan.provider, NO_BACKUPS["timeweb"])}
    # Never called point-in-time: each dump tells the recovery point that was measured.
    note = "beside these a dump of the tenant alone every hour" if plan.backups.point_in_time else ""
    return {"interval": plan.backups.interval, "copies": plan.backups.keep, "note": note}


def money_output(money: Money | None) -> Mapping[str, str] | None:
    """`{"amount": "6.38", "currency": "RUB"}`: decimal text, so that no reader meets a binary float."""
    return None if money is None else {"amount": str(money.amount), "currency": money.currency}
