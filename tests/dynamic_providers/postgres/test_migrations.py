"""Migrations run in a tenant's schema, each once and whole, and what a tenant does to its tables stays the tenant's."""

import threading
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from dynamic_providers.postgres.connection import PostgresError
from dynamic_providers.postgres.migration_set import LedgerError, Migration, MigrationSet, packaged, version_of
from tests.dynamic_providers.postgres.place import Place, one
from tests.dynamic_providers.postgres.setups import Setups, grown

ANNA, BORIS = UUID(int=1), UUID(int=2)
FIRST_TWO = [(1, "profiles_and_projects"), (2, "row_level_security")]
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'c_acme' AND table_name IN ('profiles', 'projects') ORDER BY table_name, ordinal_position
"""
POLICIES = """
SELECT policyname::text, tablename::text, cmd, qual, with_check FROM pg_policies
WHERE schemaname = 'c_acme' ORDER BY 2, 1
"""
FOUR = [
    ("Users can update own profile", "profiles", "UPDATE", "(auth.uid() = id)", None),
    ("Users can view own profile", "profiles", "SELECT", "(auth.uid() = id)", None),
    ("Users can create projects", "projects", "INSERT", None, "(auth.uid() = owner_id)"),
    ("Users can view own projects", "projects", "SELECT", "(auth.uid() = owner_id)", None),
]
PEOPLE = """
ALTER TABLE profiles NO FORCE ROW LEVEL SECURITY;
INSERT INTO profiles (id, email) VALUES
    ('00000000-0000-0000-0000-000000000001', 'anna@x'), ('00000000-0000-0000-0000-000000000002', 'boris@x');
ALTER TABLE profiles FORCE ROW LEVEL SECURITY
"""


@pytest.fixture
def setups(place: Place) -> Setups:
    """A tenant that nothing is set up for yet."""
    return Setups(place)


def test_the_tables_the_ledger_and_the_four_policies_are_made_in_the_tenants_schema(setups: Setups) -> None:
    """B13, B14, B15, B21, G23: columns, keys, defaults, row security enabled and forced, all the owner role's."""
    setups.place.create("acme")
    setups.create("acme")
    with setups.place.superuser() as session:
        made = [
            f"{table}.{name} {kind} {null} {default}" for table, name, kind, null, default in session.execute(COLUMNS)
        ]
        assert made == [
            "profiles.id uuid NO gen_random_uuid()",
            "profiles.email text NO None",
            "profiles.name text YES None",
            "profiles.avatar_url text YES None",
            "profiles.created_at timestamp with time zone YES now()",
            "projects.id uuid NO gen_random_uuid()",
            "projects.name text NO None",
            "projects.description text YES None",
            "projects.owner_id uuid YES None",
            "projects.created_at timestamp with time zone YES now()",
        ]
        keys = session.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'c_acme'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
        ).fetchall()
        assert keys == [
            ("c_acme.profiles", "PRIMARY KEY (id)"),
            ("c_acme.profiles", "UNIQUE (email)"),
            ("c_acme.projects", "FOREIGN KEY (owner_id) REFERENCES c_acme.profiles(id)"),
            ("c_acme.projects", "PRIMARY KEY (id)"),
            ("c_acme.schema_migrations", "PRIMARY KEY (number)"),
        ]
        assert session.execute(POLICIES).fetchall() == FOUR
        forced = session.execute(
            "SELECT relname::text, relrowsecurity AND relforcerowsecurity, pg_get_userbyid(relowner)::text"
            " FROM pg_class WHERE relnamespace = 'c_acme'::regnamespace AND relkind = 'r' ORDER BY 1"
        ).fetchall()
        assert forced == [
            ("profiles", True, "c_acme_owner"),
            ("projects", True, "c_acme_owner"),
            ("schema_migrations", False, "c_acme_owner"),
        ]
    assert setups.ledger("c_acme") == FIRST_TWO
    assert [role for role in setups.place.server.roles() if role.startswith("migrate_")] == []


