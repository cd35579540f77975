"""What was applied to each stack, so that a run may leave out the cells where nothing is to be done.

A record binds two digests: of everything that the cell's program read, and of the state that its run left. A cell is
unchanged where both still hold. So a record cannot lie: another machine's run, a destroy, a refresh, a run that was
cut off or an edit of the state give the state another revision, and a record that is lost means a run.
"""

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.settings import SECRETS, SOURCES

# What the program is made of; the engines and the command change nothing that it declares.
PROGRAM = ("__main__.py", "Pulumi.yaml", "requirements.txt", "billing", "catalogue", "components", "dynamic_providers")
# Code, and the migrations of tenants' databases.
ENDINGS = ("py", "sql")
# Read by the program beside its settings.
VARIABLES = ("TENANTRY_SANDBOX_WITHOUT",)


@dataclass(frozen=True)
class Records:
    """Records of one engine's stacks: a small file each, so that runs of different cells do not meet."""

    folder: Path

    def hold(self, stack: str, fingerprint: str, revision: str) -> bool:
        """Whether the stack's last run read the same and its state is still what that run left."""
        try:
            return bool(revision) and (self.folder / stack).read_text(encoding="utf-8") == f"{fingerprint} {revision}\n"
        except OSError:
            return False

    def note(self, stack: str, fingerprint: str, revision: str) -> None:
        """Record a run that ended well."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.folder / f".{stack}.{os.getpid()}"
        draft.write_text(f"{fingerprint} {revision}\n", encoding="utf-8")
        draft.replace(self.folder / stack)


def fingerprint(files: Mapping[str, str], surroundings: str) -> str:
    """The digest of a cell's catalogue and of what else its program reads."""
    digest = hashlib.sha256(surroundings.encode())
    for name, text in sorted(files.items()):
        digest.update(f"\0{name}\0{text}".encode())
    return digest.hexdigest()


def surroundings(project: Path, stack_file: Path, environ: Mapping[str, str]) -> str:
    """The digest of what all cells of a base stack read: code, stack configuration, environment."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in (*_sources(project), stack_file):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    secrets = {SOURCES[key] for key in SECRETS}
    for variable in sorted({*SOURCES.values(), *VARIABLES} - secrets):
        digest.update(f"\0{variable}={environ.get(variable, '')}".encode())
    if known := "\0".join(f"{variable}={environ[variable]}" for variable in sorted(secrets & environ.keys())):
        # Slow to try out: a record is no place where a secret could be guessed.
        digest.update(hashlib.scrypt(known.encode(), salt=stack_file.name.encode(), n=2**14, r=8, p=1))
    return digest.hexdigest()


def _sources(project: Path) -> Iterator[Path]:
    for name in PROGRAM:
        path = project / name
        if path.is_dir():
            yield from sorted(file for ending in ENDINGS for file in path.rglob(f"*.{ending}"))
        elif path.exists():
            yield path
