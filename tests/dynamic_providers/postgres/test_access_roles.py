"""The four logins of a tenant's people: what each may and may not, on old tables and new ones, and how they end."""

from contextlib import closing

import psycopg
import pytest
from psycopg import errors, sql

from dynamic_providers.errors import AmbiguousMarkError
from dynamic_providers.postgres.access_roles import KINDS
from dynamic_providers.postgres.connection import PostgresError
from tests.dynamic_providers.postgres.place import Made, Place, one
from tests.dynamic_providers.postgres.setups import Setups

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

# kind → what it may of: read, write, take the next number, make and change tables, give an access role away
MAY = {
    "viewer": (True, False, False, False, False),
    "developer": (True, True, True, False, False),
    "admin": (True, True, True, True, False),
    "owner": (True, True, True, True, True),
}
STATEMENTS = (
    "SELECT * FROM note; SELECT last_value FROM numbers",
    "INSERT INTO note VALUES ('more'); UPDATE note SET text = 'x' WHERE false; DELETE FROM note WHERE text = 'more'",
    "SELECT nextval('numbers')",
    "CREATE TABLE made (id int); ALTER TABLE made ADD more text; DROP TABLE made; ALTER TABLE note ADD again text",
    "SET ROLE NONE; GRANT c_acme_as_viewer TO c_beta",
)
# What none of them may, whatever it is.
BEYOND = (
    "SET ROLE c_acme",
    "SET ROLE admin",
    "SET ROLE postgres",
    "SET ROLE c_beta_owner",
    "SET ROLE c_beta_as_viewer",
    "SET SESSION AUTHORIZATION c_acme",
    "SELECT * FROM c_beta.note",
    "GRANT c_acme_owner TO c_beta",
    "GRANT c_acme_as_owner TO c_beta",
    "ALTER ROLE c_acme LOGIN",
    "ALTER ROLE c_acme_as_viewer CONNECTION LIMIT 100",
    "ALTER ROLE c_acme_as_owner BYPASSRLS",
    "CREATE ROLE c_gamma",
    "CREATE SCHEMA c_gamma",
    "CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'c_beta'",
)


@pytest.fixture
def setups(place: Place) -> Setups:
    """Two tenants, each with a table from before anything was set up."""
    for tenant in ("acme", "beta"):
        with place.connect(place.create(tenant)) as session:
            session.execute("CREATE TABLE note (text text); INSERT INTO note VALUES ('mine'); CREATE SEQUENCE numbers")
    Setups(place).create("beta")
    return Setups(place)


@pytest.fixture
def acme(setups: Setups) -> Made:
    """The setup of one of them."""
    return setups.create("acme")


def allowed(session: psycopg.Connection, statement: str) -> bool:
    """Whether the server takes it; it is undone."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(statement.encode())
    except errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_may_what_it_says_and_nothing_beyond(setups: Setups, acme: Made, kind: str) -> None:
    """B29, F31: viewer reads, developer reads and writes, admin also changes the schema, owner also grants."""
    neighbour = setups.place.create("beta")
    with setups.place.connect(neighbour), setups.connect(acme, kind) as session:
        assert tuple(allowed(session, statement) for statement in STATEMENTS) == MAY[kind]
        for attack in BEYOND:
            assert not allowed(session, attack), attack
            assert not allowed(session, f"SET ROLE NONE; {attack}"), attack
        assert one(session, "SHOW statement_timeout") == ("30s",)
        acts = "c_acme_owner" if kind in {"admin", "owner"} else f"c_acme_as_{kind}"
        assert one(session, "SELECT current_user, current_schema") == (acts, "c_acme")


def test_a_role_takes_none_of_a_higher_kind_and_the_owner_takes_the_lower_ones(setups: Setups, acme: Made) -> None:
    """B29."""
    takes = {}
    for kind in KINDS:
        with setups.connect(acme, kind) as session:
            roles = [*(f"c_acme_as_{other}" for other in KINDS), "c_acme_owner"]
            takes[kind] = [role for role in roles if allowed(session, f"SET ROLE NONE; SET ROLE {role}")]
    lower = ["c_acme_as_viewer", "c_acme_as_developer", "c_acme_as_admin"]
    assert takes == {
        "viewer": ["c_acme_as_viewer"],
        "developer": ["c_acme_as_developer"],
        "admin": ["c_acme_as_admin", "c_acme_owner"],
        "owner": [*lower, "c_acme_as_owner", "c_acme_owner"],
    }


def test_tables_made_later_are_covered_whoever_of_the_tenant_makes_them(setups: Setups, acme: Made) -> None:
    """B29: by the application, by it as its login alone, and by an administrator; what it makes is the tenant's."""
    tenant = setups.place.create("acme")
    with setups.place.connect(tenant) as session, setups.connect(acme, "admin") as admin:
        session.execute("CREATE TABLE later (id serial)")
        session.execute("SET ROLE NONE; CREATE VIEW by_login AS SELECT 1 AS id")
        admin.execute("CREATE TABLE by_admin (id int)")
        with pytest.raises(errors.InsufficientPrivilege):
            admin.execute("SET ROLE NONE; CREATE TABLE c_acme.by_nobody (id int)")
    with setups.connect(acme, "developer") as session:
        session.execute("INSERT INTO later DEFAULT VALUES; INSERT INTO by_admin VALUES (1)")
    with setups.connect(acme, "viewer") as session:
        for table in ("later", "by_login", "by_admin", "note"):
            session.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute("INSERT INTO by_admin VALUES (2)")
    with setups.place.superuser() as session:
        owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'by_admin'"
        assert one(session, owner) == ("c_acme_owner",)


