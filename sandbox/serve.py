"""The supervisor, `python -m sandbox.serve FOLDER …`: one process that runs the whole sandbox until told to end."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.authority import Authority, open_authority
from sandbox.cluster_servers import PORTS_TRIED, PostgresServers
from sandbox.errors import SandboxError
from sandbox.folder import OFFSITE_BUCKET, SERVER_FOLDERS, Description, Layout, Secrets
from sandbox.fronted_servers import FrontedServers
from sandbox.platform import platform_server
from sandbox.ports import Ports
from sandbox.s3 import S3Server
from sandbox.simulators.digitalocean import serve as digitalocean
from sandbox.simulators.digitalocean.servers import ManagedServers, NoManagedServers
from sandbox.simulators.neon import serve as neon
from sandbox.simulators.server import PortTakenError
from sandbox.simulators.servers import ClusterServers, NoServers
from sandbox.simulators.timeweb import serve as timeweb
from sandbox.simulators.timeweb.state import Delays
from sandbox.simulators.timeweb.storage import Login
from sandbox.tuning import Tuning

CHANGE_SECONDS = 0.3
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Site:
    """What the servers of one sandbox are made from."""

    layout: Layout
    secrets: Secrets
    ports: Ports
    tuning: Tuning
    storage: S3Server

    def first_port(self, vendor: str) -> int:
        """Where the range of this vendor's databases begins; 0 for any ports."""
        first = self.ports.database
        return first and first + list(SERVER_FOLDERS).index(vendor) * PORTS_TRIED

    def servers(self, vendor: str) -> ClusterServers:
        """The database servers behind this vendor's simulator, on a range of ports of their own."""
        if not self.tuning.databases:
            return NoServers()
        return PostgresServers(self.layout.servers(vendor), self.first_port(vendor))

    def managed_servers(self, authority: Authority) -> ManagedServers:
        """The same for the vendor whose servers speak TLS."""
        if not self.tuning.databases:
            return NoManagedServers()
        folder, first = self.layout.servers("digitalocean"), self.first_port("digitalocean")
        return FrontedServers(folder, authority.server_context(), first)


@contextmanager
def _timeweb(site: Site) -> Iterator[str]:
    tuning = site.tuning
    running = timeweb.serve(
        site.layout.root,
        token=site.secrets.token,
        servers=site.servers("timeweb"),
        storage=site.storage.timeweb,
        port=site.ports.simulator,
        delays=Delays(start=tuning.cluster_seconds, resize=CHANGE_SECONDS, power=CHANGE_SECONDS),
        requests_per_second=tuning.requests_per_second,
    )
    try:
        yield running.url
    finally:
        running.stop()


@contextmanager
def _neon(site: Site) -> Iterator[str]:
    running = neon.serve(
        site.layout.root,
        key=site.secrets.neon_key,
        servers=site.servers("neon"),
        port=site.ports.neon,
        delays=neon.Delays(schedule=0, operation=site.tuning.operation_seconds),
        pace=neon.Pace(per_minute=site.tuning.neon_requests_per_minute),
    )
    try:
        yield running.url
    finally:
        running.stop()


@contextmanager
def _digitalocean(site: Site) -> Iterator[str]:
    authority = open_authority(site.layout.authority)
    running = digitalocean.serve(
        site.layout.root,
        token=site.secrets.digitalocean_token,
        servers=site.managed_servers(authority),
        certificate=authority.pem,
        port=site.ports.digitalocean,
        delays=digitalocean.Delays(create=site.tuning.cluster_seconds, resize=CHANGE_SECONDS),
    )
    try:
        yield running.url
    finally:
        running.stop()


# By the name under which their URLs are known; all of them take faults at their control address.
SIMULATORS: Mapping[str, Callable[[Site], AbstractContextManager[str]]] = {
    "timeweb": _timeweb,
    "neon": _neon,
    "digitalocean": _digitalocean,
}


@contextmanager
def running(layout: Layout, ports: Ports, tuning: Tuning) -> Iterator[Description]:
    """All servers of the sandbox, resumed from its folder; they end with the block and keep their data."""
    secrets = layout.secrets()
    with ExitStack() as stack:
        storage = S3Server(ports.storage)
        stack.callback(storage.stop)
        storage.offsite.set_bucket_user(
            Login("offsite", secrets.backup_access_key, secrets.backup_secret_key), OFFSITE_BUCKET
        )
        storage.offsite.create_bucket(OFFSITE_BUCKET)
        storage.plain.set_signer(Login("root", secrets.s3_access_key, secrets.s3_secret_key))
        site = Site(layout, secrets, ports, tuning, storage)
        urls = {name: stack.enter_context(simulator(site)) for name, simulator in SIMULATORS.items()}
        if tuning.databases:
            server = platform_server(layout.platform, ports.platform, secrets.platform_password)
            urls["platform"] = stack.enter_context(server)
        yield Description(os.getpid(), time.time(), {**urls, "s3": storage.url})


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
    parser.add_argument("--ports", type=json.loads, required=True)
    parser.add_argument("--tuning", type=json.loads, required=True)
    given = parser.parse_args()
    try:
        supervise(Layout(given.folder), Ports(**given.ports), Tuning(**given.tuning))
    except (SandboxError, PortTakenError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
