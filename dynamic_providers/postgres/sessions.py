"""Other people's sessions: the lock that keeps our own changes apart, and the end of a blocked tenant's sessions."""

from collections.abc import Sequence

import psycopg

from dynamic_providers.postgres.connection import Address, Limits, PostgresError, transact
from dynamic_providers.waiting import Pace, wait_until

PAUSE_SECONDS = 0.05
_QUIET_LOOKS = 2

# Any two numbers, for ever: processes of all versions must take the same lock.
_LOCK = {"first": 1953391982, "second": 1936024437}
_TAKE = "SELECT pg_advisory_xact_lock(%(first)s, %(second)s)"
# A tenant can take the lock too and so keep us from blocking it. Whoever holds or awaits it and is not us is ended.
_END_INTRUDERS = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = %(first)s AND objid = %(second)s AND objsubid = 2
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND usename <> current_user AND pg_has_role(usesysid, 'USAGE')
"""
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY (%s)"
_STATE = """
SELECT array_remove(array_agg(CASE WHEN rolcanlogin THEN rolname::text END), NULL),
    coalesce(sum((SELECT count(*) FROM pg_stat_activity WHERE usesysid = pg_roles.oid)), 0)
FROM pg_roles WHERE rolname = ANY (%s)
"""


def take_lock(connection: psycopg.Connection) -> None:
    """Waits until no other change of ours runs in this database; the lock ends with the transaction."""
    connection.execute(_END_INTRUDERS, _LOCK)
    connection.execute(_TAKE, _LOCK)


def ask_sessions_to_end(connection: psycopg.Connection, *logins: str) -> None:
    """Tells every session of `logins` to end; new ones may come unless they are NOLOGIN."""
    connection.execute(_END, [list(logins)])


def end_sessions(address: Address, logins: Sequence[str], limits: Limits) -> None:
    """Ends the sessions of logins that are NOLOGIN, and returns when two looks in a row saw none.

    A session that was let in just before the change shows up a moment later, hence the second look.

    Raises:
        PostgresError: a login is not NOLOGIN.
        DeadlineError: sessions are left at the deadline.

    """
    quiet = 0

    def look(connection: psycopg.Connection) -> int:
        nonlocal quiet
        open_, sessions = connection.execute(_STATE, [list(logins)]).fetchone() or (None, 0)
        if open_:
            raise PostgresError(f"{address}: {', '.join(open_)} can log in although it is to be blocked; run again")
        ask_sessions_to_end(connection, *logins)
        connection.commit()  # within one transaction every look would see the same sessions
        quiet = 0 if sessions else quiet + 1
        return int(sessions)

    def wait(connection: psycopg.Connection) -> None:
        wait_until(
            lambda: look(connection),
            lambda sessions: f"{sessions} are left" if quiet < _QUIET_LOOKS else "",
            what=f"{address}: the end of the sessions of {', '.join(logins)}",
            pace=Pace(PAUSE_SECONDS, limits.total),
        )

    transact(address, wait, limits)
