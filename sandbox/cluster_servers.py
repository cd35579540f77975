"""Real PostgreSQL servers behind simulated clusters: one per cluster, each in a folder of its own."""

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from sandbox.database_contents import ensure
from sandbox.postgres import HOST, Binaries, PostgresServer, PostgresServerError
from sandbox.simulators.server import PortTakenError, bind
from sandbox.simulators.servers import Address, Contents

HOST_NAME = "localhost"
_NOTES = "cluster.json"
PORTS_TRIED = 1000
# A major version that is not installed here is played by the nearest one that is.
_BUILDS: Mapping[str, tuple[str, ...]] = {
    "postgres14": ("system15", "pixeltable16", "embedded"),
    "postgres15": ("system15", "embedded", "pixeltable18"),
    "postgres16": ("pixeltable16", "embedded"),
    "postgres17": ("embedded", "pixeltable18"),
    "postgres18": ("embedded", "pixeltable18"),
}


@dataclass
class _Slot:
    """One cluster's server: where it is, and what is known about it since this process began."""

    folder: Path
    build: str
    server: PostgresServer
    port: int
    lock: threading.RLock = field(default_factory=threading.RLock)
    passwords: dict[str, str] = field(default_factory=dict)
    running: bool = False
    removed: bool = False
    failure: str | None = None