def test_an_end_user_sees_and_changes_what_is_theirs_and_nobody_sees_nothing(setups: Setups) -> None:
    """B16, B17, B18, B19: in sessions of the tenant's own login, whose role owns the tables."""
    made = setups.place.create("acme")
    setups.create("acme")
    with setups.place.connect(made) as session:
        session.execute(PEOPLE)
        assert one(session, "SELECT count(*) FROM profiles") == (0,)
        session.execute("SELECT set_config('app.user_id', %s, false)", [str(ANNA)])
        session.execute("INSERT INTO projects (name, owner_id) VALUES ('hers', %s)", [ANNA])
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            session.execute("INSERT INTO projects (name, owner_id) VALUES ('his', %s)", [BORIS])
        assert one(session, "SELECT email FROM profiles") == ("anna@x",)
        assert session.execute("UPDATE profiles SET name = 'me'").rowcount == 1
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            session.execute("UPDATE profiles SET id = gen_random_uuid()")
        assert session.execute("DELETE FROM profiles").rowcount == 0
        session.execute("SELECT set_config('app.user_id', %s, false)", [str(BORIS)])
        assert one(session, "SELECT count(*) FROM projects") == (0,)
        assert one(session, "SELECT email, name FROM profiles") == ("boris@x", None)


def test_a_second_run_does_nothing_and_a_new_migration_is_one_line_more(setups: Setups) -> None:
    """B10, B21: `applied_at` of what was there stays."""
    setups.place.create("acme")
    setups.create("acme")
    when = "SELECT max(applied_at)::text, count(*) FROM c_acme.schema_migrations WHERE number <= 2"
    with setups.place.superuser() as session:
        before = one(session, when)
        setups.apply("acme", packaged())
        setups.apply("acme", grown("CREATE TABLE more (id int)"))
        assert one(session, when) == before
    assert setups.ledger("c_acme") == [*FIRST_TWO, (3, "more_1")]


def test_what_fails_is_undone_whole_named_and_done_by_the_next_run(setups: Setups) -> None:
    """B20, B21: the step stops at the first error; what came before it stays."""
    setups.place.create("acme")
    broken = grown(
        "CREATE TABLE kept (id int)", "CREATE TABLE half (id int); SELECT 1/0", "CREATE TABLE never (id int)"
    )
    with pytest.raises(PostgresError, match=r"schema c_acme in .*: migration 0004_more_2 failed .* division by zero"):
        setups.apply("acme", broken)
    assert setups.ledger("c_acme") == [*FIRST_TWO, (3, "more_1")]
    with setups.place.superuser() as session:
        made = "SELECT to_regclass('c_acme.kept') IS NULL, to_regclass('c_acme.half'), to_regclass('c_acme.never')"
        assert one(session, made) == (False, None, None)
    setups.apply("acme", grown("CREATE TABLE kept (id int)", "CREATE TABLE half (id int)"))
    assert len(setups.ledger("c_acme")) == 4


def test_an_applied_migration_that_was_edited_is_refused_and_the_roles_are_closed_all_the_same(setups: Setups) -> None:
    """B21, G46: nothing that stands in a ledger may keep a tenant open."""
    setups.place.create("acme")
    made = setups.create("acme")
    first, second = packaged().migrations
    edited = MigrationSet((first, Migration(2, second.name, second.sql + "-- edited\n")))
    with pytest.raises(
        LedgerError, match=r"schema c_acme in .* has migration 0002_row_level_security with another text"
    ):
        setups.apply("acme", edited, blocked=True)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        setups.connect(made, "viewer")


def test_a_policy_that_says_something_else_is_replaced_and_the_tenants_own_stays(setups: Setups) -> None:
    """B20: by its name; a ledger that the tenant has dropped is filled again, and no row is lost by it."""
    tenant = setups.place.create("acme")
    made = setups.create("acme")
    with setups.place.connect(tenant) as session:
        session.execute(PEOPLE)
        session.execute(
            'ALTER POLICY "Users can view own profile" ON profiles USING (true);'
            'DROP POLICY "Users can create projects" ON projects;'
            'CREATE POLICY "Users can create projects" ON projects FOR SELECT USING (true);'
            "CREATE POLICY own ON profiles FOR DELETE USING (true); ALTER TABLE profiles ADD phone text;"
            "DROP TABLE schema_migrations"
        )
    seen = setups.refresh(made)
    assert seen.outs["version"] == version_of([])
    setups.update(seen, "acme")
    with setups.place.superuser() as session:
        assert session.execute(POLICIES).fetchall() == [
            *FOUR[:2],
            ("own", "profiles", "DELETE", "true", None),
            *FOUR[2:],
        ]
        assert one(session, "SELECT count(*), count(phone) FROM c_acme.profiles") == (2, 0)
    assert setups.ledger("c_acme") == FIRST_TWO


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ("CREATE TABLE profiles (id int PRIMARY KEY, text text)", "tables profiles or projects of another kind"),
        ("CREATE TABLE schema_migrations (version text)", "schema_migrations there is no ledger of ours: rename it"),
        ("CREATE VIEW schema_migrations AS SELECT 1 AS number, 'a' AS name, 'b' AS checksum", "no ledger of ours"),
    ],
)
def test_a_table_of_that_name_that_is_the_tenants_own_is_left_alone(setups: Setups, own: str, sentence: str) -> None:
    """B13, H6: row security on it would hide its rows from the tenant."""
    tenant = setups.place.create("acme")
    with setups.place.connect(tenant) as session:
        session.execute(own.encode())
        with pytest.raises(PostgresError, match=sentence):
            setups.create("acme")
        assert one(session, "SELECT count(*) FROM pg_policies") == (0,)
        assert one(session, "SELECT to_regclass('projects')") == (None,)


