"""A tenant's database in a Neon project of its own, with the branches that its entry asks for (B3, B4, B6)."""

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from catalogue.names import MAIN_BRANCH, logical_name, project_name
from catalogue.tenant import Branch as BranchEntry
from components.tenant_schema import TenantDatabaseArgs, database_outputs, declare_schema
from components.tenant_server import TenantServer
from dynamic_providers.marks import Mark
from dynamic_providers.neon.branch import Branch, BranchArgs
from dynamic_providers.neon.project import ROLE, Project, ProjectArgs
from dynamic_providers.postgres.access import NEON
from dynamic_providers.postgres.tenant_schema import TenantSchema
from dynamic_providers.postgres.urls import database_url


class NeonDatabase(pulumi.ComponentResource):
    """`details` is the `database` part of the tenant's outputs."""

    def __init__(self, args: TenantDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        name = logical_name(args.tenant.id, "database", args.placed.generation)
        super().__init__("tenantry:database:Neon", name, None, opts)
        self._args = args
        self._project = self._declare_project()
        project = self._project
        server = TenantServer(
            id=project.id,
            host=project.host,
            port=project.port,
            database=args.names.database,
            admin_login=ROLE,
            cluster_mark="",
            sslmode=args.settings.neon_sslmode,
            ready=[project],
            deleted_with=project,
            access=NEON,
            server_id=pulumi.Output.concat(project.id, "/", project.branch_id),
        )
        schema = declare_schema(args, server, self)
        self.details = database_outputs(args, server, schema) | {
            "databaseUrl": self._pooled_url(schema),
            "createdAt": project.created_at,
            "branches": self._branches(schema),
        }
        self.register_outputs({})

    def _declare_project(self) -> Project:
        args, placed, compute = self._args, self._args.placed, self._args.plan.compute
        if compute is None:
            raise ValueError(f"plan {args.plan.name} has no compute")  # `validate` has refused that before
        name = logical_name(args.tenant.id, "project", placed.generation)
        return Project(
            name,
            ProjectArgs(
                name=project_name(args.settings.prefix, args.tenant.id, placed.generation),
                region=placed.region,
                pg_version=placed.version or args.plan.version,
                organization=args.settings.neon_org_id or "",
                min_cu=float(compute.min_cu),
                max_cu=float(compute.max_cu),
                suspend_seconds=compute.suspend_seconds,
                mark=str(Mark(args.settings.base_stack, name)),
                adopt=args.adopt,
                **args.plan.quotas.model_dump(),
            ),
            pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _branches(self, schema: TenantSchema) -> Mapping[str, Any]:
        """Each branch after its parent, and after the tenant's login, which it has as it was then.

        A branch is not protected: it goes on its day, or with its entry. It is closed with its tenant.
        """
        made: dict[str, Branch] = {}
        told: dict[str, Any] = {}
        for name, entry in self._declared_branches():
            expires = entry.expires.isoformat() if entry.expires else None
            made[name] = Branch(
                logical_name(self._args.tenant.id, f"branch-{name}", self._args.placed.generation),
                BranchArgs(
                    project_id=self._project.id,
                    name=name,
                    parent=entry.parent,
                    endpoint=entry.endpoint and not self._args.blocked,
                    expires_at=f"{expires}T00:00:00Z" if expires else None,
                ),
                pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[made[entry.parent]] if entry.parent in made else [schema],
                    deleted_with=self._project,
                ),
            )
            branch = made[name]
            told[name] = {
                "branchId": branch.branch_id,
                "parent": entry.parent,
                "host": branch.host,
                "port": branch.port.apply(lambda port: None if port is None else int(port)),
                "expires": expires,
            }
        return told

    def _declared_branches(self) -> Iterator[tuple[str, BranchEntry]]:
        """Those that have not expired, each after its parent; with a branch go those that start from it."""
        section = self._args.tenant.database
        waiting = dict(section.branches) if section else {}
        known = {MAIN_BRANCH}
        while ready := {name: entry for name, entry in waiting.items() if entry.parent in known}:
            for name, entry in ready.items():
                del waiting[name]
                if entry.expires is None or self._args.today < entry.expires:
                    known.add(name)
                    yield name, entry

    def _pooled_url(self, schema: TenantSchema) -> pulumi.Output[str]:
        project, names = self._project, self._args.names
        return pulumi.Output.all(host=project.pooled_host, port=project.pooled_port, password=schema.password).apply(
            lambda known: database_url(
                login=names.login,
                password=known["password"],
                host=known["host"],
                port=int(known["port"]),
                database=names.database,
                # Neon's pooler takes no options with a connection: the login has its search path by itself.
                schema=None,
                sslmode=self._args.settings.neon_sslmode,
            )
        )
