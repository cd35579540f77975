"""Tenants of ours on a real server, by the mark on their roles."""

import pytest

from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.postgres.connection import Address, Limits, PostgresError
from dynamic_providers.postgres.inputs import Server
from dynamic_providers.postgres.marked import Place as Found
from dynamic_providers.postgres.marked import PostgresLister
from dynamic_providers.postgres.names import roles_of
from sandbox.postgres import HOST
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, CLUSTER_MARK, DATABASE, Place, one
from tests.dynamic_providers.postgres.setups import Setups


def lister(place: Place, stack: str = "prod", password: str = ADMIN_PASSWORD) -> PostgresLister:
    address = Address(HOST, place.port, DATABASE, ADMIN, password, "disable")
    server = Server(
        host=HOST, port=place.port, database=DATABASE, admin_login=ADMIN, cluster_mark=CLUSTER_MARK, access="derived"
    )
    return PostgresLister(lambda: [Found(server, address)], stack, Limits(total=2))


def names(place: Place, stack: str = "prod") -> dict[str, str]:
    return {item.name: item.what.partition(" in ")[0] for item in lister(place, stack).marked()}


def test_tenants_are_listed_by_their_roles(place: Place) -> None:
    """F15; the schema is the one that the owner role owns."""
    place.create("acme")
    place.create("shop", mark="tenantry:staging:shop-schema-1")
    place.create("solo", schema_name="public")
    with place.admin() as admin:
        admin.execute("CREATE ROLE stranger; COMMENT ON ROLE stranger IS 'not ours'")
    try:
        assert names(place) == {
            "acme-schema-1": "schema c_acme of login c_acme",
            "solo-schema-1": "schema public of login c_solo",
        }
        assert list(names(place, "staging")) == ["shop-schema-1"]
        (first, _) = lister(place).marked()
        assert (first.id, first.holds_data, first.charged) == ("c_acme", True, False)
    finally:
        with place.admin() as admin:
            admin.execute("DROP ROLE stranger")


def test_a_tenant_s_own_database_is_found_by_its_mark_and_its_schema_where_it_lies(place: Place) -> None:
    """B30: a login of `tenant_acme_user` goes with the owner `tenant_acme_owner`, whatever database we looked from."""
    with place.admin() as admin:
        admin.execute("CREATE DATABASE tenant_acme")
        admin.execute("COMMENT ON DATABASE tenant_acme IS 'tenantry:prod:acme-own-database-1'")
        admin.execute("CREATE DATABASE tenant_other")
    roles = {"owner": "tenant_acme_owner", "login": "tenant_acme_user", "schema_name": "public"}
    try:
        place.create("acme", database="tenant_acme", **roles)
        ours = lister(place)
        schema, database = ours.marked()
        assert (schema.name, schema.id) == ("acme-schema-1", "tenant_acme_user")
        assert schema.what.startswith("schema public of login tenant_acme_user in database tenant_acme on")
        assert {name: schema.props[name] for name in ("owner", "login", "database")} == {
            "owner": "tenant_acme_owner",
            "login": "tenant_acme_user",
            "database": "tenant_acme",
        }
        assert (database.name, database.id, database.holds_data) == ("acme-own-database-1", "tenant_acme", True)
        ours.remove(schema)
        assert [each.id for each in ours.marked()] == ["tenant_acme"]
        ours.remove(database)
        assert list(ours.marked()) == []
        with place.admin() as admin:
            assert one(admin, "SELECT array_agg(rolname) FROM pg_roles WHERE rolname ^@ 'tenant_'") == (None,)
            assert one(admin, "SELECT datname FROM pg_database WHERE datname ^@ 'tenant_'") == ("tenant_other",)
    finally:
        with place.superuser("postgres") as session:
            session.execute("DROP DATABASE IF EXISTS tenant_acme WITH (FORCE)")
            session.execute("DROP DATABASE IF EXISTS tenant_other")
            session.execute("DROP ROLE IF EXISTS tenant_acme_user, tenant_acme_owner")


@pytest.mark.parametrize(
    ("role", "both"),
    [
        ("c_acme", ("c_acme_owner", "c_acme")),
        ("c_acme_owner", ("c_acme_owner", "c_acme")),
        ("tenant_acme_user", ("tenant_acme_owner", "tenant_acme_user")),
        ("tenant_acme_owner", ("tenant_acme_owner", "tenant_acme_user")),
    ],
)
def test_either_role_of_a_tenant_tells_the_other(role: str, both: tuple[str, str]) -> None:
    """What a removal was cut off at is found by the role that is left."""
    assert roles_of(role) == both


def test_what_a_tenant_writes_on_its_schema_makes_nothing_ours(place: Place) -> None:
    """The tenant owns its schema: it could point at another's mark."""
    made = place.create("acme")
    with place.connect(made) as session:
        session.execute("COMMENT ON SCHEMA c_acme IS 'tenantry:prod:victim-schema-1'")
    assert list(names(place)) == ["acme-schema-1"]


@pytest.mark.parametrize("schema", ["c_acme", "public"])
def test_a_removed_tenant_leaves_nothing_and_its_neighbour_stays(place: Place, schema: str) -> None:
    made = place.create("acme", schema_name=schema)
    place.create("beta")
    with place.connect(made) as session:
        session.execute("CREATE TABLE bread AS SELECT 1 AS n")
    ours = lister(place)
    ours.remove(next(item for item in ours.marked() if item.name == "acme-schema-1"))
    assert place.tenant_roles() == ["c_beta", "c_beta_owner"]
    assert list(names(place)) == ["beta-schema-1"]


def test_access_roles_are_listed_apart_and_removed_without_the_tenant(place: Place) -> None:
    """F15: they hold no data; whatever of them is left is enough to find them by."""
    place.create("acme")
    Setups(place).create("acme")
    with place.admin() as admin:
        admin.execute("DROP OWNED BY c_acme_as_admin; DROP ROLE c_acme_as_admin")
    ours = lister(place)
    found = {item.name: (item.type.rpartition(":")[2], item.id, item.holds_data) for item in ours.marked()}
    assert found == {
        "acme-schema-1": ("TenantSchema", "c_acme", True),
        "acme-setup-1": ("TenantSetup", "c_acme", False),
    }
    ours.remove(next(item for item in ours.marked() if item.name == "acme-setup-1"))
    assert place.tenant_roles() == ["c_acme", "c_acme_owner"]
    with place.superuser() as session:
        assert one(session, "SELECT count(*) FROM c_acme.schema_migrations") == (2,)


def test_a_role_that_was_left_alone_is_still_found(place: Place) -> None:
    """A removal that was cut off between its transactions."""
    place.create("acme")
    with place.admin() as admin:
        admin.execute("DROP OWNED BY c_acme; DROP ROLE c_acme")
    ours = lister(place)
    (left,) = ours.marked()
    assert (left.name, left.id) == ("acme-schema-1", "c_acme")
    ours.remove(left)
    assert place.tenant_roles() == []


def test_a_database_that_cannot_be_looked_into_is_an_error(place: Place) -> None:
    """Design rule 4: an empty list would make every schema missing."""
    place.create("acme")
    with pytest.raises(PostgresError):
        list(lister(place, password="another").marked())


def test_what_took_another_mark_meanwhile_is_not_removed(place: Place) -> None:
    place.create("acme")
    ours = lister(place)
    (item,) = ours.marked()
    with place.admin() as admin:
        admin.execute("COMMENT ON ROLE c_acme IS 'tenantry:staging:acme-schema-1'")
    with pytest.raises(AmbiguousMarkError):
        ours.remove(item)