def test_a_tenant_that_has_dropped_its_tables_gets_no_others(setups: Setups) -> None:
    """What a tenant does to its tables is its own: they are not drift, and no run makes or drops anything."""
    tenant = setups.place.create("acme")
    made = setups.create("acme")
    with setups.place.connect(tenant) as session:
        session.execute("DROP TABLE projects; ALTER TABLE profiles DISABLE ROW LEVEL SECURITY")
    assert setups.read(made) == setups.props("acme")
    setups.update(made, "acme", blocked=True)
    with setups.place.superuser() as session:
        assert one(session, "SELECT to_regclass('c_acme.projects')") == (None,)


def test_two_runs_at_once_apply_each_migration_once(setups: Setups) -> None:
    """B21: the later run ends the earlier one's deputy, which is told; what is left the next run does."""
    setups.place.create("acme")
    slow = grown("SELECT pg_sleep(0.3); CREATE TABLE once (id int)", "CREATE TABLE twice (id int)")
    setups.apply("acme", packaged())

    def run() -> None:
        with suppress(PostgresError):
            setups.apply("acme", slow)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    setups.apply("acme", slow)
    assert setups.ledger("c_acme") == [*FIRST_TWO, (3, "more_1"), (4, "more_2")]
    assert [role for role in setups.place.server.roles() if role.startswith("migrate_")] == []


def test_what_a_tenant_has_planted_runs_with_no_rights_but_its_own(setups: Setups) -> None:
    """G23, F31: a trigger by RESET ROLE; a policy and an index expression on the ledger; a view in its place."""
    tenant = setups.place.create("acme")
    made = setups.create("acme")
    with setups.place.connect(tenant) as session:
        session.execute(
            "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $$ BEGIN EXECUTE 'RESET ROLE';"
            " INSERT INTO c_acme.seen VALUES (session_user, current_user); RETURN new; END $$;"
            "CREATE TABLE seen (session name, who name); GRANT ALL ON seen TO PUBLIC;"
            "CREATE FUNCTION note(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
            " IF session_user = 'admin' THEN RAISE EXCEPTION 'ran as the admin'; END IF; RETURN $1; END $$;"
            "CREATE TRIGGER fire BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION fire();"
            "CREATE INDEX ON schema_migrations ((note(1)));"
            "ALTER TABLE schema_migrations ADD CHECK (note(number) > 0);"
            "CREATE POLICY peep ON schema_migrations USING (note(number) > 0) WITH CHECK (true);"
            "ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY"
        )
        with setups.place.admin() as admin, pytest.raises(errors.RaiseException, match="ran as the admin"):
            admin.execute("SELECT number FROM c_acme.schema_migrations")
        assert setups.read(made) == setups.props("acme")
        setups.apply("acme", grown("SELECT 1"))
        assert session.execute("SELECT DISTINCT session::text, who::text FROM seen").fetchall() == [
            ("migrate_c_acme", "migrate_c_acme")
        ]
        session.execute("ALTER TABLE schema_migrations FORCE ROW LEVEL SECURITY")
        assert setups.read(made)["version"] == "unreadable"
        session.execute("DROP TABLE schema_migrations")
        session.execute("CREATE VIEW schema_migrations AS SELECT note(1) AS number, ''::text AS name, '' AS checksum")
        assert setups.read(made)["version"] == "unreadable"
