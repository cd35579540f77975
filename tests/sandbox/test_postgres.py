"""The sandbox's PostgreSQL: started, killed, found again and stopped, with nothing secret where others look."""

import os
import shutil
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox.postgres import HOST, Account, Binaries, PostgresServer, PostgresServerError

PASSWORD = "sentinel-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running server for what does not stop it."""
    running = PostgresServer(tmp_path_factory.mktemp("server"), settings={"log_statement": "all"})
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server of the test's own, not yet started."""
    fresh = PostgresServer(tmp_path / "server")
    yield fresh
    fresh.stop()


def rows(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    """What the superuser is answered."""
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return list(cursor) if cursor.description else []


def login(server: PostgresServer, user: str, password: str, database: str = "postgres") -> psycopg.Connection:
    """A session over TCP."""
    return psycopg.connect(host=HOST, port=server.port, user=user, password=password, dbname=database, autocommit=True)


def test_only_loopback_is_listened_on_and_only_the_right_password_opens(server: PostgresServer) -> None:
    assert rows(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert rows(server, "SHOW unix_socket_directories") == [("",)]
    assert rows(server, "SHOW max_connections") == [("100",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(server, "postgres", "wrong")
    assert {row[0] for row in rows(server, "SELECT DISTINCT auth_method FROM pg_hba_file_rules")} == {"scram-sha-256"}


def test_the_admin_is_no_superuser_and_makes_databases_and_roles(server: PostgresServer) -> None:
    """The vendors' admin is none either; it owns what it is given."""
    server.create_admin("admin", PASSWORD)
    server.create_database("main", "admin")
    with login(server, "admin", PASSWORD, "main") as session:
        session.execute("CREATE ROLE tenant; CREATE TABLE kept ()")
        for forbidden in ("SELECT * FROM pg_shadow", "CREATE ROLE boss SUPERUSER", "SELECT pg_ls_dir('.')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(forbidden.encode())
    server.set_password("admin", "changed")
    with pytest.raises(psycopg.OperationalError):
        login(server, "admin", PASSWORD)
    login(server, "admin", "changed").close()
    server.drop_admin("admin")
    server.drop_admin("admin")
    assert server.roles() == ("postgres", "tenant")
    assert server.databases() == ("main", "postgres")
    server.drop_database("main")
    server.drop_database("main")
    assert server.databases() == ("postgres",)


def test_an_admin_without_privileges_may_only_log_in(server: PostgresServer) -> None:
    server.create_admin("guest", PASSWORD, privileges=["SELECT", "CREATEDB"])
    assert rows(server, "SELECT rolcreatedb, rolcreaterole, rolsuper FROM pg_roles WHERE rolname = 'guest'") == [
        (True, False, False)
    ]
    server.drop_admin("guest")


def test_no_secret_is_on_a_command_line_in_the_log_or_open_to_others(server: PostgresServer) -> None:
    server.create_admin("secretive", PASSWORD)
    server.drop_admin("secretive")
    superuser = (server.folder / "superuser-password").read_text()
    seen = server.log.read_text() + Path(f"/proc/{server.pid}/cmdline").read_text()
    assert "CREATE ROLE" in seen
    assert superuser not in seen
    assert PASSWORD not in seen
    assert stat.S_IMODE((server.folder / "superuser-password").stat().st_mode) == 0o600


def test_a_killed_server_comes_back_with_what_was_committed(own: PostgresServer) -> None:
    port = own.start()
    rows(own, "CREATE TABLE kept AS SELECT 1 AS n")
    os.kill(own.pid or 0, signal.SIGKILL)
    assert own.start(port) == port
    assert rows(own, "SELECT n FROM kept") == [(1,)]


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_down(own: PostgresServer) -> None:
    """After a crash the old number may belong to any process, here to the test's own."""
    own.start()
    pid = own.pid or 0
    os.kill(pid, signal.SIGKILL)
    own.stop()
    pid_file = own.data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(pid), str(os.getppid()), 1))
    assert own.pid is None
    own.start()
    assert own.pid


def test_a_running_server_is_found_and_stopped_by_whoever_knows_its_folder(own: PostgresServer) -> None:
    port = own.start()
    other = PostgresServer(own.folder)
    assert other.start() == other.port == port
    assert rows(other, "SELECT 1") == [(1,)]
    with pytest.raises(PostgresServerError, match=f"already runs on port {port}; stop it first"):
        other.start(port + 1)
    own.stop()
    other.stop()
    assert (own.pid, own.port) == (None, None)
    with pytest.raises(PostgresServerError, match="does not run"):
        _ = own.superuser_dsn


def test_a_port_that_is_taken_is_one_sentence_and_leaves_no_process(own: PostgresServer) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PostgresServerError, match=f"does not start on port {port}: .*FATAL"):
            own.start(port)
    assert own.pid is None


def test_a_data_folder_that_was_made_only_half_is_made_anew(own: PostgresServer) -> None:
    """A killed initdb."""
    half = own.folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    own.start()
    assert not half.exists()


def test_a_build_that_is_not_here_is_one_sentence() -> None:
    with pytest.raises(PostgresServerError, match="'ten' is not installed; here are: embedded"):
        Binaries.find("ten")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_user_namespaces_are_refused_the_server_runs_as_nobody_from_a_copy() -> None:
    """A container's default rules refuse namespaces, and a virtualenv may lie in a closed home."""
    folder = Path(tempfile.mkdtemp())  # not tmp_path, which only its owner may enter
    try:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        folder.chmod(0o755)
        binaries = Binaries.find("embedded").copied_to(closed)
        server = PostgresServer(folder / "server", binaries, account=Account(user="nobody"))
        server.start()
        try:
            assert Path(f"/proc/{server.pid}").owner() == "nobody"
            assert rows(server, "SELECT 1") == [(1,)]
        finally:
            server.stop()
        with pytest.raises(PostgresServerError, match=f"nobody.* cannot enter {closed}; choose another folder"):
            PostgresServer(closed / "server", binaries, account=Account(user="nobody")).start()
    finally:
        shutil.rmtree(folder)
