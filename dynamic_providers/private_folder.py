"""Folders that only their user can write, for what processes of one user share on a host."""

import os
import stat
import tempfile
from pathlib import Path

from dynamic_providers.errors import ProviderError


def user_folder(what: str) -> Path:
    """Where this user keeps `what`, so that users of one host do not meet in it; it may not exist yet."""
    return Path(tempfile.gettempdir()) / f"tenantry-{what}-{os.geteuid()}"


def make_private(folder: Path, remedy: str = "") -> None:
    """Make the folder, or refuse one that others can write; `remedy` is what helps beside its removal."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ProviderError(f"{folder} is not a folder that only you can write: remove it{remedy}")