class PostgresServers:
    """Servers under `folder`, on ports from `first_port` up (0: any). A cluster keeps its port over restarts.

    Engines other than PostgreSQL get no server and never have an address.
    """

    hold_data = True

    def __init__(self, folder: Path, first_port: int = 0, workers: int = 4) -> None:
        self._folder = folder
        self._first_port = first_port
        self._lock = threading.Lock()
        self._slots: dict[int, _Slot] = {}
        self._unprepared: dict[int, str] = {}
        self._closing = False
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="cluster")

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:
        """Begin to start the server and put the contents in, into a new one after another's data; returns at once."""
        if engine not in _BUILDS:
            return
        with self._lock:
            try:
                source = None if copy_of is None else self._slot(copy_of, _build(engine))
                slot = self._slot(cluster_id, source.build if source else _build(engine))
            except (PostgresServerError, PortTakenError) as error:
                self._unprepared[cluster_id] = str(error)
                return
        self._workers.submit(self._start, slot, contents, source)

    def place(self, cluster_id: int) -> Address | None:
        """Where the server answers or is going to."""
        slot = self._slots.get(cluster_id)
        return Address(HOST_NAME, HOST, slot.port) if slot else None

    def address(self, cluster_id: int) -> Address | None:
        """Where the server answers, or None while it does not."""
        slot = self._slots.get(cluster_id)
        return self.place(cluster_id) if slot and slot.running else None

    def failure(self, cluster_id: int) -> str | None:
        """Why the server could not be started, if so."""
        slot = self._slots.get(cluster_id)
        return slot.failure if slot else self._unprepared.get(cluster_id)

    def halt(self, cluster_id: int) -> None:
        """Stop the server and keep its data."""
        if slot := self._slots.get(cluster_id):
            with slot.lock:
                slot.running = False
                slot.server.stop()

    def remove(self, cluster_id: int) -> None:
        """Forget the server at once; a worker stops it and deletes its data."""
        with self._lock:
            slot = self._slots.pop(cluster_id, None)
        if slot is not None:
            slot.removed = True
            self._workers.submit(self._clear_away, slot)

    def ensure(self, cluster_id: int, contents: Contents) -> None:
        """Make the databases and logins be there as given."""
        if slot := self._slots.get(cluster_id):
            with self._awake(slot), self._superuser(slot) as connection:
                ensure(connection, contents, slot.passwords)

    def names(self, cluster_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The databases and the logins without superuser's rights on the server; none while it does not answer."""
        slot = self._slots.get(cluster_id)
        if slot is None or not slot.running:
            return (), ()
        with self._superuser(slot) as connection:
            databases = connection.execute(
                "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> current_database() ORDER BY oid"
            ).fetchall()
            logins = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY oid"
            ).fetchall()
        return tuple(row[0] for row in databases), tuple(row[0] for row in logins)

    def drop_database(self, cluster_id: int, name: str) -> None:
        """Drop a database with its sessions."""
        if slot := self._slots.get(cluster_id):
            with self._awake(slot):
                slot.server.drop_database(name)

    def drop_admin(self, cluster_id: int, login: str) -> None:
        """Drop a login; what it owned goes to the superuser."""
        if slot := self._slots.get(cluster_id):
            with self._awake(slot):
                slot.server.drop_admin(login)
                slot.passwords.pop(login, None)

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """Rename a database, ending its sessions."""
        if slot := self._slots.get(cluster_id):
            with self._awake(slot), self._superuser(slot) as connection:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                self._rename(connection, "DATABASE", name, new_name)

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """Rename a login; its password is set again at the next change."""
        if slot := self._slots.get(cluster_id):
            with self._awake(slot), self._superuser(slot) as connection:
                self._rename(connection, "ROLE", login, new_login)
                slot.passwords.pop(login, None)

    def close(self) -> None:
        """Stop all servers and keep their data."""
        self._closing = True
        self._workers.shutdown()
        with ThreadPoolExecutor() as stopping:
            list(stopping.map(self.halt, list(self._slots)))

    @staticmethod
    def _rename(connection: psycopg.Connection, kind: str, name: str, new_name: str) -> None:
        connection.execute(
            sql.SQL(f"ALTER {kind} {{}} RENAME TO {{}}").format(sql.Identifier(name), sql.Identifier(new_name))
        )

    @staticmethod
    def _superuser(slot: _Slot) -> psycopg.Connection:
        return psycopg.connect(slot.server.superuser_dsn, autocommit=True)

    def _start(self, slot: _Slot, contents: Contents, source: _Slot | None) -> None:
        with slot.lock:
            if slot.removed or self._closing:
                return
            try:
                if source is not None and not slot.server.data.exists():
                    self._copy(source, slot)
                slot.server.start(slot.port)
                with self._superuser(slot) as connection:
                    ensure(connection, contents, slot.passwords)
            except (PostgresServerError, psycopg.Error, OSError) as error:
                slot.failure = str(error)
            else:
                slot.failure = None
                slot.running = True

    def _copy(self, source: _Slot, slot: _Slot) -> None:
        with self._awake(source):
            slot.server.copy_data_of(source.server)

    @staticmethod
    @contextmanager
    def _awake(slot: _Slot) -> Iterator[None]:
        """The slot locked and its server running; one that was halted ends again afterwards."""
        with slot.lock:
            if not slot.running:
                slot.server.start(slot.port)
            try:
                yield
            finally:
                if not slot.running:
                    slot.server.stop()

    @staticmethod
    def _clear_away(slot: _Slot) -> None:
        with slot.lock:
            slot.running = False
            slot.server.stop()
            shutil.rmtree(slot.folder, ignore_errors=True)

    def _slot(self, cluster_id: int, build: str) -> _Slot:
        if known_slot := self._slots.get(cluster_id):
            return known_slot
        folder = self._folder / str(cluster_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        notes = folder / _NOTES
        known = json.loads(notes.read_text()) if notes.exists() else {}
        build = known.get("build", build)
        server = PostgresServer(folder, Binaries.find(build), durable=False)
        # A server that outlived its supervisor still holds its port.
        port = server.port or self._free_port(known.get("port", 0))
        notes.write_text(json.dumps({"build": build, "port": port}))
        slot = self._slots[cluster_id] = _Slot(folder, build, server, port)
        return slot

    def _free_port(self, wanted: int) -> int:
        taken = {slot.port for slot in self._slots.values()}
        first = self._first_port
        for port in (*([wanted] if wanted else []), *range(first, first + (PORTS_TRIED if first else 1))):
            if port not in taken and (found := _probe(port)):
                return found
        raise PortTakenError(f"no free port for a database from {first} up")


def stop_orphans(folder: Path) -> int:
    """Stop the servers under the folder that outlived their supervisor; how many there were."""
    found = 0
    for notes in folder.glob(f"*/{_NOTES}"):
        server = PostgresServer(notes.parent)
        if server.pid is not None:
            found += 1
            server.stop()
    return found


def _build(engine: str) -> str:
    available = Binaries.available()
    return next((name for name in _BUILDS[engine] if name in available), "embedded")


def _probe(port: int) -> int:
    """The port if nothing listens on it (0: any free one), else 0."""
    try:
        with bind(port, "a database") as listener:
            return int(listener.getsockname()[1])
    except PortTakenError:
        return 0
