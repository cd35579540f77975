"""One real PostgreSQL server that serves every cluster of a simulated account in turn: a new one would cost seconds."""

from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from sandbox.database_contents import ensure
from sandbox.postgres import HOST, SUPERUSER, PostgresServer
from sandbox.simulators.servers import Address, Contents


class KeptServer:
    """A cluster that is launched takes the server over; `reset` empties it for the next account."""

    hold_data = True

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder, durable=False)
        self._port = self._server.start()
        self._passwords: dict[str, str] = {}
        self._cluster: int | None = None

    def reset(self) -> None:
        """Take all databases and logins away, with their sessions."""
        for database in set(self._server.databases()) - {"postgres"}:
            self._server.drop_database(database)
        with psycopg.connect(self._server.superuser_dsn, autocommit=True) as connection:
            # Together: who granted a membership goes no earlier than the membership.
            if roles := sorted(set(self._server.roles()) - {SUPERUSER}):
                names = sql.SQL(", ").join(map(sql.Identifier, roles))
                connection.execute(sql.SQL("DROP ROLE {}").format(names))
        self._passwords.clear()
        self._cluster = None

    def ask(self, query: LiteralString | sql.Composed, database: str = "main") -> list[tuple[Any, ...]]:
        """What the superuser is answered."""
        with psycopg.connect(self._server.superuser_dsn, dbname=database) as connection:
            return connection.execute(query).fetchall()

    def sessions(self) -> int:
        """Sessions of our own clients."""
        with psycopg.connect(self._server.superuser_dsn) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenantry'"
            ).fetchone()
        return int(row[0]) if row else 0

    def roles(self) -> set[str]:
        """Logins and owners of tenants."""
        return {role for role in self._server.roles() if role.startswith("c_")}

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:  # noqa: ARG002 - one build for all
        """Serve this cluster from now on."""
        self.ensure(cluster_id, contents)
        self._cluster = cluster_id

    def place(self, cluster_id: int) -> Address | None:
        """Where it answers."""
        return self.address(cluster_id)

    def address(self, cluster_id: int) -> Address | None:
        """Where the cluster answers that was launched last."""
        return Address("localhost", HOST, self._port) if cluster_id == self._cluster else None

    def failure(self, cluster_id: int) -> str | None:  # noqa: ARG002 - it holds for all
        """Nothing fails."""
        return None

    def halt(self, cluster_id: int) -> None:
        """A kept server goes on."""

    def remove(self, cluster_id: int) -> None:
        """A kept server goes on, for another cluster."""

    def ensure(self, cluster_id: int, contents: Contents) -> None:  # noqa: ARG002 - there is one server
        """Make the databases and logins be there as given."""
        with psycopg.connect(self._server.superuser_dsn, autocommit=True) as connection:
            ensure(connection, contents, self._passwords)

    def drop_database(self, cluster_id: int, name: str) -> None:  # noqa: ARG002 - there is one server
        """Drop a database with its sessions."""
        self._server.drop_database(name)

    def drop_admin(self, cluster_id: int, login: str) -> None:  # noqa: ARG002 - there is one server
        """Drop a login."""
        self._server.drop_admin(login)

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """No run that is killed here renames anything, so a call here is a fault."""
        raise AssertionError(f"{cluster_id}: {name} to {new_name}")

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """No run that is killed here renames anything, so a call here is a fault."""
        raise AssertionError(f"{cluster_id}: {login} to {new_login}")

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()
