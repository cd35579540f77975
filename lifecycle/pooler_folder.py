"""The folder that `tenantry pooler render` writes: for the owner's eyes only, and untouched where nothing changed."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lifecycle.pooler import CONFIGURATION, HEADER, USERS, ClusterFiles, PoolerError

# Says that the folder is ours: nothing is written, closed or removed in any other.
MARKER = ".tenantry-pooler"
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


@dataclass(frozen=True)
class Written:
    """The clusters whose files were written anew, and those whose files are gone."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]


def write(folder: Path, clusters: Iterable[ClusterFiles], keep: Iterable[str]) -> Written:
    """Make the folder hold these files and those of the clusters to `keep`, whatever they are, and no other cluster's.

    Each file is replaced in one step and only where it differs. Raises `PoolerError` for a folder that holds other
    things.
    """
    _open(folder)
    files = list(clusters)
    for each in files:
        _private(folder / each.cluster)
    changed = []
    for each in files:
        home = folder / each.cluster
        # The users first: a reload between the two finds everybody whom the configuration counts on.
        texts = ((USERS, each.users), (CONFIGURATION, each.configuration))
        if sum(_replace(home / name, text) for name, text in texts):
            changed.append(each.cluster)
    kept = {each.cluster for each in files} | set(keep)
    stale = [home for home in sorted(folder.iterdir()) if home.name not in kept and _is_ours(home)]
    for home in stale:
        _remove(home)
    return Written(tuple(changed), tuple(home.name for home in stale))


def _open(folder: Path) -> None:
    if folder.exists() and not (folder / MARKER).is_file():
        if not folder.is_dir():
            raise PoolerError(f"{folder} is no folder: name one for the poolers' files")
        if any(folder.iterdir()):
            raise PoolerError(f"{folder} holds other files; give the poolers' files a folder of their own")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(PRIVATE_FOLDER)
    _replace(folder / MARKER, HEADER)


def _private(home: Path) -> None:
    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise PoolerError(f"{home} is no folder of ours: remove it")
    home.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    home.chmod(PRIVATE_FOLDER)


def _is_ours(home: Path) -> bool:
    configuration = home / CONFIGURATION
    return home.is_dir() and configuration.is_file() and configuration.read_text(errors="replace").startswith(HEADER)


def _replace(path: Path, text: str) -> bool:
    """Whether the file had to be written; one that is right but open to others is closed to them."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == text.encode():
        path.chmod(PRIVATE_FILE)
        return False
    # A temporary file is born 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True


def _remove(home: Path) -> None:
    # The configuration last: as long as it is there, an interrupted removal is found again.
    for name in (USERS, CONFIGURATION):
        (home / name).unlink(missing_ok=True)
    if not any(home.iterdir()):
        home.rmdir()
