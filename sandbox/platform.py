"""The platform's database of a sandbox: a real server of its own, so that no tenant's login is known to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from sandbox.errors import SandboxError
from sandbox.postgres import HOST, PostgresServer, PostgresServerError

ADMIN = "platform_admin"
DATABASE = "platform"
_SCHEME = "postgresql://"


@contextmanager
def platform_server(folder: Path, port: int, password: str) -> Iterator[str]:
    """The database's URL without a login, while it runs; port 0 asks for any. It belongs to an admin as vendors give.

    Raises SandboxError where it does not start.
    """
    server = PostgresServer(folder, durable=False)
    try:
        try:
            found = server.start(port)
            if ADMIN not in server.roles():
                server.create_admin(ADMIN, password, privileges=("CREATEROLE",))
            if DATABASE not in server.databases():
                server.create_database(DATABASE, ADMIN)
        except PostgresServerError as error:
            raise SandboxError(f"the platform database: {error}") from error
        yield f"{_SCHEME}{HOST}:{found}/{DATABASE}"
    finally:
        server.stop()


def admin_url(url: str, password: str) -> str:
    """The same database as its admin reaches it; a secret."""
    return f"{_SCHEME}{ADMIN}:{password}@{url.removeprefix(_SCHEME)}?sslmode=disable"


def answers(url: str) -> bool:
    """Whether the server would let somebody in who has a password."""
    return PGconn.ping(make_conninfo(url, connect_timeout=5).encode()) == Ping.OK


def stop_orphan(folder: Path) -> bool:
    """Stop a server that outlived its supervisor; tells whether there was one."""
    server = PostgresServer(folder)
    outlived = server.pid is not None
    server.stop()
    return outlived
