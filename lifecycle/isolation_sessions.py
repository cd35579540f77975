"""A tenant's sessions for the probes: where it is at home, how it logs in, and what came of one script."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import stamina
from psycopg import sql

from components.outputs import DatabaseOutput
from lifecycle.certificate import ALLOWED, REFUSED
from lifecycle.isolation_probes import Subject

CONNECT_SECONDS = 10
# The session before this one may still be ending at the server, where a login may have but one.
LEAVING_SECONDS = 5
FOUND_AT_MOST, FOUND_LENGTH = 20, 200
_INSUFFICIENT_PRIVILEGE = "42501"
# A refused login has no state that the driver hands on. Anything else (a time-out, an unknown database) proves nothing.
_REFUSED_LOGINS = (
    "authentication failed",
    "permission denied for database",
    "is not permitted to log in",
    "no pg_hba.conf entry",
)
# A pooler before the server knows its tenants' databases and no other.
_UNKNOWN_TO_POOLERS = ("no such database", "database does not exist")
_BEGIN = sql.SQL("BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '20s'; SAVEPOINT probe")
_AGAIN = sql.SQL("ROLLBACK TO SAVEPOINT probe; SET LOCAL ROLE NONE; ")
_IDENTITY = """
SELECT session_user::text, current_user::text, ARRAY(
    SELECT rolname::text FROM pg_roles WHERE rolname IN (session_user, current_user)
    OR starts_with(rolname, regexp_replace(current_user, '_owner$', '') || '_as_') ORDER BY rolname
)
"""
_DATABASES = "SELECT datname::text FROM pg_database WHERE datallowconn ORDER BY datname"


@dataclass(frozen=True)
class Place:
    """A database as one can reach it; `ca` is the PEM of the authority that its server's certificate is checked by."""

    host: str
    port: int
    database: str
    sslmode: str
    ca: str | None = field(default=None, repr=False)
    is_server: bool = True
    """Whether this is the server itself, and no pooler before it."""

    @property
    def server(self) -> tuple[str, int]:
        """What its databases have in common."""
        return self.host, self.port

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from other databases."""
        return self.host, self.port, self.database


@dataclass(frozen=True)
class Outcome:
    """What came of a script: `allowed`, `refused` or `fault: …`; `found` are the first rows of a query that finds."""

    word: str
    found: tuple[str, ...] = ()


def home(output: DatabaseOutput) -> Place:
    """Where the tenant's URL leads, be it the server or the pooler before it.

    A pool may hold all the connections that the login is allowed, so behind a pooler the server itself is not tried:
    the same login runs the same statements on the same server either way.
    """
    at = psycopg.conninfo.conninfo_to_dict(output.database_url)
    host, port = str(at["host"]), int(str(at.get("port", 5432)))
    is_server = (host, port) == (output.host, output.port)
    sslmode = str(at.get("sslmode", output.sslmode))
    return Place(host, port, str(at["dbname"]), sslmode, output.ca if is_server else None, is_server)


def place_of(url: str) -> tuple[Place, str, str]:
    """Where a URL leads, with its login and password."""
    at = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
    place = Place(at["host"], int(at.get("port", "5432")), at["dbname"], at.get("sslmode", "prefer"))
    return place, at["user"], at["password"]


@contextmanager
def session(place: Place, login: str, password: str) -> Iterator[psycopg.Connection]:
    """A session in which nothing has been done; `psycopg.OperationalError` where there is none to be had."""
    with _authority(place) as authority:
        for attempt in stamina.retry_context(on=_still_leaving, attempts=None, timeout=LEAVING_SECONDS):
            with attempt:
                connection = psycopg.connect(
                    host=place.host,
                    port=place.port,
                    dbname=place.database,
                    user=login,
                    password=password,
                    sslmode=place.sslmode,
                    sslrootcert=authority,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="tenantry verify",
                    autocommit=True,
                    # A pooler hands every transaction another session.
                    prepare_threshold=None,
                )
    with connection:
        yield connection


@contextmanager
def _authority(place: Place) -> Iterator[str | None]:
    """The file of authorities that libpq asks for by name."""
    if place.ca is None:
        # Public authorities, which libpq only looks at when told so.
        yield "system" if place.sslmode == "verify-full" else None
        return
    with tempfile.TemporaryDirectory(prefix="tenantry-") as folder:
        file = Path(folder) / "ca.pem"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(place.ca)
        yield str(file)


def _still_leaving(error: Exception) -> bool:
    return isinstance(error, psycopg.OperationalError) and "too many connections for role" in str(error)


def refused_login(error: psycopg.OperationalError, *, knows_all: bool = True) -> Outcome:
    """What a failed login comes to; behind a pooler that does not know all databases an unknown one is refused too."""
    texts = _REFUSED_LOGINS if knows_all else (*_REFUSED_LOGINS, *_UNKNOWN_TO_POOLERS)
    return Outcome(REFUSED) if any(text in str(error) for text in texts) else _fault(error)


def log_in(place: Place, login: str, password: str) -> Outcome:
    """Whether somebody is let in."""
    try:
        with session(place, login, password):
            return Outcome(ALLOWED)
    except psycopg.OperationalError as error:
        return refused_login(error)


def identity(connection: psycopg.Connection, output: DatabaseOutput) -> Subject:
    """Who a tenant is at home."""
    row = connection.execute(_IDENTITY).fetchone()
    if row is None:
        raise AssertionError("a query of one row answered none")
    login, owner, roles = row
    return Subject(login, owner, output.schema_name, output.database, tuple(roles))


def databases_of(connection: psycopg.Connection) -> tuple[str, ...]:
    """All databases of the server that one may try to reach."""
    return tuple(row[0] for row in connection.execute(_DATABASES))


@contextmanager
def trial(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction for scripts that is rolled back, whatever they have done."""
    with contextlib.suppress(psycopg.Error):
        connection.execute(_BEGIN)
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.execute("ROLLBACK")


def attempt(connection: psycopg.Connection, script: sql.Composable, *, finds: bool) -> Outcome:
    """Run a script within a `trial`, from where that began; in one round trip."""
    try:
        cursor = connection.execute(_AGAIN + script)
        while cursor.nextset():
            pass
        rows: Sequence[tuple[object, ...]] = cursor.fetchmany(FOUND_AT_MOST) if finds and cursor.description else ()
    except psycopg.Error as error:
        return Outcome(REFUSED) if error.sqlstate == _INSUFFICIENT_PRIVILEGE else _fault(error)
    if finds and not rows:
        return Outcome(REFUSED)
    return Outcome(ALLOWED, tuple(str(row[0])[:FOUND_LENGTH] for row in rows))


def _fault(error: psycopg.Error) -> Outcome:
    return Outcome(f"fault: {error.sqlstate or type(error).__name__}")
