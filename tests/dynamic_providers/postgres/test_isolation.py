"""One tenant attacks another, and its own limits, with what SQL offers; each attack is followed by rightful work."""

import psycopg
import pytest
from psycopg import errors

from tests.dynamic_providers.postgres.place import DATABASE, Made, Place, one

# PostgreSQL 16 changed what a role may do to roles.
pytestmark = pytest.mark.parametrize(
    "cluster",
    [
        "embedded",
        pytest.param("system15", marks=pytest.mark.e2e),
        pytest.param("pixeltable16", marks=pytest.mark.e2e),
    ],
    indirect=True,
)

ATTACKS = (
    "SELECT * FROM c_acme.note",
    "INSERT INTO c_acme.note VALUES ('not mine')",
    "UPDATE c_acme.note SET text = 'not mine'",
    "DELETE FROM c_acme.note",
    "TRUNCATE c_acme.note",
    "DROP TABLE c_acme.note",
    "ALTER TABLE c_acme.note OWNER TO c_beta_owner",
    "CREATE TABLE c_acme.foreign_table ()",
    "CREATE VIEW peep AS SELECT * FROM c_acme.note",
    "SELECT c_acme.secret()",
    "CREATE TABLE typed (m c_acme.mood)",
    "CREATE TABLE linked (text text REFERENCES c_acme.note)",
    "COPY c_acme.note TO STDOUT",
    "DROP SCHEMA c_acme CASCADE",
    "ALTER SCHEMA c_acme RENAME TO mine",
    "GRANT ALL ON SCHEMA c_acme TO c_beta",
    "COMMENT ON SCHEMA c_acme IS 'tenantry:prod:beta-schema-1'",
    "SET ROLE c_acme",
    "SET ROLE c_acme_owner",
    "SET ROLE admin",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION c_acme",
    "GRANT c_acme_owner TO c_beta",
    "GRANT c_acme TO c_beta",
    "GRANT admin TO c_beta",
    "GRANT pg_read_all_data TO c_beta",
    "GRANT c_beta_owner TO c_acme",
    "GRANT c_beta TO c_acme",
    "ALTER ROLE c_acme PASSWORD 'stolen'",
    "ALTER ROLE c_acme SET search_path = c_beta",
    "ALTER ROLE admin PASSWORD 'stolen'",
    "ALTER ROLE c_beta CONNECTION LIMIT 100",
    "ALTER ROLE c_beta CREATEROLE",
    "ALTER ROLE c_beta VALID UNTIL 'infinity'",
    "ALTER ROLE c_beta_owner LOGIN",
    "ALTER ROLE c_acme RENAME TO c_gamma",
    "COMMENT ON ROLE c_beta IS 'tenantry:prod:acme-schema-1'",
    "DROP ROLE c_acme",
    "CREATE ROLE c_gamma LOGIN",
    "CREATE DATABASE c_gamma",
    "ALTER DATABASE main OWNER TO c_beta_owner",
    "ALTER DATABASE main SET search_path = c_beta",
    "DROP DATABASE main",
    "CREATE SCHEMA c_gamma",
    "ALTER SCHEMA c_beta RENAME TO c_gamma",
    "CREATE TABLE public.note ()",
    "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT 1'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_user_mapping",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO '/tmp/out'",
    "COPY scratch FROM PROGRAM 'id'",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_get(oid) FROM pg_largeobject_metadata WHERE lomowner = 'c_acme_owner'::regrole",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'c_acme'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'c_acme'",
    "SELECT pg_reload_conf()",
    "SELECT set_config('log_statement', 'none', false)",
    "SET session_preload_libraries = 'x'",
    "ALTER SYSTEM SET max_connections = 1000",
    "CREATE PUBLICATION everything FOR ALL TABLES",
    "CREATE EVENT TRIGGER spy ON ddl_command_end EXECUTE FUNCTION c_beta.f()",
    "REASSIGN OWNED BY c_acme_owner TO c_beta_owner",
    "DROP OWNED BY c_acme_owner",
    "ALTER DEFAULT PRIVILEGES FOR ROLE c_acme_owner GRANT SELECT ON TABLES TO c_beta",
    "CHECKPOINT",
)
ATTACKS_BY_EXTENSION = (
    "CREATE TABLE extensions.note ()",
    "CREATE EXTENSION hstore SCHEMA c_beta",
    "CREATE EXTENSION file_fdw",
    "ALTER EXTENSION citext SET SCHEMA c_beta",
    "DROP EXTENSION citext",
    "ALTER FUNCTION extensions.citextin(cstring) OWNER TO c_beta_owner",
)