def test_row_security_holds_for_all_of_them_and_the_ledger_is_only_read(setups: Setups, acme: Made) -> None:
    """B15, B29: none bypasses it, and a developer sees an end user's rows as that end user."""
    user = "00000000-0000-0000-0000-000000000001"
    with setups.connect(acme, "owner") as session:
        session.execute("ALTER TABLE profiles NO FORCE ROW LEVEL SECURITY")
        session.execute("INSERT INTO profiles (id, email) VALUES (%s, 'anna@x')", [user])
        session.execute("ALTER TABLE profiles FORCE ROW LEVEL SECURITY")
    for kind in KINDS:
        with setups.connect(acme, kind) as session:
            assert one(session, "SELECT count(*) FROM profiles") == (0,)
            session.execute("SELECT set_config('app.user_id', %s, false)", [user])
            assert one(session, "SELECT count(*) FROM profiles") == (1,)
            assert one(session, "SELECT count(*) FROM schema_migrations") == (2,)
            writes = allowed(session, "DELETE FROM schema_migrations")
            assert writes == (kind in {"admin", "owner"})


def test_blocked_roles_are_out_and_come_back_with_their_passwords(setups: Setups, acme: Made) -> None:
    """G46: NOLOGIN, sessions ended, read back; the neighbour's stay."""
    beta = Made("c_beta", setups.props("beta"))
    with (
        closing(setups.connect(acme, "admin")) as first,
        closing(setups.connect(acme, "viewer")) as second,
        setups.connect(beta, "viewer") as neighbour,
    ):
        first.execute("BEGIN; ALTER TABLE note ADD held text")
        blocked = setups.update(acme, "acme", blocked=True)
        for session in (first, second):
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        assert one(neighbour, "SELECT 1") == (1,)
    for kind in KINDS:
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            setups.connect(acme, kind)
    assert setups.read(blocked) == setups.props("acme", blocked=True)
    opened = setups.update(blocked, "acme")
    assert setups.read(opened) == setups.props("acme")
    for kind in KINDS:
        setups.connect(acme, kind).close()


DRIFT = (
    ("DROP OWNED BY c_acme_as_viewer; DROP ROLE c_acme_as_viewer", "standing", "role c_acme_as_viewer is missing"),
    ("ALTER ROLE c_acme_as_admin NOLOGIN", "blocked", True),
    ("ALTER ROLE c_acme_as_admin CONNECTION LIMIT 50", "standing", "c_acme_as_admin has another connection limit"),
    ("ALTER ROLE c_acme_as_viewer INHERIT", "standing", "c_acme_as_viewer may more than it should"),
    ("ALTER ROLE c_acme_as_viewer SET statement_timeout = 0", "standing", "as_viewer has other session defaults"),
    ("ALTER ROLE c_acme_as_admin IN DATABASE main SET role = none", "standing", "as_admin has other session defaults"),
    ("ALTER ROLE c_acme_as_viewer VALID UNTIL '2026-01-01'", "standing", "as_viewer has a password that expires"),
    ("REVOKE CONNECT ON DATABASE main FROM c_acme_as_developer", "standing", "c_acme_as_developer may not connect"),
    ("REVOKE USAGE ON SCHEMA c_acme FROM c_acme_as_developer", "standing", "as_developer may not use the schema"),
    ("GRANT c_acme_owner TO c_acme_as_viewer", "standing", "as_viewer is a member of other roles"),
    ("REVOKE c_acme_owner FROM c_acme_as_admin", "standing", "as_admin is a member of other roles"),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE c_acme_owner IN SCHEMA c_acme REVOKE SELECT ON TABLES FROM c_acme_as_viewer",
        "standing",
        "tables made later are not the access roles' to read",
    ),
    ("CREATE ROLE migrate_c_acme", "standing", "role migrate_c_acme of a migration that was cut off is left"),
    ("COMMENT ON ROLE c_acme_as_viewer IS NULL", "standing", "as_viewer does not carry the mark"),
)


