"""The life of each kind of Timeweb resource, led as an engine leads it, so that any of its requests can be spoilt.

Which requests there are is learnt from the logs of an undisturbed life: a call that a provider begins to send is
covered without a word here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from dynamic_providers.api import Patience
from dynamic_providers.circuit import Circuit
from dynamic_providers.configuration import Configuration
from dynamic_providers.timeweb.admin import AdminProvider
from dynamic_providers.timeweb.backup_schedule import BackupScheduleProvider
from dynamic_providers.timeweb.bucket import BucketProvider
from dynamic_providers.timeweb.cluster import ClusterProvider
from dynamic_providers.timeweb.database import DatabaseProvider
from dynamic_providers.timeweb.objects import open_s3
from dynamic_providers.timeweb.policies import granted
from dynamic_providers.timeweb.session import Session, TimewebProvider, open_session
from dynamic_providers.timeweb.storage_user import StorageUserProvider, together
from dynamic_providers.waiting import Pace
from sandbox.faults import Fault
from sandbox.s3 import S3Request, S3Server
from sandbox.simulators.request_log import Entry
from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.serve import RunningTimeweb

Props = dict[str, Any]

PHASES = ("create", "read", "update", "delete")
AMPLE = 20.0
TABLES = ("clusters", "instances", "admins", "buckets", "storage_users")
# What differs between two lives that went equally well.
OWN = {"id", "uuid", "created_at", "access_key", "secret_key", "delete_hash", "full_name", "settles_at", "settles_to"}
# The part of a path that differs between two lives: a number, a uuid, a bucket's real name.
NAMED = re.compile(r"(?<=/)(\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}-[a-z-]+)(?=/|$)")
STARTING = {"starting", "rebooting"}


@dataclass(frozen=True)
class Step:
    """One kind of request in a phase of a life; `number` counts its like in the phase, from 0."""

    phase: str
    host: str
    method: str
    path: str
    number: int

    def __str__(self) -> str:
        return f"{self.phase}: {self.method} {self.path} #{self.number + 1}"


@dataclass
class Held:
    """What an engine's state holds of the resource."""

    id: str
    outs: Props


