"""Simulators in this process, one per vendor, that answer at once, count their answers and are emptied in a moment."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from sandbox.authority import open_authority
from sandbox.faults import FaultBox, fault
from sandbox.fronted_servers import FrontedServers
from sandbox.s3 import S3Server
from sandbox.simulators.control import Edit, Inventory
from sandbox.simulators.digitalocean import app as digitalocean
from sandbox.simulators.digitalocean import inventory as digitalocean_inventory
from sandbox.simulators.digitalocean.limit import Limits
from sandbox.simulators.digitalocean.state import Delays as DigitalOceanDelays
from sandbox.simulators.digitalocean.state import State as DigitalOceanState
from sandbox.simulators.neon import app as neon
from sandbox.simulators.neon import inventory as neon_inventory
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.simulators.neon.state import Delays as NeonDelays
from sandbox.simulators.neon.state import State as NeonState
from sandbox.simulators.neon.urls import PREFIX
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import Entry, RequestLog
from sandbox.simulators.server import AppServer, serve_app
from sandbox.simulators.servers import ClusterServers
from sandbox.simulators.timeweb import app as timeweb
from sandbox.simulators.timeweb import inventory as timeweb_inventory
from sandbox.simulators.timeweb.state import Delays as TimewebDelays
from sandbox.simulators.timeweb.state import State as TimewebState
from tests.e2e.kept_servers import KeptServers

TOKEN = "a-token-for-every-vendor"
UNLIMITED = 100_000


@dataclass
class Trigger:
    """Kills a process after so many answered requests, before the answer leaves."""

    left: int = 0
    pid: int = 0
    answered: int = 0
    _lock: Lock = field(default_factory=Lock)

    def hit(self) -> None:
        """Count an answer."""
        with self._lock:
            self.answered += 1
            self.left -= 1
            if self.left == 0 and self.pid:
                os.kill(self.pid, signal.SIGKILL)


class CountingLog(RequestLog):
    """A simulator's log, which counts answers."""

    trigger: Trigger

    def answered(self, n: int, status: int) -> None:
        """Note the status that is about to leave."""
        super().answered(n, status)
        self.trigger.hit()


class CountingStore(S3Server):
    """The object store, which counts the answers of its IAM API."""

    trigger: Trigger

    def _answered(self, number: int, status: int) -> None:
        super()._answered(number, status)
        self.trigger.hit()


@dataclass(frozen=True)
class Ground:
    """What a simulator is built on: its folder, its tables, its log and faults, and the servers of its clusters."""

    folder: Path
    store: CountingStore
    database: Database
    log: CountingLog
    faults: FaultBox
    kept: KeptServers


@dataclass(frozen=True)
class Cloud:
    """One vendor's account; `environ` leads a run to it."""

    ground: Ground
    api: AppServer
    servers: ClusterServers
    inventory: Callable[[], Inventory]
    edit: Callable[[Edit], None]
    environ: Mapping[str, str]
    restore: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """Empty the account and its servers; nothing was asked of it yet, and nothing is to go wrong."""
        for cluster in self.ground.kept.clusters():
            self.servers.remove(cluster)
        self.ground.kept.reset()
        self.ground.database.execute("DELETE FROM objects")
        self.ground.log.clear()
        self.ground.faults.clear()
        self.restore()

    def strike(self, name: str, method: str, path: str, *, times: int = 1, skip: int = 0) -> None:
        """Turn a fault on."""
        self.ground.faults.add(fault(name, method=method, path=path, times=times, skip=skip))

    def entries(self) -> list[Entry]:
        """What was asked, in order."""
        return self.ground.log.entries()

    def stop(self) -> None:
        """End the server, then the databases behind it, then close the tables."""
        self.api.stop()
        self.servers.close()
        self.ground.database.close()


def _timeweb(ground: Ground) -> Cloud:
    state = TimewebState(
        ground.database, ground.kept, ground.store.timeweb, time.time, TimewebDelays(start=0.0, resize=0.0, power=0.0)
    )
    api = serve_app(timeweb.create_app(state, TOKEN, ground.log, ground.faults, requests_per_second=UNLIMITED))
    environ = {
        "TIMEWEB_CLOUD_TOKEN": TOKEN,
        "TIMEWEB_API_URL": api.url,
        "TIMEWEB_IAM_URL": ground.store.url,
        "TIMEWEB_S3_ENDPOINT": ground.store.url,
        "TIMEWEB_S3_REGION": "ru-1",
        "TIMEWEB_SSLMODE": "disable",
        "TIMEWEB_POLL_SECONDS": "0.02",
        "TIMEWEB_REQUESTS_PER_SECOND": str(UNLIMITED),
    }
    return Cloud(
        ground,
        api,
        ground.kept,
        partial(timeweb_inventory.inventory, state),
        partial(timeweb_inventory.edit, state),
        environ,
        state.restore_storage,
    )


def _neon(ground: Ground) -> Cloud:
    delays = NeonDelays(schedule=0.0, operation=0.0)
    state = NeonState(ground.database, ground.kept, time.time, delays, personal=False)
    pace = neon.Pace(per_minute=UNLIMITED, per_second=UNLIMITED)
    api = serve_app(neon.create_app(state, TOKEN, ground.log, ground.faults, pace=pace))
    environ = {
        "NEON_API_KEY": TOKEN,
        "NEON_API_URL": api.url + PREFIX,
        "NEON_ORG_ID": ORGANIZATION,
        "NEON_SSLMODE": "disable",
        "NEON_POLL_SECONDS": "0.02",
        "NEON_REQUESTS_PER_MINUTE": str(UNLIMITED),
    }
    return Cloud(
        ground, api, ground.kept, partial(neon_inventory.inventory, state), partial(neon_inventory.edit, state), environ
    )


def _digitalocean(ground: Ground) -> Cloud:
    authority = open_authority(ground.folder / "authority")
    servers = FrontedServers(ground.folder, authority.server_context(), plain=ground.kept)
    delays = DigitalOceanDelays(create=0.0, resize=0.0)
    state = DigitalOceanState(ground.database, servers, authority.pem, time.time, delays)
    limits = Limits(per_minute=UNLIMITED, per_hour=UNLIMITED)
    api = serve_app(digitalocean.create_app(state, TOKEN, ground.log, ground.faults, limits))
    environ = {
        "DIGITALOCEAN_TOKEN": TOKEN,
        "DIGITALOCEAN_API_URL": api.url,
        "DIGITALOCEAN_TRUSTED_SOURCES": "127.0.0.1",
    }
    return Cloud(
        ground,
        api,
        servers,
        partial(digitalocean_inventory.inventory, state),
        partial(digitalocean_inventory.edit, state),
        environ,
    )


CLOUDS: Mapping[str, Callable[[Ground], Cloud]] = {"timeweb": _timeweb, "neon": _neon, "digitalocean": _digitalocean}


def open_cloud(vendor: str, folder: Path, store: CountingStore, trigger: Trigger) -> Cloud:
    """A vendor's empty account; its files are in a folder of its own."""
    own = folder / vendor
    own.mkdir()
    database = Database(own / "account.sqlite")
    log = CountingLog(database, time.time)
    log.trigger = trigger
    return CLOUDS[vendor](Ground(own, store, database, log, FaultBox(), KeptServers(own / "postgres")))
