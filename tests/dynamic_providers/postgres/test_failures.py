"""Servers that are away, databases that are gone, sessions that are killed, admins who may too little."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import strategies as st
from psycopg import sql

from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.connection import DatabaseAbsentError, Limits, PostgresError
from tests.dynamic_providers.postgres.place import (
    ADMIN,
    DATABASE,
    Place,
    configured_provider,
)

DNS_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_a_server_that_is_away_reads_as_damage_and_never_as_absence(place: Place) -> None:
    """G17: nothing is forgotten and nothing is made for a time-out, and a refresh goes on to what can be mended."""
    made = place.create("acme")
    away = made.outs | {"port": 1}
    provider = configured_provider(**{"timeweb:retrySeconds": 0.1})
    seen = provider.read(made.id, away)
    assert seen.id == made.id
    assert "on 127.0.0.1:1 cannot be reached as admin" in (seen.inputs or {})["layout"]
    assert (seen.outs or {})["password"] == made.outs["password"]
    with pytest.raises(ProviderError, match=r"on 127.0.0.1:1 cannot be reached as admin"):
        provider.delete(made.id, away)


def test_a_wrong_admin_password_reads_as_damage_and_never_as_absence(place: Place) -> None:
    made = place.create("acme")
    provider = configured_provider(**{"tenantry:adminSecret": "another", "timeweb:retrySeconds": 0.1})
    assert "password authentication failed" in (provider.read(made.id, made.outs).inputs or {})["layout"]
    assert place.tenant_roles() == ["c_acme", "c_acme_owner"]


def test_a_lost_database_is_damage_and_its_roles_can_be_removed(place: Place) -> None:
    """G17: the server itself says so. Forgotten, the tenant would come back with another password."""
    made = place.create("acme")
    place.server.drop_database(DATABASE)
    assert "does not exist" in place.read(made)["layout"]
    place.delete(made)
    assert place.tenant_roles() == []
    impatient = configured_provider(**{"timeweb:retrySeconds": 0.1})
    with pytest.raises(DatabaseAbsentError, match="does not exist"):
        impatient.create(place.props("acme"))


def test_a_database_that_is_still_being_made_is_waited_for(place: Place) -> None:
    place.server.drop_database(DATABASE)
    later = threading.Timer(0.3, place.server.create_database, [DATABASE, ADMIN])
    later.start()
    made = place.create("acme")
    later.join()
    assert place.read(made) == place.props("acme")


def kill_waiting_session(observer: psycopg.Connection, running: Future[Any]) -> None:
    """Ends the provider's session as soon as it waits for a lock."""
    kill = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'tenantry' AND wait_event_type = 'Lock'
        """
    while not observer.execute(kill).fetchall():
        assert not running.done()


def test_a_change_that_is_killed_half_way_leaves_nothing(place: Place) -> None:
    """One transaction: the roles were made already when the schema had to wait, and they are gone."""
    provider = configured_provider(**{"timeweb:retrySeconds": 0.01})
    with place.superuser() as gate, place.superuser() as observer, ThreadPoolExecutor(1) as pool:
        gate.execute("BEGIN; LOCK TABLE pg_namespace IN SHARE MODE")
        running = pool.submit(provider.create, place.props("acme"))
        kill_waiting_session(observer, running)
        with pytest.raises(PostgresError):
            running.result()
    assert place.tenant_roles() == []
    place.create("acme")


def test_a_change_outlives_a_session_that_is_killed(place: Place) -> None:
    with place.superuser() as gate, place.superuser() as observer, ThreadPoolExecutor(1) as pool:
        gate.execute("BEGIN; LOCK TABLE pg_namespace IN SHARE MODE")
        running = pool.submit(place.create, "acme")
        kill_waiting_session(observer, running)
        gate.execute("COMMIT")
        made = running.result()
    assert place.read(made) == place.props("acme")


def test_a_server_that_restarts_in_the_middle_of_a_change_is_waited_for(place: Place) -> None:
    """F37: the connection breaks under the change, the server is away, and comes back: one tenant, whole."""
    # Closed by hand: the restart ends them too, and the end of a block would want to commit.
    gate, observer = place.superuser(), place.superuser()
    wait = "SELECT FROM pg_stat_activity WHERE application_name = 'tenantry' AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        gate.execute("BEGIN; LOCK TABLE pg_namespace IN SHARE MODE")
        running = pool.submit(place.create, "acme")
        while not observer.execute(wait).fetchall():
            assert not running.done()
        place.server.stop()
        place.server.start(place.port)
        made = running.result()
    for session in (gate, observer):
        session.close()
    assert place.read(made) == place.props("acme")
    assert place.tenant_roles() == ["c_acme", "c_acme_owner"]


def test_a_server_that_has_no_connection_left_is_waited_for(place: Place) -> None:
    """F37: too many connections is the server's answer to a full house, and passes."""
    with place.superuser() as session:
        session.execute("ALTER ROLE admin CONNECTION LIMIT 0")
        later = threading.Timer(0.5, session.execute, ["ALTER ROLE admin CONNECTION LIMIT -1"])
        later.start()
        made = place.create("acme")
        later.join()
    assert place.read(made) == place.props("acme")