@dataclass
class Place:
    """A simulated account with somebody else's objects in it, and what an engine's state holds of ours."""

    timeweb: RunningTimeweb
    store: S3Server
    folder: Path
    seconds: float = AMPLE
    held: Held | None = None
    cluster: str = field(init=False)
    bucket: str = field(init=False)
    _last: int = field(init=False)

    def __post_init__(self) -> None:
        api = self.session().timeweb
        theirs = {"name": "not-ours", "description": "tenantry:other:acme-bucket-1"}
        self.cluster = str(api.create_cluster(theirs | {"type": "postgres15", "preset_id": 124}).id)
        api.create_database(self.cluster, theirs)
        login = {"login": "not_ours", "password": "p", "privileges": ["SELECT"], "for_all": True}
        api.create_admin(self.cluster, login | {"description": theirs["description"]})
        self.bucket = api.create_bucket(theirs | {"type": "private", "preset_id": 382}).real_name
        api.create_storage_user("tenantry-acm")
        self._last = max(record.id for name in TABLES for record in getattr(self.timeweb.state, name).all())

    def session(self) -> Session:
        """A session of a new process, which repeats and looks quickly, and gives up after `seconds`."""
        settings = Configuration(
            token=self.timeweb.token,
            api_url=self.timeweb.url,
            iam_url=self.timeweb.iam_url,
            s3_endpoint=self.timeweb.s3_endpoint,
            admin_secret="the fleet's admin secret",
            requests_per_second=100_000,
            rate_dir=self.folder / "rate",
        )
        patience = Patience(deadline=self.seconds, first_pause=0.001, longest_pause=0.01, jitter=0.001)
        pace = Pace(0.002, self.seconds)
        return open_session(settings, patience=patience, pace=pace, circuit=Circuit(), today=lambda: date(2026, 11, 1))

    def clear(self) -> None:
        """Leave only what is somebody else's."""
        self.lift()
        state = self.timeweb.state
        for bucket in state.buckets.all():
            if bucket.id > self._last:
                state.storage.delete_bucket(bucket.full_name)
        for user in state.storage_users.all():
            if user.id > self._last:
                state.storage.delete_user(user.name)
        state.database.execute("DELETE FROM objects WHERE id > ?", (self._last,))
        (cluster,) = state.clusters.all()
        state.clusters.put(cluster.model_copy(update={"auto_backups": None}))
        self.held = None
        self.forget_requests()

    def strike(self, host: str, incident: Fault) -> None:
        """Turn a fault on."""
        (self.timeweb if host == "api" else self.store).faults.add(incident)

    def lift(self) -> None:
        """Turn all faults off, and let what they hold fast go on; what has failed for good is deleted in the panel."""
        self.timeweb.faults.clear()
        self.store.faults.clear()
        state = self.timeweb.state
        for cluster in state.clusters.all():
            if cluster.settles_to == "error":
                clusters.delete(state, cluster.id)
            elif cluster.status in STARTING and cluster.settles_at is None:
                state.clusters.put(cluster.model_copy(update={"settles_at": 0.0}))

    def forget_requests(self) -> None:
        """Empty both logs."""
        self.timeweb.log.clear()
        self.store.forget_requests()

    def requests(self) -> list[tuple[str, Entry | S3Request, str]]:
        """Both logs as (host, request, path with its names left out); an IAM action counts as a path."""
        return [("api", entry, NAMED.sub("…", entry.path)) for entry in self.timeweb.log.entries()] + [
            ("store", entry, f"/?Action={entry.action}" if entry.action else NAMED.sub("…", entry.path))
            for entry in self.store.requests()
        ]

    def inventory(self) -> list[tuple[str, Props]]:
        """All that exists, without what differs from life to life; contents and grants with it."""
        state = self.timeweb.state
        found: list[tuple[str, Props]] = []
        for name in TABLES:
            for record in getattr(state, name).all():
                shown = {key: value for key, value in record.model_dump().items() if key not in {*OWN, "cluster_id"}}
                if shown.get("status") in STARTING and record.settles_to == "started":
                    shown["status"] = "started"
                if shown.get("login") == "gen_user":
                    del shown["password"]
                if name == "buckets":
                    shown["objects"] = state.storage.usage(record.full_name).objects
                if name == "storage_users" and record.id > self._last:
                    policies = self.session().grants().policies(record.name)
                    shown["granted"] = (sorted(policies), granted(together(policies), self.bucket)[0])
                found.append((name, shown))
        return sorted(found, key=str)


@dataclass(frozen=True)
class Kind:
    """One kind of resource: the inputs its life begins with and what is changed later; some depend on the account."""

    provider: type[TimewebProvider]
    first: Props
    change: Props
    around: Callable[[Place], Props] = lambda _place: {}
    before: Mapping[str, Callable[[Place], None]] = field(default_factory=dict)

    def wanted(self, place: Place, phase: str) -> Props | None:
        """What a program asks for once the phase is over; None for nothing."""
        if phase == "delete":
            return None
        return self.first | self.around(place) | (self.change if phase == "update" else {})

    def fresh(self, place: Place) -> TimewebProvider:
        """The provider of a new process."""
        made = self.provider()
        made.connect(place.session())
        return made


def put_object(place: Place) -> None:
    """Fill our bucket a little."""
    session = place.session()
    bucket = next(bucket for bucket in session.timeweb.buckets() if bucket.name.endswith("customer-acme"))
    s3 = open_s3(place.timeweb.s3_endpoint, "ru-1", session.timeweb.signer())
    s3.put_object(Bucket=bucket.real_name, Key="report", Body=b"x")
    s3.close()


