"""The probes in databases, in three stages.

At home: every tenant of a server opens a session in its own database, makes there what the others reach for, and runs
its controls; when all are ready, each tries what can be reached from where it is. Elsewhere: every tenant tries to get
in where it has no business, be it others' databases, nobody's, the platform's, or any of them under another's name. At
the end what was made is taken away, also where something failed.

A login of a small plan has one connection, so no tenant ever has two sessions. What is tried is rolled back.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from components.outputs import DatabaseOutput
from lifecycle import isolation_probes as probes
from lifecycle.certificate import ALLOWED, Ledger
from lifecycle.isolation_probes import SqlProbe, Subject
from lifecycle.isolation_sessions import (
    Place,
    attempt,
    databases_of,
    home,
    identity,
    log_in,
    place_of,
    refused_login,
    session,
    trial,
)

log = logging.getLogger(__name__)

AT_ONCE = 8
PLATFORM = "the platform"
LOG_IN, DISGUISE = "SQL: log in to its database", "SQL: log in by its name"
PREPARE, CLEAR = "SQL: make what the others reach for", "SQL: take away what was made"
LOG_IN_AT_PLATFORM = "SQL: log in to the platform's database"


@dataclass(frozen=True)
class Resident:
    """A tenant in its own database; `databases` are all that its server lists."""

    name: str
    output: DatabaseOutput = field(repr=False)
    place: Place
    subject: Subject
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probing:
    """One run over the databases: who is to try whom (itself included), and where the results go."""

    wanted: frozenset[tuple[str, str]]
    ledger: Ledger
    residents: dict[str, Resident] = field(default_factory=dict)

    def at_home(self) -> tuple[Resident, ...]:
        """Who has moved in so far; on other servers they still do."""
        return tuple(self.residents.values())

    def targets(self, by: Resident) -> Iterator[Resident]:
        """Whom a tenant is to try."""
        return (other for other in self.at_home() if other.name != by.name and (by.name, other.name) in self.wanted)

    def foreign_roles(self, by: Resident) -> list[str]:
        """The roles of the others on a tenant's server."""
        same = (other for other in self.at_home() if other.place.server == by.place.server and other != by)
        return [role for other in same for role in other.subject.roles]


def probe_databases(
    outputs: Mapping[str, DatabaseOutput],
    wanted: frozenset[tuple[str, str]],
    everybodys: Sequence[DatabaseOutput],
    platform: str | None,
    ledger: Ledger,
) -> None:
    """Run all stages; `everybodys` are the databases of all tenants, also of those who are not probed."""
    probing = Probing(wanted, ledger)
    servers: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, output in outputs.items():
        servers[home(output).server].append(name)
    taken = {home(output).key for output in everybodys}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(lambda names: _at_home(probing, {name: outputs[name] for name in names}), servers.values()))
            if platform is not None:
                place, login, password = place_of(platform)
                ledger.control(PLATFORM, LOG_IN_AT_PLATFORM, log_in(place, login, password).word)
            list(pool.map(lambda each: _elsewhere(probing, each, taken, platform), probing.at_home()))
        finally:
            list(pool.map(lambda each: _clear(probing, each), probing.at_home()))


def _at_home(probing: Probing, outputs: Mapping[str, DatabaseOutput]) -> None:
    """The first stage on one server: sessions are open together, so that each has others' to look at."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:

        def settle(name: str) -> tuple[Resident, psycopg.Connection] | None:
            return _settle(probing, name, outputs[name], stack)

        settled = [each for each in pool.map(settle, outputs) if each is not None]
        list(pool.map(lambda each: _look_round(probing, *each), settled))


def _settle(
    probing: Probing, name: str, output: DatabaseOutput, stack: ExitStack
) -> tuple[Resident, psycopg.Connection] | None:
    """Log in, make what the others reach for, and show that the rightful tenant may do all that they may not."""
    ledger = probing.ledger
    try:
        connection = stack.enter_context(session(home(output), output.login, output.password))
    except psycopg.OperationalError as error:
        ledger.control(name, LOG_IN, refused_login(error).word)
        return None
    ledger.control(name, LOG_IN, ALLOWED)
    ledger.control(name, DISGUISE, ALLOWED)
    try:
        subject = identity(connection, output)
        with _as_owner(connection, subject):
            connection.execute(probes.unmakes(subject))
            subject = replace(subject, large_object=_large_object(connection, subject))
        databases = databases_of(connection)
    except psycopg.Error as error:
        ledger.control(name, PREPARE, f"fault: {error.sqlstate or type(error).__name__}")
        return None
    me = probing.residents[name] = Resident(name, output, home(output), subject, databases)
    with trial(connection):
        for probe in (*probes.AGAINST_OTHERS, *probes.AT_HOME, *probes.NOBODYS):
            if _has_subject(connection, probe, me):
                finds = probe.finds or probe.control is not None
                outcome = attempt(connection, probes.control(probe, subject), finds=finds)
                ledger.control(name, f"SQL: {probe.what}", outcome.word)
    return me, connection


@contextmanager
def _as_owner(connection: psycopg.Connection, subject: Subject) -> Iterator[None]:
    with connection.transaction():
        connection.execute(
            sql.SQL("SET LOCAL lock_timeout = '5s'; SET LOCAL ROLE {}").format(sql.Identifier(subject.owner))
        )
        yield


def _large_object(connection: psycopg.Connection, subject: Subject) -> int:
    cursor = connection.execute(probes.makes(subject))
    while cursor.nextset():
        pass
    return int((cursor.fetchone() or (0,))[0])


def _has_subject(connection: psycopg.Connection, probe: SqlProbe, me: Resident) -> bool:
    wanted = probes.condition(probe, me.subject)
    return wanted is None or attempt(connection, wanted, finds=True).word == ALLOWED


def _look_round(probing: Probing, me: Resident, connection: psycopg.Connection) -> None:
    """All that can be tried from a tenant's own session."""
    others = probing.foreign_roles(me)
    with trial(connection):
        for probe in probes.AT_HOME:
            if _has_subject(connection, probe, me):
                _try(probing, connection, probe, me, me, others=others)
        for other in probing.targets(me):
            if other.place.server == me.place.server:
                for probe in probes.AGAINST_OTHERS:
                    if probe.everywhere or other.place == me.place:
                        _try(probing, connection, probe, me, other)