@pytest.fixture
def pair(place: Place) -> tuple[Made, Made]:
    """A with something to steal, B with something to lose."""
    acme, beta = place.create("acme"), place.create("beta")
    with place.connect(acme) as session:
        session.execute(
            "CREATE TABLE note (text text PRIMARY KEY); INSERT INTO note VALUES ('mine'); SELECT lo_create(0);"
            "CREATE FUNCTION secret() RETURNS text LANGUAGE sql AS $$SELECT text FROM c_acme.note$$;"
            "CREATE FUNCTION exposed() RETURNS text SECURITY DEFINER LANGUAGE sql AS $$SELECT text FROM c_acme.note$$;"
            "CREATE TYPE mood AS ENUM ('ok')"
        )
    with place.connect(beta) as session:
        session.execute("CREATE TABLE scratch (n int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    return acme, beta


@pytest.mark.parametrize("role", ["RESET ROLE", "SET ROLE NONE"], ids=["as the owner role", "as the login role"])
def test_no_attack_of_a_tenant_succeeds_and_its_own_work_always_does(
    place: Place, pair: tuple[Made, Made], role: str
) -> None:
    """A33, A37, G7, G24: nothing through PUBLIC, no role but its own, no object of another's."""
    acme, beta = pair
    before = place.read(acme), place.read(beta)
    attacks = (*ATTACKS, *(ATTACKS_BY_EXTENSION if place.has_extensions else ()))
    with place.connect(acme) as victim, place.connect(beta) as attacker:
        attacker.execute(role.encode())
        for attack in attacks:
            assert outcome(attacker, attack) == "InsufficientPrivilege", attack
            attacker.execute("INSERT INTO scratch VALUES (1)")
        assert one(attacker, "SELECT count(*) FROM scratch") == (len(attacks),)
        assert one(victim, "SELECT * FROM note") == ("mine",)
    assert (place.read(acme), place.read(beta)) == before


def outcome(session: psycopg.Connection, statement: str) -> str:
    """The kind of error that answers a statement, "success" for none."""
    try:
        session.execute(statement.encode())
    except psycopg.Error as error:
        return type(error).__name__
    return "success"


def test_what_a_tenant_may_change_about_itself_hurts_nobody_else_and_is_mended(
    place: Place, pair: tuple[Made, Made]
) -> None:
    """A37: its password and its session defaults are a role's own; a refresh shows them, an update restores them."""
    acme, beta = pair
    with place.connect(beta) as session:
        session.execute(
            "SET ROLE NONE; ALTER ROLE c_beta PASSWORD 'chosen'; ALTER ROLE c_beta SET search_path = c_acme, pg_temp;"
            "ALTER ROLE c_beta SET role = none; ALTER ROLE c_beta SET statement_timeout = '1h';"
            "ALTER ROLE c_beta IN DATABASE main SET idle_in_transaction_session_timeout = 0;"
            "GRANT ALL ON SCHEMA c_beta TO PUBLIC; COMMENT ON SCHEMA c_beta IS 'free for all'"
        )
    assert place.read(acme) == place.props("acme")
    changed = Made(beta.id, beta.outs | {"password": "chosen"})
    with place.connect(changed) as session, pytest.raises(errors.InsufficientPrivilege):
        session.execute("SELECT * FROM c_acme.note")
    damaged = place.refresh(beta)
    assert damaged.outs["statement_timeout_ms"] == -1
    assert set(damaged.outs["layout"].removeprefix("damaged: ").split("; ")) == {
        "sessions do not run as the owner role",
        "search_path is not the schema",
        "idle transactions do not end",
        "PUBLIC has rights on the schema",
        "the schema does not carry the mark",
    }
    mended = place.update(damaged, "beta")
    assert place.read(mended) == place.props("beta")
    with place.connect(mended) as session:
        assert one(session, "SHOW statement_timeout") == ("30s",)


def test_a_tenant_that_drops_its_schema_keeps_being_managed(place: Place, pair: tuple[Made, Made]) -> None:
    """A part that is missing is damage and not absence, or its login would outlive the tenant."""
    _, beta = pair
    with place.connect(beta) as session:
        session.execute("DROP SCHEMA c_beta CASCADE")
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute("CREATE SCHEMA c_beta")
    damaged = place.refresh(beta)
    assert "damaged" in damaged.outs["layout"]
    assert place.read(place.update(damaged, "beta")) == place.props("beta")
    with place.connect(beta) as session:
        session.execute("CREATE TABLE again ()")


def test_public_has_nothing_on_a_tenants_database(place: Place, pair: tuple[Made, Made]) -> None:
    """A37, G24: a role of the same server that is nobody's tenant here."""
    assert pair
    place.server.create_admin("c_stranger", "stranger", privileges=())
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(host="127.0.0.1", port=place.port, dbname=DATABASE, user="c_stranger", password="stranger")
