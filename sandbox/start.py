"""Starts, stops and describes a sandbox: one supervisor process per folder, and the environment its users need."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from sandbox.cluster_servers import stop_orphans
from sandbox.errors import SandboxError
from sandbox.folder import OFFSITE_BUCKET, REGION, SERVER_FOLDERS, Description, Layout
from sandbox.platform import admin_url, answers, stop_orphan
from sandbox.ports import ANY_PORTS, DEFAULT_PORTS, Ports
from sandbox.postgres import Binaries
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.tuning import USUAL, Tuning

__all__ = [
    "ANY_PORTS",
    "DEFAULT_PORTS",
    "Ports",
    "SandboxError",
    "ServerStatus",
    "Status",
    "addresses",
    "environment",
    "start",
    "status",
    "stop",
]

START_SECONDS = 30.0
STOP_SECONDS = 30.0
_PROJECT = Path(__file__).resolve().parent.parent
_NOTES = {"s3": "not durable: a restart empties the buckets, and `up --refresh` puts the grants back"}
# Which list of its inventory a simulator has its database servers in, and the status of one that answers.
_DATABASES = {
    "timeweb": ("clusters", "started"),
    "neon": ("branches", "ready"),
    "digitalocean": ("clusters", "online"),
}


@dataclass(frozen=True)
class ServerStatus:
    """One server: what it is, where, whether it answers, and what else there is to say."""

    name: str
    url: str
    healthy: bool
    note: str = ""


@dataclass(frozen=True)
class Status:
    """A sandbox as it is now. `already_running` is said by a `start` that found nothing to do."""

    folder: Path
    pid: int | None
    servers: tuple[ServerStatus, ...] = ()
    already_running: bool = False

    @property
    def running(self) -> bool:
        """Whether a supervisor lives."""
        return self.pid is not None


def start(
    folder: Path,
    ports: Ports = DEFAULT_PORTS,
    *,
    fleet_source: Path | None = None,
    detach: bool = True,
    tuning: Tuning = USUAL,
) -> Status:
    """Start the sandbox of this folder and wait until it answers; one that runs is left alone.

    `fleet_source` is copied to `fleet/` unless it is there. Detached, the supervisor outlives this process and its
    terminal. Raises SandboxError with the supervisor's own sentence, for example that a port is taken.
    """
    layout = Layout(folder.resolve())
    if layout.supervisor() is not None:
        current = status(folder)
        return Status(current.folder, current.pid, current.servers, already_running=True)
    layout.create()
    if fleet_source is not None and not layout.fleet.exists():
        shutil.copytree(fleet_source, layout.fleet, symlinks=False)
    layout.description_file.unlink(missing_ok=True)
    pid = _spawn(layout, ports, tuning, detach=detach)
    ready = _wait(lambda: layout.description() is not None or _has_ended(pid), START_SECONDS)
    if layout.description() is None:
        if not ready:
            os.kill(pid, signal.SIGTERM)
        raise SandboxError(_last_words(layout.log))
    return status(folder)


def stop(folder: Path, *, wipe: bool = False) -> bool:
    """End the sandbox and wait for it; `wipe` then removes the folder. Tells whether anything ran.

    Databases that outlived a killed supervisor are ended too. A folder that is no sandbox is never removed.
    """
    layout = Layout(folder.resolve())
    if not layout.is_sandbox:
        if wipe and layout.root.exists():
            raise SandboxError(f"{layout.root} is no sandbox folder, so it stays as it is")
        return False
    pid = layout.supervisor()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _wait(lambda: layout.supervisor() is None, STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _wait(lambda: layout.supervisor() is None, STOP_SECONDS)
        _wait(lambda: _has_ended(pid), STOP_SECONDS)
    orphans = sum(stop_orphans(layout.servers(vendor)) for vendor in SERVER_FOLDERS) + stop_orphan(layout.platform)
    if wipe:
        shutil.rmtree(layout.root)
    return pid is not None or orphans > 0


def status(folder: Path) -> Status:
    """What runs, and whether it answers."""
    layout = Layout(folder.resolve())
    pid = layout.supervisor()
    description = layout.description()
    if pid is None or description is None:
        return Status(layout.root, pid)
    databases = [_databases(vendor, description.urls[vendor]) for vendor in _DATABASES]
    return Status(layout.root, pid, tuple(sum(databases, _servers(description))))


def addresses(folder: Path) -> Mapping[str, str]:
    """The servers' URLs by name, without a slash at the end; SandboxError when it never was started."""
    layout = Layout(folder.resolve())
    layout.secrets()
    description = layout.description()
    if description is None:
        raise SandboxError(f"the sandbox in {layout.root} was never started")
    return description.urls


