"""The authority that signed a server's certificate, as the file that libpq wants to read it from."""

import hashlib
import os
import secrets
from pathlib import Path

from dynamic_providers.private_folder import make_private, user_folder


def authority_file(pem: str, folder: Path | None = None) -> Path:
    """A file that holds this text, made where it is missing; it is called after its text, so it never changes.

    It is whole whenever it is there, whoever else makes it at the same time. Raises ProviderError for a folder that
    others can write: they could have us trust a server of theirs.
    """
    folder = folder or user_folder("ca")
    path = folder / f"{hashlib.sha256(pem.encode()).hexdigest()}.pem"
    make_private(folder)
    if not path.exists():
        draft = folder / f"{path.stem}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
        draft.replace(path)
    return path