def test_a_lock_that_is_held_too_long_ends_in_a_sentence_and_the_next_run_succeeds(place: Place) -> None:
    """F37: nothing is half made."""
    provider = configured_provider()
    provider.limits = Limits(total=0.5, lock=1)
    with place.superuser() as gate:
        gate.execute("BEGIN; LOCK TABLE pg_namespace IN SHARE MODE")
        with pytest.raises(PostgresError, match="another session holds the object; end it and run again"):
            provider.create(place.props("acme"))
    assert place.tenant_roles() == []
    assert place.read(place.create("acme")) == place.props("acme")


@pytest.mark.parametrize("step", ["update", "delete"])
def test_an_operation_that_is_killed_at_every_statement_converges(place: Place, step: str) -> None:
    """F37: whichever session is ended, the next run makes it whole or takes it all."""
    made = place.create("acme")
    impatient = configured_provider()
    impatient.limits = Limits(total=0.01)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tenantry'"
    wanted = place.props("acme", blocked=True)
    act = {
        "update": lambda: impatient.update(made.id, made.outs, wanted),
        "delete": lambda: impatient.delete(made.id, made.outs),
    }[step]
    with place.superuser("postgres") as killer, ThreadPoolExecutor(1) as pool:
        for _ in range(5):
            running: Future[Any] = pool.submit(act)
            while not running.done():
                killer.execute(kill)
            assert running.exception() is None or isinstance(running.exception(), ProviderError)
    if step == "update":
        changed = place.update(made, "acme", blocked=True)
        assert place.read(changed) == wanted
    place.delete(made)
    assert place.tenant_roles() == []


def test_an_admin_who_does_not_own_the_database_is_told_so_and_nothing_is_made(place: Place) -> None:
    """A REVOKE without the right to it is a mere warning: the tenant would be open to all."""
    with place.superuser() as session:
        session.execute(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(DATABASE)))
        session.execute(
            sql.SQL("GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {} TO admin WITH GRANT OPTION").format(
                sql.Identifier(DATABASE)
            )
        )
    with pytest.raises(PostgresError, match=r"must own the database.*PUBLIC has rights on the database"):
        place.create("acme")
    assert place.tenant_roles() == []


def test_a_server_that_is_away_costs_one_deadline_and_not_one_for_each_tenant(place: Place) -> None:
    """H14: after one has waited in vain the others fail at once; another login or server is asked as ever."""
    made = place.create("acme")
    provider = configured_provider(**{"timeweb:retrySeconds": 1.0})
    away = made.outs | {"port": 2}
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(ProviderError, match=r"on 127.0.0.1:2 cannot be reached as admin"):
            provider.delete(made.id, away)
    assert time.monotonic() - began < 3
    provider.delete(made.id, made.outs)
