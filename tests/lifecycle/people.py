"""A tenant whose people reach its database by the logins of their roles, and its outputs."""

from dataclasses import dataclass
from typing import Any

from components.outputs import BackupOutput, DatabaseOutput, FeaturesOutput
from dynamic_providers.postgres.access_roles import TenantSetupInputs
from dynamic_providers.postgres.connection import Address, Limits
from dynamic_providers.postgres.migration_set import packaged
from dynamic_providers.postgres.platform.records import Role
from dynamic_providers.postgres.setup_changes import set_up
from dynamic_providers.postgres.urls import search_path
from lifecycle.query import Place as Served
from lifecycle.statement import Answer, Statement, run
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, ADMIN_SECRET, DATABASE, Made, Place

SETUP_MARK = "tenantry:prod:acme-setup-1"
ROLES: tuple[Role, ...] = ("viewer", "developer", "admin", "owner")


def served_at(port: int) -> Served:
    """Acme's database on this machine; the URLs, which hold the tenant's own password, lead nowhere."""
    nowhere = "postgresql://nobody:reads@this.example/url"
    output = DatabaseOutput(
        plan="timeweb-free",
        provider="timeweb",
        mode="shared",
        region="ru-1",
        cluster="shared-free-1",
        cluster_id="1",
        host=HOST,
        port=port,
        database=DATABASE,
        schema_name="c_acme",
        login="c_acme",
        connection_limit=3,
        backups=BackupOutput(interval="none", copies=0, note=""),
        status="active",
        branch="main",
        features=FeaturesOutput(real_time=True, branches=True, api_generation=True),
        monthly_cost=None,
        sslmode="disable",
        password="nobody-reads-this",
        database_url=nowhere,
        direct_url=nowhere,
    )
    return Served(output, SETUP_MARK, ADMIN_SECRET)


@dataclass(frozen=True)
class People:
    """Tenant `acme` on a real server, with a table `notes` of three rows."""

    place: Place
    made: Made

    @property
    def served(self) -> Served:
        """The tenant's database as a running fleet tells it."""
        return served_at(self.place.port)

    def address(self, role: Role) -> Address:
        """The way in of this role."""
        return self.served.address("acme", role)

    def run(self, role: Role, text: str, *, seconds: float = 10, rows: int = 100, user: str = "") -> Answer:
        """What comes of a statement in this role."""
        statement = Statement(text, user, seconds, rows, may_grant=role == "owner")
        return run(self.address(role), search_path("c_acme"), statement)

    def facts(self) -> list[tuple[Any, ...]]:
        """Who may do what, who may be whom and by which password, as the superuser reads it."""
        with self.place.superuser() as connection:
            return connection.execute(
                "SELECT relname::text, relacl::text FROM pg_class WHERE relnamespace = 'c_acme'::regnamespace"
                " UNION ALL SELECT nspname, nspacl::text FROM pg_namespace"
                " UNION ALL SELECT 'default', defaclacl::text FROM pg_default_acl"
                " UNION ALL SELECT rolname, rolpassword || rolconnlimit FROM pg_authid"
                " UNION ALL SELECT 'member', roleid || ' ' || member FROM pg_auth_members"
                " UNION ALL SELECT 'setting', setrole || setconfig::text FROM pg_db_role_setting ORDER BY 1, 2"
            ).fetchall()


def with_people(place: Place) -> People:
    """The tenant, set up as a run sets it up."""
    people = People(place, place.create("acme"))
    asked = {**people.made.outs, "base": "c_acme", "mark": SETUP_MARK, "version": packaged().version}
    admin = Address(HOST, place.port, DATABASE, ADMIN, ADMIN_PASSWORD, "disable")
    want = TenantSetupInputs.of(asked)
    set_up(admin, want, ADMIN_SECRET, Limits(total=10), migrations=packaged(), marks={SETUP_MARK})
    with place.connect(people.made) as connection:
        connection.execute(
            "CREATE TABLE notes (id serial, text text); INSERT INTO notes (text) VALUES ('one'), ('two'), ('three')"
        )
    return people