def environment(folder: Path) -> dict[str, str]:
    """The variables with which `pulumi` and `tenantry` use this sandbox; SandboxError when it never was started."""
    layout = Layout(folder.resolve())
    secrets = layout.secrets()
    urls = addresses(folder)
    storage = urls["s3"]
    # A sandbox without databases has none for the platform.
    platform = urls.get("platform")
    return {
        "TIMEWEB_CLOUD_TOKEN": secrets.token,
        "TIMEWEB_API_URL": urls["timeweb"],
        "TIMEWEB_IAM_URL": storage,
        "TIMEWEB_S3_ENDPOINT": storage,
        "TIMEWEB_S3_REGION": REGION,
        "TIMEWEB_SSLMODE": "disable",
        "TIMEWEB_POLL_SECONDS": "0.2",
        "NEON_API_KEY": secrets.neon_key,
        "NEON_API_URL": f"{urls['neon']}/api/v2",
        "NEON_ORG_ID": ORGANIZATION,
        "NEON_SSLMODE": "disable",
        "NEON_POLL_SECONDS": "0.2",
        "DIGITALOCEAN_TOKEN": secrets.digitalocean_token,
        "DIGITALOCEAN_TRUSTED_SOURCES": "127.0.0.1",
        "DIGITALOCEAN_API_URL": urls["digitalocean"],
        **({"PLATFORM_DATABASE_URL": admin_url(platform, secrets.platform_password)} if platform else {}),
        "S3_ENDPOINT": storage,
        "S3_IAM_ENDPOINT": storage,
        "S3_REGION": REGION,
        "S3_ACCESS_KEY": secrets.s3_access_key,
        "S3_SECRET_KEY": secrets.s3_secret_key,
        "BACKUP_ENDPOINT": storage,
        "BACKUP_BUCKET": OFFSITE_BUCKET,
        "BACKUP_REGION": REGION,
        "BACKUP_ACCESS_KEY": secrets.backup_access_key,
        "BACKUP_SECRET_KEY": secrets.backup_secret_key,
        "TENANTRY_ADMIN_SECRET": secrets.admin_secret,
        "TENANTRY_PG_BIN": str(Binaries.best().folder),
        "TENANTRY_FLEET": str(layout.fleet),
        "TENANTRY_STATE": str(layout.state),
        "TENANTRY_SANDBOX": str(layout.root),
        "TENANTRY_RATE_DIR": str(layout.rate),
        "PULUMI_BACKEND_URL": f"file://{layout.pulumi}",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _spawn(layout: Layout, ports: Ports, tuning: Tuning, *, detach: bool) -> int:
    arguments = [sys.executable, "-P", "-m", "sandbox.serve", str(layout.root)]
    arguments += [f"--ports={json.dumps(asdict(ports))}", f"--tuning={json.dumps(asdict(tuning))}"]
    path = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))
    environ: Mapping[str, str] = {**os.environ, "PYTHONPATH": path}
    log = str(layout.log)
    appending = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        sys.executable,
        arguments,
        environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, appending, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=detach,
    )


def _has_ended(pid: int) -> bool:
    """Whether our child ended; a process that is not our child is not waited for."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _wait(reached: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "the sandbox did not start and left no word"


def _servers(description: Description) -> list[ServerStatus]:
    return [ServerStatus(name, url, _answers(url), _NOTES.get(name, "")) for name, url in description.urls.items()]


def _answers(url: str) -> bool:
    if url.startswith("postgresql://"):
        return answers(url)
    try:
        return httpx.get(f"{url}/_sandbox/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def _databases(vendor: str, url: str) -> list[ServerStatus]:
    kind, healthy = _DATABASES[vendor]
    try:
        found = httpx.get(f"{url}/_sandbox/inventory", timeout=5).json()[kind]
    except httpx.TransportError:
        return []
    return [
        ServerStatus(
            f"{vendor} postgres {each['name']}",
            f"postgresql://localhost:{each['port']}" if each["port"] else "",
            each["status"] == healthy,
            each["failure"] or "" if each["status"] == "error" else each["status"],
        )
        for each in found
        if each["status"] != "deleted"
    ]
