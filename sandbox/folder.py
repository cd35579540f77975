"""The sandbox's folder: what lies where in it, whether its supervisor lives, and the secrets made for it."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from sandbox.errors import SandboxError
from sandbox.postgres import Account
from sandbox.simulators.timeweb.state import new_access_key, new_secret_key

# Of the object store.
REGION = "ru-1"
OFFSITE_BUCKET = "tenantry-offsite"
# Who has real database servers behind its simulator, and the folder they lie in, one folder a server.
SERVER_FOLDERS: Mapping[str, str] = {"timeweb": "clusters", "neon": "neon", "digitalocean": "managed"}
_LOCK_ATTEMPTS = 20
_LOCK_PAUSE = 0.05


@dataclass(frozen=True)
class Secrets:
    """Random values of one sandbox; they stay the same when it is started again."""

    token: str
    neon_key: str
    digitalocean_token: str
    admin_secret: str
    s3_access_key: str
    s3_secret_key: str
    backup_access_key: str
    backup_secret_key: str
    platform_password: str

    @classmethod
    def fresh(cls) -> Self:
        """New random values."""
        return cls(
            token=secrets.token_hex(24),
            neon_key=secrets.token_hex(24),
            digitalocean_token=secrets.token_hex(24),
            admin_secret=secrets.token_hex(32),
            s3_access_key=new_access_key(),
            s3_secret_key=new_secret_key(),
            backup_access_key=new_access_key(),
            backup_secret_key=new_secret_key(),
            platform_password=secrets.token_hex(16),
        )


@dataclass(frozen=True)
class Description:
    """What the supervisor wrote when it was ready: its process, the time it started, and its servers' URLs by name."""

    pid: int
    started: float
    urls: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """The places in a sandbox folder."""

    root: Path

    def servers(self, vendor: str) -> Path:
        """A folder per database server behind this vendor's simulator."""
        return self.root / SERVER_FOLDERS[vendor]

    @property
    def platform(self) -> Path:
        """The platform database's server."""
        return self.root / "platform"

    @property
    def authority(self) -> Path:
        """The certificate authority of the servers that speak TLS."""
        return self.root / "authority"

    @property
    def fleet(self) -> Path:
        """The copy of the example catalogue."""
        return self.root / "fleet"

    @property
    def pulumi(self) -> Path:
        """The file backend of Pulumi."""
        return self.root / "pulumi"

    @property
    def state(self) -> Path:
        """The states of the embedded engine."""
        return self.root / "state"

    @property
    def rate(self) -> Path:
        """Where clients share their request budgets."""
        return self.root / "rate"

    @property
    def log(self) -> Path:
        """What the supervisor had to say."""
        return self.root / "supervisor.log"

    @property
    def secrets_file(self) -> Path:
        """The random values; the file also marks the folder as a sandbox."""
        return self.root / "secrets.json"

    @property
    def description_file(self) -> Path:
        """Where the running supervisor describes itself."""
        return self.root / "sandbox.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor as long as it lives; holds its process id."""
        return self.root / "supervisor.lock"

    def create(self) -> None:
        """Make the folder with its secrets; one that exists and holds something else is refused."""
        if self.root.exists() and not self.is_sandbox and any(self.root.iterdir()):
            raise SandboxError(f"{self.root} holds other files; give the sandbox a folder of its own")
        # Where PostgreSQL has to run as another user, that user must be able to pass through.
        mode = 0o711 if Account.detect().user else 0o700
        for folder in (self.root, *map(self.servers, SERVER_FOLDERS)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
        for folder in (self.pulumi, self.rate):
            folder.mkdir(mode=0o700, exist_ok=True)
        # A sandbox of an earlier version keeps the secrets it has.
        known = json.loads(self.secrets_file.read_text()) if self.is_sandbox else {}
        if (wanted := asdict(Secrets.fresh())).keys() != known.keys():
            write_private(self.secrets_file, wanted | known)

    @property
    def is_sandbox(self) -> bool:
        """Whether this folder was made by `create`."""
        return self.secrets_file.is_file()

    def secrets(self) -> Secrets:
        """The random values of this sandbox."""
        if not self.is_sandbox:
            raise SandboxError(f"there is no sandbox in {self.root}; start one first")
        return Secrets(**json.loads(self.secrets_file.read_text()))

    def describe(self, description: Description) -> None:
        """Tell those who wait that the sandbox is ready."""
        write_private(self.description_file, asdict(description))

    def description(self) -> Description | None:
        """What the last supervisor that became ready wrote, if any; nothing if it was of an earlier version."""
        try:
            return Description(**json.loads(self.description_file.read_text()))
        except (FileNotFoundError, TypeError):
            return None

    def lock(self) -> IO[str]:
        """Take the supervisor's place until the file is closed; SandboxError when it is taken."""
        held = self.lock_file.open("a+")
        # Who asks for `supervisor` holds the lock for a moment: that is no other supervisor.
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
                continue
            held.truncate(0)
            held.write(str(os.getpid()))
            held.flush()
            return held
        held.close()
        raise SandboxError(f"the sandbox in {self.root} is already running")

    def supervisor(self) -> int | None:
        """The process id of the supervisor that lives, or None. A killed one leaves no lock behind."""
        for _ in range(_LOCK_ATTEMPTS):
            try:
                with self.lock_file.open("r") as probe:
                    fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except FileNotFoundError:
                return None
            except BlockingIOError:
                if text := self.lock_file.read_text():
                    return int(text)
                time.sleep(_LOCK_PAUSE)
            else:
                return None
        raise SandboxError(f"{self.lock_file} is held by a process that does not name itself")


def write_private(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON for the owner's eyes only; a reader sees the old file or the whole new one."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(value, file, indent=1)
    fresh.replace(path)
