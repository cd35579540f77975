"""A tenant's setup as the tests see it: made by its provider or with a set of migrations of the test's own."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from pulumi.dynamic import Config, ConfigureRequest

from dynamic_providers.admin_password import derive_access_password
from dynamic_providers.postgres.access_roles import TenantSetupInputs
from dynamic_providers.postgres.connection import Address, Limits
from dynamic_providers.postgres.ledger import LEDGER
from dynamic_providers.postgres.migration_set import Migration, MigrationSet, packaged
from dynamic_providers.postgres.setup_changes import set_up
from dynamic_providers.postgres.tenant_setup import TenantSetupProvider
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import (
    ADMIN,
    ADMIN_PASSWORD,
    ADMIN_SECRET,
    CLUSTER_MARK,
    DATABASE,
    RETRY_SECONDS,
    Made,
    Place,
)

LIMITS = Limits(total=RETRY_SECONDS)
Props = dict[str, Any]


def configured() -> TenantSetupProvider:
    """A provider that has been configured from stack configuration alone."""
    provider = TenantSetupProvider()
    settings = {
        "tenantry:adminSecret": ADMIN_SECRET,
        "timeweb:sslmode": "disable",
        "timeweb:retrySeconds": RETRY_SECONDS,
    }
    provider.configure(ConfigureRequest(Config(settings, "tenantry")))
    return provider


@dataclass(frozen=True)
class Setups:
    """Setups of tenants in one database."""

    place: Place
    provider: TenantSetupProvider = field(default_factory=configured)

    def props(self, tenant: str, **changes: object) -> Props:
        """Checked properties, as the engine hands them over."""
        asked: Props = {
            "host": HOST,
            "port": float(self.place.port),
            "database": DATABASE,
            "admin_login": ADMIN,
            "cluster_mark": CLUSTER_MARK,
            "schema_name": f"c_{tenant}",
            "owner": f"c_{tenant}_owner",
            "login": f"c_{tenant}",
            "base": f"c_{tenant}",
            "version": packaged().version,
            "blocked": False,
            "mark": f"tenantry:prod:{tenant}-setup-1",
        }
        checked = self.provider.check({}, asked | changes)
        assert checked.failures == []
        return checked.inputs

    def create(self, tenant: str, **changes: object) -> Made:
        """Sets the tenant up."""
        result = self.provider.create(self.props(tenant, **changes))
        return Made(str(result.id), result.outs or {})

    def update(self, made: Made, tenant: str, **changes: object) -> Made:
        """Changes it to what the arguments say, from what is recorded."""
        result = self.provider.update(made.id, made.outs, self.props(tenant, **changes))
        return Made(made.id, result.outs or {})

    def read(self, made: Made) -> Props:
        """The inputs as a refresh records them."""
        return dict(self.provider.read(made.id, made.outs).inputs or {})

    def refresh(self, made: Made) -> Made:
        """What an engine keeps after a refresh."""
        return Made(made.id, self.provider.read(made.id, made.outs).outs or {})

    def delete(self, made: Made) -> None:
        """Drops the access roles."""
        self.provider.delete(made.id, made.outs)

    def apply(self, tenant: str, migrations: MigrationSet, **changes: object) -> None:
        """Set up with other migrations than this version's."""
        want = TenantSetupInputs.of(self.props(tenant, version=migrations.version, **changes))
        set_up(self.address(want.database), want, ADMIN_SECRET, LIMITS, migrations=migrations, marks={want.mark})

    def address(self, database: str = DATABASE) -> Address:
        """The admin's way into a database."""
        return Address(HOST, self.place.port, database, ADMIN, ADMIN_PASSWORD, "disable")

    def connect(self, made: Made, kind: str) -> psycopg.Connection:
        """A session of one of the tenant's people, with the password that is derived for it."""
        role = f"{made.outs['base']}_as_{kind}"
        return psycopg.connect(
            host=HOST,
            port=self.place.port,
            dbname=made.outs["database"],
            user=role,
            password=derive_access_password(ADMIN_SECRET, made.outs["mark"], role),
            autocommit=True,
        )

    def ledger(self, schema: str, database: str = DATABASE) -> list[tuple[int, str]]:
        """Number and name of each line, as the superuser sees them."""
        with self.place.superuser(database) as session:
            table = sql.Identifier(schema, LEDGER)
            lines = session.execute(sql.SQL("SELECT number, name FROM {} ORDER BY 1").format(table))
            return [(int(number), str(name)) for number, name in lines]


def grown(*texts: str) -> MigrationSet:
    """The set of this version with further migrations."""
    ours = packaged().migrations
    return MigrationSet((*ours, *(Migration(len(ours) + n, f"more_{n}", text) for n, text in enumerate(texts, 1))))
