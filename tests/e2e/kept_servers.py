"""Real PostgreSQL servers that serve one simulated cluster after the other: a new one for each would cost seconds."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from sandbox.database_contents import ensure
from sandbox.postgres import HOST, SUPERUSER, PostgresServer
from sandbox.simulators.servers import Address, Contents

# What `postgres` itself is not: the databases and logins of a cluster.
DATABASES = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY oid"
LOGINS = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY oid"
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tenantry'"


class _Kept:
    """One server; `used` says that the cluster it served last has left something in it."""

    def __init__(self, folder: Path) -> None:
        self.server = PostgresServer(folder, durable=False)
        self.port = self.server.start()
        self.passwords: dict[str, str] = {}
        self.used = False

    def names(self, query: str) -> tuple[str, ...]:
        """The first column of what a query of ours answers."""
        with psycopg.connect(self.server.superuser_dsn) as connection:
            return tuple(str(row[0]) for row in connection.execute(query.encode()))

    def ensure(self, contents: Contents) -> None:
        """Make the databases and logins be there as given."""
        self.used = True
        with psycopg.connect(self.server.superuser_dsn, autocommit=True) as connection:
            ensure(connection, contents, self.passwords)

    def empty(self) -> None:
        """Take all databases and logins away, with their sessions."""
        for database in self.names(DATABASES):
            self.server.drop_database(database)
        with psycopg.connect(self.server.superuser_dsn, autocommit=True) as connection:
            # Together: who granted a membership goes no earlier than the membership.
            if roles := sorted(set(self.server.roles()) - {SUPERUSER}):
                names = sql.SQL(", ").join(map(sql.Identifier, roles))
                connection.execute(sql.SQL("DROP ROLE {}").format(names))
        self.passwords.clear()
        self.used = False


class KeptServers:
    """A cluster that is launched takes a server over, or has one more started; `reset` empties them all.

    A copy of another cluster begins with what its API knows of databases and logins, not with what is in them.
    """

    hold_data = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._all: list[_Kept] = []
        self._serving: dict[int, _Kept] = {}

    def reset(self) -> None:
        """Let every cluster go, and take all databases and logins away."""
        self._serving.clear()
        with ThreadPoolExecutor() as workers:
            list(workers.map(_Kept.empty, [each for each in self._all if each.used]))

    def ask(self, query: LiteralString | sql.Composed, database: str = "main") -> list[tuple[Any, ...]]:
        """What the superusers of all servers that have this database are answered."""
        answers: list[tuple[Any, ...]] = []
        for each in self._all:
            if database in each.names(DATABASES):
                with psycopg.connect(each.server.superuser_dsn, dbname=database) as connection:
                    answers += connection.execute(query).fetchall()
        return answers

    def sessions(self) -> int:
        """Sessions of our own clients."""
        return sum(len(each.names(SESSIONS)) for each in list(self._all) if each.used)

    def contents(self) -> list[str]:
        """Databases, logins and owners of tenants, each as often as it is on a server."""
        names = [name for each in self._all for name in (*each.names(DATABASES), *each.server.roles())]
        return sorted(name for name in names if name.startswith(("c_", "tenant_")))

    def clusters(self) -> tuple[int, ...]:
        """The ids of those that are served."""
        return tuple(self._serving)

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:  # noqa: ARG002 - one build for all
        """Serve this cluster from now on."""
        with self._lock:
            if cluster_id not in self._serving:
                self._serving[cluster_id] = self._free()
        self._serving[cluster_id].ensure(contents)

    def place(self, cluster_id: int) -> Address | None:
        """Where it answers."""
        return self.address(cluster_id)

    def address(self, cluster_id: int) -> Address | None:
        """Where the cluster answers."""
        kept = self._serving.get(cluster_id)
        return Address("localhost", HOST, kept.port) if kept else None

    def names(self, cluster_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The databases and the logins of a cluster."""
        kept = self._serving.get(cluster_id)
        return (kept.names(DATABASES), kept.names(LOGINS)) if kept else ((), ())

    def failure(self, cluster_id: int) -> str | None:  # noqa: ARG002 - it holds for all
        """Nothing fails."""
        return None

    def halt(self, cluster_id: int) -> None:
        """A kept server goes on."""

    def remove(self, cluster_id: int) -> None:
        """A kept server goes on, for another cluster."""
        with self._lock:
            self._serving.pop(cluster_id, None)

    def ensure(self, cluster_id: int, contents: Contents) -> None:
        """Make the databases and logins be there as given."""
        self._serving[cluster_id].ensure(contents)

    def drop_database(self, cluster_id: int, name: str) -> None:
        """Drop a database with its sessions."""
        self._serving[cluster_id].server.drop_database(name)

    def drop_admin(self, cluster_id: int, login: str) -> None:
        """Drop a login."""
        self._serving[cluster_id].server.drop_admin(login)

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """No run that is killed here renames anything, so a call here is a fault."""
        raise AssertionError(f"{cluster_id}: {name} to {new_name}")

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """No run that is killed here renames anything, so a call here is a fault."""
        raise AssertionError(f"{cluster_id}: {login} to {new_login}")

    def close(self) -> None:
        """Stop the servers."""
        with ThreadPoolExecutor() as workers:
            list(workers.map(PostgresServer.stop, [each.server for each in self._all]))

    def _free(self) -> _Kept:
        serving = list(self._serving.values())
        free = [each for each in self._all if each not in serving]
        if clean := [each for each in free if not each.used]:
            return clean[0]
        if free:
            free[0].empty()
            return free[0]
        self._all.append(_Kept(self._folder / str(len(self._all))))
        return self._all[-1]