def _in_cluster(place: Place) -> Props:
    return {"cluster_id": place.cluster}


def _on_bucket(place: Place) -> Props:
    return {"bucket": place.bucket}


MARK = "tenantry:prod:acme-{}-1"
KINDS: Mapping[str, Kind] = {
    "cluster": Kind(
        ClusterProvider,
        {"name": "acme", "engine": "postgres15", "cpu": 2.0, "ram_gb": 4.0, "disk_gb": 40.0, "location": "ru-1"}
        | {"mark": MARK.format("cluster")},
        {"name": "acme-2", "cpu": 4.0, "ram_gb": 8.0, "disk_gb": 80.0},
    ),
    "database": Kind(
        DatabaseProvider, {"name": "main", "mark": MARK.format("database")}, {"name": "renamed"}, _in_cluster
    ),
    "admin": Kind(
        AdminProvider,
        {"login": "admin", "privileges": ["SELECT", "CREATEROLE"], "cluster_mark": MARK.format("cluster")}
        | {"mark": MARK.format("admin")},
        {"privileges": ["SELECT"]},
        _in_cluster,
    ),
    "backup schedule": Kind(
        BackupScheduleProvider,
        {"enabled": True, "interval": "day", "copy_count": 7.0},
        {"interval": "week"},
        _in_cluster,
    ),
    "bucket": Kind(
        BucketProvider,
        {"name": "customer-acme", "disk_gb": 10.0, "storage_class": "hot", "location": "ru-1"}
        | {"visibility": "private", "mark": MARK.format("bucket"), "empty_on_delete": True},
        {"disk_gb": 20.0, "visibility": "public"},
        before={"delete": put_object},
    ),
    "storage user": Kind(
        StorageUserProvider, {"name": "tenantry-acme", "blocked": False}, {"blocked": True}, _on_bucket
    ),
}


def lead(place: Place, kind: Kind, phase: str) -> None:
    """One operation on the resource, as an engine asks for it without a refresh."""
    if phase == "read" or place.held is None:
        converge(place, kind, phase, acts=phase != "read")
        return
    provider, wanted, held = kind.fresh(place), kind.wanted(place, phase), place.held
    if wanted is None:
        provider.delete(held.id, held.outs)
        place.held = None
    else:
        place.held = Held(held.id, provider.update(held.id, held.outs, wanted).outs or {})


def converge(place: Place, kind: Kind, phase: str, *, acts: bool = True) -> None:
    """What a run with a refresh does, in a process of its own; without `acts` the refresh alone."""
    provider, wanted = kind.fresh(place), kind.wanted(place, phase)
    if held := place.held:
        seen = provider.read(held.id, held.outs)
        place.held = held = Held(seen.id, seen.outs or {}) if seen.id else None
    if not acts:
        return
    if wanted is None:
        if held:
            provider.delete(held.id, held.outs)
            place.held = None
    elif held is None:
        made = provider.create(wanted)
        place.held = Held(made.id, made.outs or {})
    elif provider.changed_fields(held.outs, wanted):
        place.held = Held(held.id, provider.update(held.id, held.outs, wanted).outs or {})


def until(place: Place, kind: Kind, phase: str) -> None:
    """An undisturbed life up to, and not including, a phase."""
    place.clear()
    for earlier in PHASES[: PHASES.index(phase)]:
        lead(place, kind, earlier)
    if prepare := kind.before.get(phase):
        prepare(place)
    place.forget_requests()


def steps(place: Place, kind: Kind) -> Iterator[Step]:
    """Every request of an undisturbed life that has no like before it in its phase, and the last of its like."""
    for phase in PHASES:
        until(place, kind, phase)
        lead(place, kind, phase)
        seen = [(host, entry.method, path) for host, entry, path in place.requests()]
        for host, method, path in dict.fromkeys(seen):
            for number in sorted({0, seen.count((host, method, path)) - 1}):
                yield Step(phase, host, method, path, number)
