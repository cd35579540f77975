"""Planted secrets are found nowhere: not in the state, logs, errors, output or the arguments of a process."""

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.world import PROJECT, World

pytestmark = pytest.mark.e2e


def forms(secret: str) -> set[bytes]:
    """A secret as it is, in base64 (at each of the three offsets a longer text can put it), and URL-encoded."""
    found = {secret.encode(), quote(secret, safe="").encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + secret.encode()).rstrip(b"=")
        # The first and last characters depend on the neighbours of the secret.
        found.add(encoded[4:-4])
    return found


class Arguments(threading.Thread):
    """Collects the arguments of every process of this machine while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look every few milliseconds."""
        while not self._ended.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue  # it has ended meanwhile

    def stop(self) -> bytes:
        """All that was seen."""
        self._ended.set()
        self.join()
        return b"\n".join(self.seen)


def run(world: World, *arguments: str) -> bytes:
    """A `tenantry` command as a user types it; everything it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], cwd=PROJECT, env=world.environ, capture_output=True, check=False
    )
    return done.stdout + done.stderr


def test_planted_secrets_are_found_nowhere(small: World) -> None:
    """F21, H3, design rule 7."""
    watcher = Arguments()
    watcher.start()
    printed = run(small, "up", "--yes", "--json", "--refresh")
    printed += run(small, "up", "--yes") + run(small, "preview", "--json") + run(small, "outputs", "--json")
    small.edit(
        lambda tenants: tenants.update(late={"database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}})
    )
    # Failures are where secrets like to come out: a refused token, and a create that the provider fails.
    printed += run(small, "sandbox", "faults", "token-refused", "--times", "3", "--folder", str(small.folder))
    printed += run(small, "up", "--yes", "--json")
    printed += run(small, "sandbox", "faults", "error-after-work", "--path", "/admins|/users", "--times", "2")
    printed += run(small, "up", "--yes", "--json") + run(small, "sandbox", "faults", "--clear")
    printed += run(small, "up", "--yes", "--json")
    arguments = watcher.stop()

    tenants = small.tenants()
    assert tenants["late"].database is not None, "the fleet recovered"
    planted = {
        "API token": small.environ["TIMEWEB_CLOUD_TOKEN"],
        "administrators' secret": small.environ["TENANTRY_ADMIN_SECRET"],
        "S3 key of ours": small.environ["S3_SECRET_KEY"],
    }
    for name, tenant in tenants.items():
        if tenant.database:
            planted[f"password of {name}"] = tenant.database.password
        if tenant.storage:
            planted[f"storage key of {name}"] = tenant.storage.secret_key
    state = json.dumps(small.engine().export()).encode()
    files = b"".join(path.read_bytes() for path in state_files(small))
    logs = b"".join(path.read_bytes() for path in small.folder.rglob("*.log")) + postgres_logs(small)
    # Each place was really looked at: what may be there is there.
    assert b"alpha" in printed
    assert "tenantry:sandbox:alpha-bucket-1" in state.decode()
    assert b"alpha-bucket-1" in files
    assert b"cli.main" in arguments
    assert b"PostgreSQL" in logs
    for what, secret in planted.items():
        for form in forms(secret):
            assert form not in printed, f"{what} was printed"
            assert form not in state, f"{what} is in the exported state"
            assert form not in files, f"{what} is in a state file"
            assert form not in arguments, f"{what} was an argument of a process"
            assert form not in logs, f"{what} is in a log"


def state_files(world: World) -> list[Path]:
    """Whatever the engine wrote."""
    folders = [world.folder / "state", world.folder / "pulumi"]
    return [path for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_file()]


def postgres_logs(world: World) -> bytes:
    """What the PostgreSQL servers wrote."""
    logs = [path for path in (world.folder / "clusters").rglob("*") if "log" in path.name and path.is_file()]
    return b"".join(path.read_bytes() for path in logs if os.access(path, os.R_OK) and path.stat().st_size < 10**7)
