"""Connections to a cluster as its admin: one per operation, one transaction each, repeated while failures pass.

PostgresError                    one sentence with server, database and what to do; holds no password
├── UnreachableError             no connection within the deadline: says nothing about what exists
├── ServerAbsentError            whoever runs the server says that it does not exist
└── DatabaseAbsentError          the server itself, asked in its maintenance database, knows no such database
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import LiteralString, Self, TypeVar

import psycopg
import stamina
from psycopg import errors

from dynamic_providers.circuit import Circuit
from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.authority import authority_file

MAINTENANCE_DATABASE = "postgres"
# libpq's word for the authorities that the machine trusts, in place of the name of a file.
SYSTEM_AUTHORITIES = "system"

# Another session was in the way, or the server is just not there; each ends by itself.
_PASSING = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.ObjectInUse,
    errors.TooManyConnections,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
)
# The catalogue has no state of its own for these; the text is never translated.
_PASSING_TEXTS = ("tuple concurrently updated", "tuple concurrently deleted")

Result = TypeVar("Result")


class PostgresError(ProviderError):
    """The server refused a statement, or a rule of ours."""


class UnreachableError(PostgresError):
    """No connection within the deadline."""


class ServerAbsentError(PostgresError):
    """The server is proven absent, by whoever runs it; and with it all that was on it."""


class DatabaseAbsentError(PostgresError):
    """The database is proven absent: its server answers and does not list it."""


@dataclass(frozen=True)
class Limits:
    """How long one operation may take, in seconds: all its attempts together, and the waits within one attempt.

    `circuit` knows the servers that others have waited for in vain.
    """

    total: float = 60.0
    connect: int = 10
    lock: int = 10
    statement: int = 120
    circuit: Circuit | None = None


@dataclass(frozen=True)
class Address:
    """Where a database is and who we are there; the password stays out of `repr`.

    `ca` is the PEM text of the authority that the server's certificate is checked against, where `sslmode` asks for
    it, or SYSTEM_AUTHORITIES; None leaves that to libpq. `maintenance` is a database that is always there and that we
    may log in to.
    """

    host: str
    port: int
    database: str
    login: str
    password: str = field(repr=False)
    sslmode: str
    ca: str | None = field(default=None, repr=False)
    maintenance: str = MAINTENANCE_DATABASE

    def __str__(self) -> str:
        return f"database {self.database} on {self.host}:{self.port}"

    def at(self, database: str) -> Self:
        """The same server and login, another database."""
        return replace(self, database=database)

    @property
    def root_certificate(self) -> str | None:
        """What libpq calls `sslrootcert`, where an authority is given; the file is there when this returns."""
        return self.ca if self.ca in {None, SYSTEM_AUTHORITIES} else str(authority_file(self.ca))


def transact(
    address: Address,
    work: Callable[[psycopg.Connection], Result],
    limits: Limits,
    *,
    awaits_database: bool = True,
    autocommit: bool = False,
) -> Result:
    """What `work` returns; it runs in one transaction on a connection of its own, which is closed.

    A failure that passes is answered by a fresh transaction until the deadline, so `work` must be repeatable.
    With `autocommit` every statement is a transaction of its own, as CREATE DATABASE asks for.
    A database that is being made is waited for, unless `awaits_database` is False.

    Raises:
        PostgresError: and its kinds; see the module.
        AwayError: another operation has waited for this server in vain.

    """

    def repeats(error: Exception) -> bool:
        return passes(error) or (awaits_database and isinstance(error, DatabaseAbsentError))

    attempts = stamina.retry_context(
        on=repeats, attempts=None, timeout=limits.total, wait_initial=0.1, wait_max=2.0, wait_jitter=0.3
    )
    circuit, server = limits.circuit or Circuit(), (address.host, address.port, address.login)
    began = circuit.clock()
    try:
        for attempt in attempts:
            circuit.check(server)
            with attempt, _connect(address, limits) as connection:
                circuit.answered(server)
                connection.autocommit = autocommit
                return work(connection)
    except psycopg.Error as error:
        if error.sqlstate is None:
            circuit.lost(server, began, f"{_sentence(address, error)}: not asked again now")
        # Not chained: a driver error may quote the statement, and with it a password's verifier.
        raise _sentence(address, error) from None
    raise AssertionError("stamina ends by a return or an error")


def _connect(address: Address, limits: Limits) -> psycopg.Connection:
    try:
        return _open(address, limits)
    except psycopg.OperationalError as failure:
        # The text of a refused connection may be in any language, so the server is asked instead.
        if _is_listed(address, limits):
            raise
        raise DatabaseAbsentError(f"{address} does not exist") from failure


def _is_listed(address: Address, limits: Limits) -> bool:
    """False only when the server answered and does not know the database."""
    query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)"
    try:
        with _open(address.at(address.maintenance), limits) as connection:
            row = connection.execute(query, [address.database]).fetchone()
    except psycopg.Error:
        return True
    return row is None or bool(row[0])


def _open(address: Address, limits: Limits) -> psycopg.Connection:
    settings = {
        "lock_timeout": f"{limits.lock}s",
        "statement_timeout": f"{limits.statement}s",
        "idle_in_transaction_session_timeout": f"{limits.statement}s",
        "search_path": "pg_catalog",  # a tenant may own schema public: none of its functions may run in our name
    }
    return open_session(address, settings, connect=limits.connect, application="tenantry")


def open_session(
    address: Address, settings: Mapping[str, str], *, connect: int, application: str
) -> psycopg.Connection:
    """A connection with these settings of the server, or the driver's own error; `connect` is in seconds."""
    return psycopg.connect(
        host=address.host,
        port=address.port,
        dbname=address.database,
        user=address.login,
        password=address.password,
        sslmode=address.sslmode,
        sslrootcert=address.root_certificate,
        connect_timeout=connect,
        application_name=application,
        options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
    )


def passes(error: Exception) -> bool:
    """Whether the failure ends by itself, so that `transact` tries again."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)  # no connection, or it broke
    return isinstance(error, _PASSING) or (error.diag.message_primary or "").startswith(_PASSING_TEXTS)


def _sentence(address: Address, error: psycopg.Error) -> PostgresError:
    if error.sqlstate is None:
        reason = " ".join(str(error).split())
        return UnreachableError(f"{address} cannot be reached as {address.login}: {reason}")
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    return PostgresError(
        f"{address} refused {address.login}: {error.diag.message_primary}{detail} [{error.sqlstate}]{_advice(error)}"
    )


def _advice(error: psycopg.Error) -> str:
    advice: dict[type[psycopg.Error], LiteralString] = {
        errors.InsufficientPrivilege: "the login must be the cluster's admin that owns the database and made its roles",
        errors.LockNotAvailable: "another session holds the object; end it and run again",
        errors.DependentObjectsStillExist: "drop or move what depends on it, then run again",
    }
    text = advice.get(type(error))
    return f"; {text}" if text else ""
