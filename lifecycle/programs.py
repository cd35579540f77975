"""PostgreSQL's own programs for copies: where they are, whether they fit the server, and how they are run."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self

from dynamic_providers.postgres.connection import Address
from lifecycle.errors import DataError, ProgramError

FOLDER_VARIABLE = "TENANTRY_PG_BIN"
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_LAST_WORDS = 400


@dataclass(frozen=True)
class Programs:
    """pg_dump and pg_restore of one PostgreSQL; `major` is its version."""

    dump: str
    restore: str
    major: int

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Those in the folder TENANTRY_PG_BIN, else on PATH. Raises `ProgramError`."""
        folder = environ.get(FOLDER_VARIABLE)
        dump, restore = (_program(name, folder, environ) for name in ("pg_dump", "pg_restore"))
        answer = subprocess.run([dump, "--version"], capture_output=True, text=True, check=False).stdout
        version = _VERSION.search(answer)
        if version is None:
            raise ProgramError(f"{dump} does not tell its version: name another folder in {FOLDER_VARIABLE}")
        return cls(dump, restore, int(version[1]))

    def require(self, server_version: int) -> None:
        """Refuses a server that is newer than these programs; `server_version` as in 150018."""
        server = server_version // 10_000
        if self.major < server:
            raise ProgramError(
                f"pg_dump is of PostgreSQL {self.major} and the server is {server}: install the client programs"
                f" of PostgreSQL {server}, or name their folder in {FOLDER_VARIABLE}"
            )

    @contextmanager
    def dumping(self, address: Address, options: Sequence[str]) -> Iterator[IO[bytes]]:
        """What pg_dump writes; raises `DataError` with its last words when it does not end well."""
        arguments = [
            self.dump,
            f"--host={address.host}",
            f"--port={address.port}",
            f"--username={address.login}",
            "--no-password",
            *options,
            address.database,
        ]
        with _running(arguments, client_environment(address)) as output:
            yield output

    @contextmanager
    def script(self, archive: Path, options: Sequence[str]) -> Iterator[IO[bytes]]:
        """The SQL that pg_restore makes of an archive; no server is asked."""
        with _running([self.restore, "--file=-", *options, str(archive)], _plain_environment()) as output:
            yield output

    def listing(self, archive: Path) -> list[str]:
        """The archive's table of contents: `id; table-oid oid TYPE schema name owner` a line."""
        with _running([self.restore, "--list", str(archive)], _plain_environment()) as output:
            return output.read().decode().splitlines()


def client_environment(address: Address) -> dict[str, str]:
    """The environment of a client program: the password is here and not among its arguments."""
    authority = {"PGSSLROOTCERT": file} if (file := address.root_certificate) else {}
    return {**_plain_environment(), "PGPASSWORD": address.password, "PGSSLMODE": address.sslmode, **authority}


def _plain_environment() -> dict[str, str]:
    """Ours without what would point PostgreSQL's programs at another server, user or options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _program(name: str, folder: str | None, environ: Mapping[str, str]) -> str:
    found = shutil.which(name, path=folder or environ.get("PATH"))
    if found is None:
        place = f"in {folder} ({FOLDER_VARIABLE})" if folder else "on PATH"
        raise ProgramError(
            f"there is no {name} {place}: install PostgreSQL's client programs,"
            f" or name their folder in {FOLDER_VARIABLE}"
        )
    return found


@contextmanager
def _running(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """The output of a program; whoever leaves early ends it."""
    with (
        TemporaryFile() as errors,
        subprocess.Popen(
            arguments, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        if process.stdout is None:
            raise AssertionError("a pipe was asked for")
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        process.stdout.close()
        if process.wait():
            errors.seek(0)
            words = " ".join(errors.read().decode(errors="replace").split())
            raise DataError(f"{Path(arguments[0]).name} failed: {words[-_LAST_WORDS:] or 'it left no word'}")
