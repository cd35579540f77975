"""One statement in one transaction, as a login of a tenant's database, within a time and a number of rows."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import stamina
from psycopg import errors
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.string import TextLoader

from dynamic_providers.postgres.connection import Address, open_session
from lifecycle.errors import DataError, RefusedError
from lifecycle.grants import changes_roles, differ, grants, settle

CONNECT_SECONDS = 10
LONGEST_IDLE_SECONDS = 60
# Types whose values have no like in JSON, or none in Python for all of them (`infinity`, the year 5000 BC).
_AS_TEXT = (
    *("numeric", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "bytea", "inet", "cidr"),
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"),
)
# What a statement may be that no cursor can be declared for: the server says so before it has run any of it.
_NO_CURSOR = (errors.SyntaxError, errors.FeatureNotSupported, errors.InvalidCursorDefinition)
_DECLARE = "DECLARE tenantry_answer NO SCROLL CURSOR FOR "


@dataclass(frozen=True)
class Statement:
    """What is to be run: for which user, for at most so many seconds, and with at most so many rows in the answer.

    `may_grant` is False for who may change no grants.
    """

    text: str = field(repr=False)
    user: str
    seconds: float
    rows: int
    may_grant: bool


@dataclass(frozen=True)
class Answer:
    """What came of it; `row_count` are the rows of the answer, of a change those that were changed.

    `milliseconds` is how long the statement itself took; `truncated` says that there are more rows than were asked for.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    row_count: int
    milliseconds: float
    truncated: bool

    def as_json(self) -> dict[str, Any]:
        """`{"rows": [{"column": value}], "rowCount": 1, "executionTime": 1.2, "truncated": false}`."""
        return {
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "rowCount": self.row_count,
            "executionTime": self.milliseconds,
            "truncated": self.truncated,
        }


def run(address: Address, search_path: str, statement: Statement) -> Answer:
    """Runs the statement and commits it; where anything fails, nothing of it has happened.

    Raises:
        RefusedError: the statement failed, took too long, or did what its role may not.
        DataError: the database does not let us in.

    """
    with _session(address, search_path, statement) as connection, _told(statement):
        _for_json(connection)
        connection.execute("SELECT pg_catalog.set_config('app.user_id', %s, true)", [_end_user(statement.user)])
        before = None if statement.may_grant else grants(connection)
        answer = _answer(connection, statement)
        if connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise RefusedError("every statement has a transaction of its own: none can begin or end one")
        settle(connection)
        if changes_roles(connection):
            raise RefusedError("the statement changes a role, and roles are tenantry's: nothing was changed")
        if before is not None and differ(before, grants(connection)):
            raise RefusedError("the statement changes grants, which only an owner may: nothing was changed")
        connection.commit()
        return answer


@contextmanager
def _session(address: Address, search_path: str, statement: Statement) -> Iterator[psycopg.Connection]:
    """A connection of its own, closed at the end, with whatever was not committed undone."""
    settings = {
        "statement_timeout": f"{max(1, math.ceil(statement.seconds * 1000))}",
        "idle_in_transaction_session_timeout": f"{LONGEST_IDLE_SECONDS}s",
        "search_path": search_path,
    }
    # A role takes few connections at once, and nothing has been sent yet: whoever comes first is waited for.
    patience = stamina.retry_context(
        on=psycopg.OperationalError,
        attempts=None,
        timeout=min(CONNECT_SECONDS, statement.seconds),
        wait_initial=0.05,
        wait_max=0.5,
    )
    try:
        for attempt in patience:
            with attempt:
                connection = open_session(address, settings, connect=CONNECT_SECONDS, application="tenantry query")
    except psycopg.Error:
        # Not chained: the driver tells host, port and role.
        raise DataError("the tenant's database cannot be reached now, or takes no more connections") from None
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _told(statement: Statement) -> Iterator[None]:
    """The server's words for what is wrong with a statement, without where it was run or what it said."""
    try:
        yield
    except errors.QueryCanceled:
        sentence = f"the statement took longer than {statement.seconds:g} s and was ended: nothing was changed"
        raise RefusedError(sentence) from None
    except psycopg.Error as error:
        if error.sqlstate is None and isinstance(error, psycopg.OperationalError):
            raise DataError("the connection to the tenant's database broke: whether it ran is not known") from None
        words = error.diag.message_primary or "it is of a kind that cannot be run here"
        raise RefusedError(f"the database refused the statement: {' '.join(words.split())}") from None


def _answer(connection: psycopg.Connection, statement: Statement) -> Answer:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        if asked_for := _declared(connection, statement):
            cursor.execute(f"FETCH FORWARD {statement.rows + 1:d} FROM tenantry_answer".encode())
        else:
            # What a change returns comes as a whole: a change is not cut off in the middle.
            cursor.execute(_bytes(statement.text), prepare=True)
            if cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.EMPTY_QUERY:
                raise RefusedError("there is no statement to run")
        found = cursor.fetchmany(statement.rows + 1) if cursor.description else []
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        rows = tuple(tuple(map(_plain, row)) for row in found[: statement.rows])
        return Answer(
            columns=_distinct([column.name for column in cursor.description or ()]),
            rows=rows,
            row_count=len(rows) if asked_for else max(0, cursor.rowcount),
            milliseconds=milliseconds,
            truncated=len(found) > len(rows),
        )


def _declared(connection: psycopg.Connection, statement: Statement) -> bool:
    """Whether the rows can be asked for a few at a time: the server makes no more of them than it is asked for."""
    try:
        with connection.transaction():
            # Prepared, so that the server refuses a text of several statements.
            connection.execute(_bytes(f"{_DECLARE}{statement.text}"), prepare=True)
    except _NO_CURSOR:
        return False
    return True


def _end_user(user: str) -> str:
    """Who `auth.uid()` says it is: it knows uuids only, and for whoever is known by an address it is nobody."""
    try:
        return str(UUID(user))
    except ValueError:
        return ""


def _bytes(text: str) -> bytes:
    """What a terminal gave as no text is handed on as it came, for the server to refuse."""
    return text.encode(errors="surrogateescape")


def _for_json(connection: psycopg.Connection) -> None:
    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)


def _plain(value: object) -> object:
    """A value as JSON has it; what JSON has no word for is text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names for the keys of an object: the second `id` is `id_2`."""
    found: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return tuple(found)