def _try(
    probing: Probing,
    connection: psycopg.Connection,
    probe: SqlProbe,
    me: Resident,
    other: Resident,
    *,
    others: Sequence[str] = (),
) -> None:
    outcome = attempt(connection, probes.script(probe, me.subject, other.subject, others), finds=probe.finds)
    probing.ledger.attempt(me.name, other.name, f"SQL: {probe.what}", outcome.word, outcome.found)


def _elsewhere(probing: Probing, me: Resident, taken: set[tuple[str, int, str]], platform: str | None) -> None:
    """The second stage for one tenant, whose sessions at home have ended."""
    places: dict[Place, list[Resident]] = defaultdict(list)
    for other in probing.targets(me):
        outcome = log_in(other.place, other.output.login, me.output.password)
        probing.ledger.attempt(me.name, other.name, DISGUISE, outcome.word)
        if other.place != me.place:
            places[other.place].append(other)
    for place, others in places.items():
        _visit(probing, me, place, others)
    for name in me.databases:
        place = replace(me.place, database=name)
        if place.key not in taken:
            _visit_nobody(probing, me, place)
    if platform is not None:
        outcome = log_in(place_of(platform)[0], me.output.login, me.output.password)
        probing.ledger.attempt(me.name, PLATFORM, LOG_IN_AT_PLATFORM, outcome.word, control=PLATFORM)


def _visit(probing: Probing, me: Resident, place: Place, others: Sequence[Resident]) -> None:
    """Try to enter other tenants' database; to be let in is a success already."""
    try:
        with session(place, me.output.login, me.output.password) as connection, trial(connection):
            for other in others:
                probing.ledger.attempt(me.name, other.name, LOG_IN, ALLOWED)
                for probe in probes.AGAINST_OTHERS:
                    if not (probe.everywhere and place.server == me.place.server):
                        _try(probing, connection, probe, me, other)
    except psycopg.OperationalError as error:
        for other in others:
            probing.ledger.attempt(me.name, other.name, LOG_IN, refused_login(error).word)


def _visit_nobody(probing: Probing, me: Resident, place: Place) -> None:
    """Try a database that is no tenant's; to be let in is no harm where there is nothing to find and to make."""
    against = f"database {place.database}"
    others = probing.foreign_roles(me)
    try:
        with session(place, me.output.login, me.output.password) as connection, trial(connection):
            for probe in probes.NOBODYS:
                outcome = attempt(connection, probes.script(probe, me.subject, me.subject, others), finds=probe.finds)
                probing.ledger.attempt(
                    me.name, against, f"SQL: {probe.what}", outcome.word, outcome.found, control=me.name
                )
    except psycopg.OperationalError as error:
        word = refused_login(error, knows_all=me.place.is_server).word
        probing.ledger.attempt(me.name, against, LOG_IN, word, control=me.name)


def _clear(probing: Probing, me: Resident) -> None:
    """The last stage for one tenant."""
    try:
        with (
            session(me.place, me.output.login, me.output.password) as connection,
            _as_owner(connection, me.subject),
        ):
            connection.execute(probes.unmakes(me.subject))
    except psycopg.Error as error:
        log.warning("%s: the table %s is left in its schema: the next certificate takes it away", me.name, probes.PROBE)
        probing.ledger.control(me.name, CLEAR, f"fault: {error.sqlstate or type(error).__name__}")
