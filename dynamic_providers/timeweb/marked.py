"""What carries our mark in a Timeweb account: clusters, their databases and admins, buckets, storage users."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dynamic_providers.marks import Mark, Marked
from dynamic_providers.postgres.access import Reach
from dynamic_providers.postgres.inputs import Server
from dynamic_providers.postgres.marked import Place
from dynamic_providers.timeweb.admin import AdminProvider
from dynamic_providers.timeweb.bucket import BucketProvider
from dynamic_providers.timeweb.cluster import ClusterProvider
from dynamic_providers.timeweb.database import DatabaseProvider
from dynamic_providers.timeweb.models import Admin, Bucket, Cluster, Database
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.timeweb.storage_user import StorageUserProvider

TOKEN = "pulumi-python:dynamic/timeweb:"  # noqa: S105 - Pulumi's word for a type
# What lies in another object comes before it.
PROVIDERS: Mapping[str, Callable[[], TimewebProvider]] = {
    f"{TOKEN}StorageUser": StorageUserProvider,
    f"{TOKEN}Bucket": BucketProvider,
    f"{TOKEN}Admin": AdminProvider,
    f"{TOKEN}Database": DatabaseProvider,
    f"{TOKEN}Cluster": ClusterProvider,
}
BUCKET_NAME = re.compile(r"(.+)-bucket-(\d+)")


@dataclass(frozen=True)
class _Held:
    """A cluster of ours and what in it is ours."""

    mark: Mark
    cluster: Cluster
    databases: Sequence[tuple[Mark, Database]]
    admins: Sequence[tuple[Mark, Admin]]


@dataclass(frozen=True)
class TimewebLister:
    """Finds and removes what is ours in one account.

    A storage user has no place for a mark. It is ours when its name is the one that goes with a bucket of ours; one
    that only begins with our prefix may be another stack's, and is listed so that a state's user is not missed.
    """

    session: Session
    stack: str
    prefix: str
    types = tuple(PROVIDERS)

    def marked(self) -> Iterator[Marked]:
        """Everything of ours; a bucket in quarantine is nobody's."""
        buckets = [
            (mark, bucket)
            for bucket in self.session.timeweb.buckets()
            if (mark := self._ours(bucket.description)) and not bucket.moved_in_quarantine_at
        ]
        yield from self._users({mark.name for mark, _ in buckets})
        for mark, bucket in buckets:
            yield _bucket(mark, bucket)
        for held in self._clusters:
            yield from _inside(held)
            yield _cluster(held)

    def remove(self, found: Marked) -> None:
        """Delete an object, a bucket with its contents, and read back that it is gone."""
        provider = PROVIDERS[found.type]()
        provider.connect(self.session)
        provider.delete(found.id, dict(found.props))

    def places(self) -> Iterator[Place]:
        """The databases of ours that can be looked into: those whose cluster, database and admin are all there."""
        reach = Reach(self.session.configuration)
        for held in self._clusters:
            cluster = held.cluster
            if cluster.address is None or cluster.port is None or not held.admins:
                continue
            for _, database in held.databases:
                server = Server(
                    host=cluster.address,
                    port=cluster.port,
                    database=database.name,
                    admin_login=held.admins[0][1].login,
                    cluster_mark=str(held.mark),
                )
                yield Place(server, reach.address(server))

    @cached_property
    def _clusters(self) -> list[_Held]:
        timeweb = self.session.timeweb
        marked = [(mark, each) for each in timeweb.clusters() if (mark := self._ours(each.description))]
        return [
            _Held(
                mark,
                cluster,
                [(own, each) for each in timeweb.databases(str(cluster.id)) if (own := self._ours(each.description))],
                [(own, each) for each in timeweb.admins(str(cluster.id)) if (own := self._ours(each.description))],
            )
            for mark, cluster in marked
        ]

    def _ours(self, text: str) -> Mark | None:
        mark = Mark.parse(text)
        return mark if mark and mark.stack == self.stack else None

    def _users(self, buckets: Collection[str]) -> Iterator[Marked]:
        owners = dict(map(self._user_of, filter(BUCKET_NAME.fullmatch, buckets)))
        for user in self.session.timeweb.storage_users():
            if user.name.startswith(f"{self.prefix}-"):
                name = owners.get(user.name)
                what = f"storage user {user.name}"
                yield Marked(
                    f"{TOKEN}StorageUser", name or user.name, user.id, what, holds_data=False, proven=name is not None
                )

    def _user_of(self, bucket: str) -> tuple[str, str]:
        """The name of the user that goes with a bucket of ours, and that user's logical name."""
        tenant, _, generation = bucket.rpartition("-bucket-")
        name = f"{self.prefix}-{tenant}" if generation == "1" else f"{self.prefix}-{tenant}-{generation}"
        return name, f"{tenant}-storage-user-{generation}"


def _inside(held: _Held) -> Iterator[Marked]:
    """The databases and admins of a cluster of ours; they cost nothing beside it."""
    props, where = {"cluster_id": str(held.cluster.id)}, f"of cluster {held.cluster.name}"
    for mark, admin in held.admins:
        what = f"admin {admin.login} {where}"
        yield Marked(f"{TOKEN}Admin", mark.name, str(admin.id), what, holds_data=False, props=props)
    for mark, database in held.databases:
        what = f"database {database.name} {where}"
        yield Marked(f"{TOKEN}Database", mark.name, str(database.id), what, holds_data=True, props=props)


def _cluster(held: _Held) -> Marked:
    cluster = held.cluster
    size = {"cpu": cluster.cpu, "ram_gb": cluster.ram_gb, "disk_gb": cluster.disk_gb}
    return Marked(
        f"{TOKEN}Cluster",
        held.mark.name,
        str(cluster.id),
        f"cluster {cluster.name} ({cluster.type}, {cluster.status})",
        holds_data=True,
        charged=True,
        size={name: value for name, value in size.items() if value is not None},
    )


def _bucket(mark: Mark, bucket: Bucket) -> Marked:
    return Marked(
        f"{TOKEN}Bucket",
        mark.name,
        str(bucket.id),
        f"bucket {bucket.real_name} with {bucket.object_amount} objects",
        holds_data=bucket.object_amount > 0,
        charged=True,
        size={"disk_gb": bucket.disk_stats.size_gb} if bucket.disk_stats else {},
        props={"empty_on_delete": True},
    )
