"""Before a plain PostgreSQL server: encrypted or not at all, verified against the sandbox's own authority."""

import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sandbox.authority import Authority, open_authority
from sandbox.postgres import HOST, PostgresServer
from sandbox.simulators.server import bind
from sandbox.tls_front import Door, TlsFront

PASSWORD = "a-password-of-the-front"
SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    running = PostgresServer(tmp_path_factory.mktemp("server"), durable=False)
    running.start()
    running.create_admin("admin", PASSWORD)
    running.create_database("main", "admin")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def front(authority: Authority) -> Iterator[TlsFront]:
    running = TlsFront(authority.server_context())
    yield running
    running.stop()


@pytest.fixture
def port(front: TlsFront, server: PostgresServer) -> int:
    return front.open(bind(0, "a test"), Door(lambda: (HOST, server.port or 0)))


def session(authority: Authority, port: int, **changes: object) -> psycopg.Connection:
    """A session as a careful client opens it."""
    asked: dict[str, object] = {
        "host": "localhost",
        "port": port,
        "user": "admin",
        "password": PASSWORD,
        "dbname": "main",
        "sslmode": "verify-full",
        "sslrootcert": str(authority.certificate_file),
    }
    return psycopg.connect("", autocommit=True, **asked | changes)  # type: ignore[arg-type] # libpq's parameters


def test_a_verified_session_logs_in_with_scram_and_carries_more_than_a_buffer(authority: Authority, port: int) -> None:
    with session(authority, port) as connection:
        assert connection.pgconn.ssl_in_use
        text = "x" * 5_000_000
        assert connection.execute("SELECT %s::text", [text]).fetchone() == (text,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        session(authority, port, password="wrong")


def test_a_client_without_tls_is_refused_as_postgresql_refuses_it(authority: Authority, port: int) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        session(authority, port, sslmode="disable")
    told = 'FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "admin", database "main", no encryption'
    assert told in str(caught.value)


def test_a_certificate_of_another_authority_and_another_name_are_not_trusted(
    authority: Authority, port: int, tmp_path: Path
) -> None:
    other = open_authority(tmp_path / "other")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        session(other, port)
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        session(authority, port, host="elsewhere.test", hostaddr="127.0.0.1")


def test_channel_binding_is_not_to_be_had_where_tls_ends_before_the_server(authority: Authority, port: int) -> None:
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        session(authority, port, channel_binding="require")


def test_a_running_statement_is_cancelled_through_the_front(authority: Authority, port: int) -> None:
    with session(authority, port) as connection:
        threading.Timer(0.3, connection.cancel_safe).start()
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 10


def test_a_request_to_cancel_may_come_in_clear(authority: Authority, port: int) -> None:
    """As older clients send it. It keeps its interpreter busy, and the front is in ours: it gets one of its own."""
    program = """
import sys, threading, psycopg
connection = psycopg.connect(sys.argv[1])
threading.Timer(0.3, connection.pgconn.get_cancel().cancel).start()
try:
    connection.execute("SELECT pg_sleep(20)")
except psycopg.errors.QueryCanceled:
    print("cancelled")
"""
    address = make_conninfo(
        f"host=localhost dbname=main user=admin sslmode=verify-full password={PASSWORD}",
        port=port,
        sslrootcert=str(authority.certificate_file),
    )
    done = subprocess.run(
        [sys.executable, "-c", program, address], capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.stdout, done.stderr) == ("cancelled\n", "")


def test_an_offer_of_gss_encryption_is_declined_and_tls_asked_for_next(authority: Authority, port: int) -> None:
    context = ssl.create_default_context(cafile=authority.certificate_file)
    with socket.create_connection((HOST, port), timeout=10) as client:
        client.sendall(GSS_REQUEST)
        assert client.recv(1) == b"N"
        client.sendall(SSL_REQUEST)
        assert client.recv(1) == b"S"
        with context.wrap_socket(client, server_hostname="localhost") as encrypted:
            encrypted.sendall(SSL_REQUEST)
            assert encrypted.recv(1) == b"N"


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n\r\n", struct.pack("!II", 4, 196608), b"\0\0\0"])
def test_what_speaks_another_protocol_is_hung_up_on(port: int, nonsense: bytes) -> None:
    with socket.create_connection((HOST, port), timeout=10) as client:
        client.sendall(nonsense)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_server_that_is_not_there_yet_is_said_to_be_starting(authority: Authority, front: TlsFront) -> None:
    with socket.create_server((HOST, 0)) as closed:
        nowhere = closed.getsockname()[1]
    for server in (lambda: None, lambda: (HOST, nowhere)):
        port = front.open(bind(0, "a test"), Door(server))
        with pytest.raises(psycopg.OperationalError, match="the database system is starting up"):
            session(authority, port)


def test_an_address_that_is_not_trusted_gets_no_answer(authority: Authority, front: TlsFront) -> None:
    port = front.open(bind(0, "a test"), Door(lambda: None, lambda address: address != "127.0.0.1"))
    with pytest.raises(psycopg.OperationalError, match="closed the connection unexpectedly"):
        session(authority, port)


def test_a_name_leads_to_the_database_that_is_meant(
    authority: Authority, front: TlsFront, server: PostgresServer
) -> None:
    door = Door(lambda: (HOST, server.port or 0), database={"pool": "main"}.get)
    port = front.open(bind(0, "a test"), door)
    with session(authority, port, dbname="pool", application_name="a client") as connection:
        asked = connection.execute("SELECT current_database(), current_setting('application_name')").fetchone()
        assert asked == ("main", "a client")
    with pytest.raises(psycopg.OperationalError, match="no such database: main"):
        session(authority, port)


def test_a_closed_door_ends_its_sessions_and_leaves_the_others(
    authority: Authority, front: TlsFront, server: PostgresServer, port: int
) -> None:
    other = front.open(bind(0, "a test"), Door(lambda: (HOST, server.port or 0)))
    with session(authority, other) as staying:
        leaving = session(authority, port)
        front.close(port)
        with pytest.raises(psycopg.OperationalError):
            leaving.execute("SELECT 1")
        leaving.close()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            session(authority, port)
        assert staying.execute("SELECT 1").fetchone() == (1,)


def test_the_authority_is_kept_and_its_secrets_are_its_owners(tmp_path: Path) -> None:
    made = open_authority(tmp_path / "tls")
    assert stat.S_IMODE((tmp_path / "tls" / "server.key").stat().st_mode) == 0o600
    assert open_authority(tmp_path / "tls").pem == made.pem
    keys = [path.name for path in (tmp_path / "tls").iterdir() if "PRIVATE" in path.read_text()]
    assert keys == ["server.key"], "the authority's own key is not kept"
    # Ended before the last file was written.
    made.certificate_file.unlink()
    assert open_authority(tmp_path / "tls").server_context()
