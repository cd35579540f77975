"""The supervisor, `python -m sandbox.serve FOLDER …`: one process that runs the whole sandbox until told to end."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.cluster_servers import PostgresServers
from sandbox.errors import SandboxError
from sandbox.folder import OFFSITE_BUCKET, Description, Layout
from sandbox.ports import Ports
from sandbox.s3 import S3Server
from sandbox.simulators.server import PortTakenError
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import serve
from sandbox.simulators.timeweb.state import Delays
from sandbox.simulators.timeweb.storage import Login
from sandbox.tuning import Tuning

CHANGE_SECONDS = 0.3
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def running(layout: Layout, ports: Ports, tuning: Tuning) -> Iterator[Description]:
    """All servers of the sandbox, resumed from its folder; they end with the block and keep their data."""
    secrets = layout.secrets()
    storage = S3Server(ports.storage)
    try:
        storage.offsite.set_bucket_user(
            Login("offsite", secrets.backup_access_key, secrets.backup_secret_key), OFFSITE_BUCKET
        )
        storage.offsite.create_bucket(OFFSITE_BUCKET)
        storage.plain.set_signer(Login("root", secrets.s3_access_key, secrets.s3_secret_key))
        timeweb = serve(
            layout.root,
            token=secrets.token,
            servers=PostgresServers(layout.clusters, ports.database) if tuning.databases else NoServers(),
            storage=storage.timeweb,
            port=ports.simulator,
            delays=Delays(start=tuning.cluster_seconds, resize=CHANGE_SECONDS, power=CHANGE_SECONDS),
            requests_per_second=tuning.requests_per_second,
        )
        try:
            yield Description(os.getpid(), time.time(), timeweb.url, storage.url)
        finally:
            timeweb.stop()
    finally:
        storage.stop()


def supervise(layout: Layout, ports: Ports, tuning: Tuning) -> None:
    """Run until a signal asks to end."""
    ended = threading.Event()
    for ending in _ENDINGS:
        signal.signal(ending, lambda *_: ended.set())
    with layout.lock():
        layout.description_file.unlink(missing_ok=True)
        with running(layout, ports, tuning) as description:
            layout.describe(description)
            ended.wait()


def main() -> None:
    """Parse the arguments and supervise; a failure is one sentence on the error stream."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name in ("simulator", "storage", "database"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--cluster-seconds", type=float, required=True)
    parser.add_argument("--requests-per-second", type=int, required=True)
    parser.add_argument("--without-databases", action="store_true")
    given = parser.parse_args()
    tuning = Tuning(given.cluster_seconds, not given.without_databases, given.requests_per_second)
    try:
        supervise(Layout(given.folder), Ports(given.simulator, given.storage, given.database), tuning)
    except (SandboxError, PortTakenError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
