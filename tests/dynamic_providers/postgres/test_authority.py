"""The file that libpq reads a server's authority from: private, called after its text, whole."""

import os
import stat
from pathlib import Path

import pytest

from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.authority import authority_file
from dynamic_providers.postgres.connection import Address
from lifecycle.programs import client_environment

PEM = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_we_can_read_and_write_what_is_trusted(tmp_path: Path) -> None:
    file = authority_file(PEM, tmp_path / "ca")
    assert (file.read_text(), mode(file), mode(file.parent)) == (PEM, 0o600, 0o700)


def test_one_text_is_one_file_and_written_once(tmp_path: Path) -> None:
    first = authority_file(PEM, tmp_path / "ca")
    written = first.stat()
    assert authority_file(PEM, tmp_path / "ca") == first
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    other = authority_file(PEM + "\n", tmp_path / "ca")
    assert sorted((tmp_path / "ca").iterdir()) == sorted([first, other])


def test_a_file_that_somebody_clears_away_is_made_again(tmp_path: Path) -> None:
    """Folders of temporary files are cleared while a process runs."""
    file = authority_file(PEM, tmp_path / "ca")
    file.unlink()
    file.parent.rmdir()
    assert authority_file(PEM, tmp_path / "ca").read_text() == PEM


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ProviderError, match="not a folder that only you can write: remove it"):
        authority_file(PEM, folder)
    assert list(folder.iterdir()) == []


def test_pg_dump_is_given_the_authority_and_nobody_else_s() -> None:
    """G24: a copy checks the server as every other session does."""
    plain = Address("db.example", 5432, "main", "admin", "sentinel", "require")
    assert "PGSSLROOTCERT" not in client_environment(plain)
    checked = Address("db.example", 5432, "main", "admin", "sentinel", "verify-full", ca=PEM)
    environ = client_environment(checked)
    assert environ["PGSSLMODE"] == "verify-full"
    assert Path(environ["PGSSLROOTCERT"]).read_text() == PEM
    assert Path(environ["PGSSLROOTCERT"]).parent.stat().st_uid == os.geteuid()
