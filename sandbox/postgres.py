"""A real PostgreSQL server on loopback, run from the programs of a wheel; the sandbox has one per simulated cluster.

The wheels' own `get_server()` is not used: it trusts every connection and, as root, opens every parent folder to all.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sandbox.postgres_binaries import Account, Binaries, PostgresServerError

__all__ = ["HOST", "Account", "Binaries", "PostgresServer", "PostgresServerError"]

HOST = "127.0.0.1"
SUPERUSER = "postgres"
ADMIN_PRIVILEGES = ("CREATEDB", "CREATEROLE")

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: nothing is left in /dev/shm by a killed server
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_START_ATTEMPTS = 5
_START_SECONDS = 60.0
_STOP_SIGNALS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_PID_FILE_PORT, _PID_FILE_STATUS = 3, 7  # lines of postmaster.pid, counted from 0


class PostgresServer:
    """One server and its data in `folder`, listening on 127.0.0.1 with scram passwords only.

    Data survives a killed process; with `durable=False` it may not survive a crash of the machine, and writes are
    faster. `settings` are further server parameters, none of them secret. The methods that speak SQL may be called from
    several threads, start and stop from one at a time.
    """

    def __init__(
        self,
        folder: Path,
        binaries: Binaries | None = None,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self._binaries = binaries or Binaries.best()
        self._settings = {**_SETTINGS, **({} if durable else _NOT_DURABLE), **(settings or {})}
        self._account = account or Account.detect()
        self._password_file = self.folder / "superuser-password"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running server, whoever started it, or None."""
        if self._process is not None:
            self._process.poll()
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].isdigit() else None
        return pid if pid is not None and str(self.data) in _command_of(pid) else None

    @property
    def port(self) -> int | None:
        """The port of the running server, or None."""
        lines = self._pid_file()
        return int(lines[_PID_FILE_PORT]) if len(lines) > _PID_FILE_PORT and self.pid is not None else None

    @property
    def superuser_dsn(self) -> str:
        """A connection string of the superuser for database `postgres`; it holds the password."""
        return self._dsn("postgres")

    def start(self, port: int = 0) -> int:
        """Starts the server, or finds it already running, and returns its port; 0 picks a free one.

        Raises:
            PostgresServerError: it does not start, or it already runs on another port than the one asked for.

        """
        if self._answers() and (running := self.port):
            if port not in (0, running):
                raise PostgresServerError(f"PostgreSQL in {self.folder} already runs on port {running}; stop it first")
            return running
        self._initialise()
        for _ in range(_START_ATTEMPTS):
            # Another process may take the port before the server binds it: the server ends, and another port is tried.
            chosen = port or _free_port()
            if self._launch(chosen):
                return chosen
            time.sleep(0.2)
        wanted = f"port {port}" if port else "any port"
        raise PostgresServerError(f"PostgreSQL in {self.folder} does not start on {wanted}: {self._last_words()}")

    def stop(self) -> None:
        """Ends the server, first politely; a server that does not run is no error.

        Raises:
            PostgresServerError: it outlives even SIGKILL.

        """
        pid = self._process.pid if self._process and self._process.poll() is None else self.pid
        if pid is None:
            return
        for signal_number, seconds in _STOP_SIGNALS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            if self._wait_until(lambda: self._has_ended(pid), seconds):
                return
        raise PostgresServerError(f"PostgreSQL in {self.folder} does not stop (process {pid})")

    def copy_data_of(self, source: "PostgresServer") -> None:
        """Takes over, as its own, the data a running server of the same build holds at this moment, passwords included.

        Raises:
            PostgresServerError: the copy failed; this server then has no data.

        """
        fresh = self._emptied()
        options = [f"--pgdata={fresh}", "--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-password"]
        address = [f"--host={HOST}", f"--port={source.port}", f"--username={SUPERUSER}"]
        password = source._password_file.read_text()  # noqa: SLF001 - another server of this class
        self._write_password(password)
        done = self._popen("pg_basebackup", *address, *options, PGPASSWORD=password)
        if done.wait() != 0:
            raise PostgresServerError(f"{source.folder} could not be copied to {self.folder}: {self._last_words()}")
        fresh.rename(self.data)

    def create_admin(self, login: str, password: str, *, privileges: Collection[str] = ADMIN_PRIVILEGES) -> None:
        """Makes a cluster's admin as the vendors do: no superuser; CREATEDB and CREATEROLE if among `privileges`."""
        attributes = " ".join(name for name in ADMIN_PRIVILEGES if name in privileges)
        statement = sql.SQL(f"CREATE ROLE {{}} LOGIN NOSUPERUSER {attributes}")
        self._execute(statement.format(sql.Identifier(login)))
        self.set_password(login, password)

    def set_password(self, login: str, password: str) -> None:
        """Changes a role's password; the server and its log see only the verifier."""
        with self._connect() as connection:
            verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier))
            )

    def drop_admin(self, login: str) -> None:
        """Drops a role: what it owns goes to the superuser, what it granted is revoked. An absent one is no error."""
        if login not in self.roles():
            return
        role = sql.Identifier(login)
        for database in self.databases():
            self._execute(
                sql.SQL("REASSIGN OWNED BY {} TO {}; DROP OWNED BY {}").format(role, sql.Identifier(SUPERUSER), role),
                database,
            )
        self._execute(sql.SQL("DROP ROLE {}").format(role))

    def create_database(self, name: str, owner: str = SUPERUSER) -> None:
        """Makes a database that belongs to `owner`."""
        self._execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))

    def drop_database(self, name: str) -> None:
        """Drops a database and ends its sessions; one that is not there is no error."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def databases(self) -> tuple[str, ...]:
        """The names of all databases but the templates."""
        return self._names("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname")

    def roles(self) -> tuple[str, ...]:
        """The names of all roles but those of the server itself."""
        return self._names(r"SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\_%' ORDER BY rolname")

    def _names(self, query: str) -> tuple[str, ...]:
        with self._connect() as connection:
            return tuple(row[0] for row in connection.execute(query.encode()))

    def _execute(self, statement: sql.Composed, database: str = "postgres") -> None:
        with self._connect(database) as connection:
            connection.execute(statement)

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self._dsn(database), autocommit=True, connect_timeout=10)

    def _dsn(self, database: str) -> str:
        if (port := self.port) is None:
            raise PostgresServerError(f"PostgreSQL in {self.folder} does not run")
        password = self._password_file.read_text()
        return make_conninfo(host=HOST, port=port, user=SUPERUSER, password=password, dbname=database)

    def _initialise(self) -> None:
        if self.data.exists():
            self._prepare_folder()
            self._remove_foreign_pid_file()
            return
        fresh = self._emptied()
        self._write_password(secrets.token_hex(16))
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        folders = [f"--pgdata={fresh}", f"--pwfile={self._password_file}"]
        done = self._popen("initdb", f"--username={SUPERUSER}", *folders, *options)
        if done.wait() != 0:
            raise PostgresServerError(f"initdb failed in {self.folder}: {self._last_words()}")
        fresh.rename(self.data)

    def _prepare_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._account.user:
            self._give_to(self._account.user)

    def _emptied(self) -> Path:
        """Where new data are put, to be renamed when complete: a killed program leaves no half data folder."""
        self._prepare_folder()
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        return fresh

    def _write_password(self, password: str) -> None:
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(password)
        if self._account.user:
            shutil.chown(self._password_file, self._account.user)

    def _give_to(self, user: str) -> None:
        if closed := _closed_to_others(self.folder.parent):
            raise PostgresServerError(
                f"user {user}, who is to run PostgreSQL, cannot enter {closed}; choose another folder"
            )
        shutil.chown(self.folder, user)
        if _closed_to_others(self._binaries.folder):
            self._binaries = self._binaries.copied_to(self.folder / "binaries")

    def _remove_foreign_pid_file(self) -> None:
        """A killed server's pid may have passed to a stranger; the server would refuse to start for its sake."""
        lines = self._pid_file()
        if lines and self.pid is None and _command_of(int(lines[0])):
            (self.data / "postmaster.pid").unlink()

    def _launch(self, port: int) -> bool:
        parameters = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        if self._process is not None:
            # It answers no more, so it is dead or dying: a child is reaped before its place is taken.
            self._process.wait(_START_SECONDS)
        self._process = process = self._popen("postgres", "-D", str(self.data), "-p", str(port), *parameters)
        self._wait_until(lambda: process.poll() is not None or self._is_ready(process.pid), _START_SECONDS)
        if process.poll() is None and not self._is_ready(process.pid):
            self.stop()
        return process.poll() is None

    def _popen(self, program: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        user = self._account.user
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*self._account.prefix, str(self._binaries.folder / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for us to answer, by stop()
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **environ},
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _has_ended(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is not None  # a child of ours is gone when it is reaped, not before
        return str(self.data) not in _command_of(pid)

    def _answers(self) -> bool:
        """Whether a server lets us in; one that is just starting or dying is waited for."""
        deadline = time.monotonic() + _START_SECONDS
        while self.pid is not None and time.monotonic() < deadline:
            try:
                self._names("SELECT 'awake'")
            except (psycopg.OperationalError, PostgresServerError):
                time.sleep(0.02)
            else:
                return True
        return False

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > _PID_FILE_STATUS and lines[0] == str(pid) and lines[_PID_FILE_STATUS].strip() == "ready"

    def _wait_until(self, reached: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return next((line for line in reversed(lines) if "FATAL" in line or "error" in line), "its log is empty")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _command_of(pid: int) -> str:
    """The command line of a process; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True).stdout


def _closed_to_others(folder: Path) -> Path | None:
    """The first folder on the way that other users may not enter."""
    way: Iterable[Path] = [*reversed(folder.parents), folder]
    return next((step for step in way if not step.stat().st_mode & stat.S_IXOTH), None)