def test_every_edit_behind_our_back_shows_and_is_mended(setups: Setups, acme: Made) -> None:
    """H5: the role that is missing or open although it is blocked, and all that was turned."""
    wanted = setups.props("acme")
    with setups.place.admin() as admin:
        for edit, field, value in DRIFT:
            admin.execute(edit.encode())
            seen = setups.refresh(acme)
            told = seen.outs[field]
            assert value in told if isinstance(value, str) else told == value, edit
            assert setups.provider.diff(acme.id, seen.outs, wanted).changes, edit
            assert setups.update(seen, "acme") == acme, edit
            assert setups.read(acme) == wanted, edit
        blocked = setups.update(acme, "acme", blocked=True)
        admin.execute("ALTER ROLE c_acme_as_viewer LOGIN")
        seen = setups.refresh(blocked)
        assert seen.outs["blocked"] is False
        assert "c_acme_as_viewer may log in although it is to be blocked" in seen.outs["standing"]
        setups.update(seen, "acme", blocked=True)
        assert setups.read(blocked) == setups.props("acme", blocked=True)


def test_a_right_that_the_tenant_has_taken_away_is_not_given_back(setups: Setups, acme: Made) -> None:
    """Rights on what is there are given once; afterwards the tenant's own word counts."""
    with setups.connect(acme, "owner") as session:
        session.execute("REVOKE ALL ON note FROM c_acme_as_viewer, c_acme_as_developer")
    assert setups.read(acme) == setups.props("acme")
    setups.update(acme, "acme")
    with setups.connect(acme, "viewer") as session, pytest.raises(errors.InsufficientPrivilege):
        session.execute("SELECT * FROM note")


def test_a_table_that_a_neighbour_has_made_in_an_opened_schema_stops_nothing(setups: Setups) -> None:
    """Only what is the tenant's own is given to its people."""
    with setups.place.admin() as session:
        session.execute("SET ROLE c_acme_owner; GRANT ALL ON SCHEMA c_acme TO c_beta_owner; RESET ROLE;")
        session.execute("SET ROLE c_beta_owner; CREATE TABLE c_acme.theirs (id int)")
    made = setups.create("acme")
    with setups.connect(made, "viewer") as session:
        session.execute("SELECT * FROM note")
        assert not allowed(session, "SELECT * FROM theirs")


def test_delete_drops_the_roles_alone_and_a_second_one_is_a_success(setups: Setups, acme: Made) -> None:
    """H6: tables stay, also what such a login has made elsewhere; grants that it has given go with it."""
    with closing(setups.connect(acme, "owner")) as session:
        session.execute("CREATE TABLE stays (id int)")
        session.execute("SET ROLE NONE; SELECT lo_create(0); GRANT c_acme_as_viewer TO c_beta")
        with psycopg.connect(
            host="127.0.0.1",
            port=setups.place.port,
            dbname="postgres",
            user="c_acme_as_owner",
            password=session.info.password,
            autocommit=True,
        ) as elsewhere:
            elsewhere.execute("SET ROLE NONE; SELECT lo_create(0)")
        setups.delete(acme)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    setups.delete(acme)
    assert [role for role in setups.place.tenant_roles() if "acme_as" in role] == []
    with setups.place.superuser() as session:
        left = "SELECT (SELECT count(*) FROM c_acme.stays), (SELECT count(*) FROM c_acme.note)"
        assert one(session, left) == (0, 1)
        assert one(session, "SELECT lomowner::regrole::text FROM pg_largeobject_metadata") == ("c_acme_owner",)
    with setups.place.superuser("postgres") as session:
        taken = "SELECT lomowner::regrole::text, lo_unlink(oid) FROM pg_largeobject_metadata"
        assert one(session, taken) == ("c_acme_owner", 1)
    assert setups.read(acme)["standing"].startswith("damaged: tables made later")


def test_roles_that_carry_no_mark_of_ours_are_left_alone(setups: Setups) -> None:
    with setups.place.admin() as session:
        session.execute("CREATE ROLE c_acme_as_viewer")
    with pytest.raises(AmbiguousMarkError, match="role c_acme_as_viewer carries no mark of ours"):
        setups.create("acme")


def test_without_the_tenant_nothing_is_set_up(setups: Setups) -> None:
    with pytest.raises(PostgresError, match="role c_gamma_owner is missing"):
        setups.create("gamma")
    assert [role for role in setups.place.server.roles() if "gamma" in role] == []
