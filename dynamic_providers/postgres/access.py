"""How a server is reached as its admin: a table with one row for each kind of access.

| access | who the admin is | its password |
| --- | --- | --- |
| `derived` | the login we have made on a cluster | derived from the fleet's admin secret and the cluster's mark |
| `neon` | `neondb_owner` | Neon's API reveals it; `server_id` is `<project>/<branch>`, or the project alone |
| `digitalocean` | `doadmin` | DigitalOcean's API tells it, with host, port and authority |

No password of a vendor's is an input or in a state: it is asked for when it is needed, once for all providers of a run.
"""

import threading
import weakref
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

from pulumi.runtime.settings import SETTINGS

from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.circuit import Circuit
from dynamic_providers.configuration import Configuration
from dynamic_providers.digitalocean.clusters import Cluster, open_clusters
from dynamic_providers.errors import AbsentError
from dynamic_providers.neon.client import Neon
from dynamic_providers.neon.session import open_session as open_neon
from dynamic_providers.postgres.connection import (
    SYSTEM_AUTHORITIES,
    Address,
    PostgresError,
    ServerAbsentError,
    UnreachableError,
)
from dynamic_providers.postgres.inputs import DERIVED, Server

DIGITALOCEAN = "digitalocean"
NEON = "neon"
# What every managed cluster has from the start; there is no `postgres` that its admin may log in to.
DIGITALOCEAN_DATABASE = "defaultdb"

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Way = Callable[[Server], Address]


class Once(Generic[Key, Value]):
    """What is asked for once: whoever wants the same meanwhile waits for that answer. A failure is not kept."""

    def __init__(self, ask: Callable[[Key], Value]) -> None:
        self._ask = ask
        self._asked: dict[Key, Future[Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value:
        """The answer, or the error of the one who asked."""
        with self._lock:
            answer = self._asked.get(key)
            first = answer is None
            answer = self._asked.setdefault(key, Future())
        if first:
            try:
                answer.set_result(self._ask(key))
            except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait are told
                with self._lock:
                    del self._asked[key]
                answer.set_exception(error)
        return answer.result()


class Reach:
    """The ways to servers with one set of settings; a way is opened when the first server needs it. Thread-safe."""

    def __init__(self, configuration: Configuration) -> None:
        self._ways: Once[str, Way] = Once(lambda access: ACCESSES[access](configuration))

    def address(self, server: Server) -> Address:
        """Where and who we are there.

        Raises:
            ServerAbsentError: whoever runs the server says that there is none.
            ProviderError: and its kinds; a vendor does not tell, or a setting is missing.

        """
        if server.access not in ACCESSES:
            known = ", ".join(ACCESSES)
            raise PostgresError(f"{server.host} is reached by '{server.access}', which is none of {known}")
        return self._ways.get(server.access)(server)


_SHARED: "weakref.WeakValueDictionary[Hashable, Reach]" = weakref.WeakValueDictionary()
_SHARED_LOCK = threading.Lock()


def shared_reach(configuration: Configuration) -> Reach:
    """The ways of this run, for all providers that are configured alike in it."""
    with _SHARED_LOCK:
        return _SHARED.setdefault((SETTINGS.rpc_manager, configuration), Reach(configuration))


def _derived(configuration: Configuration) -> Way:
    def way(server: Server) -> Address:
        return Address(
            host=server.host,
            port=server.port,
            database=server.database,
            login=server.admin_login,
            password=derive_admin_password(configuration.admin_secret, server.cluster_mark),
            sslmode=configuration.sslmode,
        )

    return way


def _neon(configuration: Configuration) -> Way:
    neon = open_neon(configuration).neon

    def ask(place: tuple[str, str]) -> str:
        server_id, role = place
        project, _, given = server_id.partition("/")
        branch = given or _default_branch(neon, project)
        try:
            return neon.password(project, branch, role)
        except AbsentError as error:
            raise _without_password(neon, project, branch, role) from error

    known = Once(ask)
    verified = configuration.neon_sslmode.startswith("verify")

    def way(server: Server) -> Address:
        return Address(
            host=server.host,
            port=server.port,
            database=server.database,
            login=server.admin_login,
            password=known.get((server.server_id, server.admin_login)),
            sslmode=configuration.neon_sslmode,
            ca=SYSTEM_AUTHORITIES if verified else None,
        )

    return way


def _default_branch(neon: Neon, project: str) -> str:
    try:
        return next(branch.id for branch in neon.branches(project) if branch.default)
    except (AbsentError, StopIteration) as error:
        raise ServerAbsentError(f"Neon has no project {project}") from error


def _without_password(neon: Neon, project: str, branch: str, role: str) -> PostgresError:
    """A role that is gone says nothing of the branch, which may hold a tenant's data."""
    try:
        neon.branch(project, branch)
    except AbsentError:
        return ServerAbsentError(f"Neon has no branch {branch} of project {project}")
    return PostgresError(f"Neon project {project} has no role {role}: `tenantry up --refresh` makes it again")


def _digitalocean(configuration: Configuration) -> Way:
    clusters = open_clusters(configuration, circuit=Circuit())

    def ask(id_: str) -> tuple[Cluster, str]:
        try:
            return clusters.cluster(id_), clusters.authority(id_)
        except AbsentError as error:
            raise ServerAbsentError(f"DigitalOcean has no database cluster {id_}") from error

    known = Once(ask)

    def way(server: Server) -> Address:
        cluster, authority = known.get(server.server_id)
        return managed_address(cluster, authority, server)

    return way


def managed_address(cluster: Cluster, authority: str, server: Server) -> Address:
    """The way into a DigitalOcean cluster, as its API tells it. Raises PostgresError where it does not tell enough."""
    at = cluster.connection
    if at is None or not at.host:
        raise UnreachableError(f"cluster {cluster.name} has no address yet: it is {cluster.status}")
    if not at.password:
        raise PostgresError(
            f"the DigitalOcean token does not show the password of cluster {cluster.name}: give it the scope"
            " database:view_credentials"
        )
    return Address(
        host=at.host,
        port=at.port,
        database=server.database,
        login=at.user or server.admin_login,
        password=at.password,
        sslmode="verify-full",
        ca=authority,
        maintenance=DIGITALOCEAN_DATABASE,
    )


ACCESSES: Mapping[str, Callable[[Configuration], Way]] = {
    DERIVED: _derived,
    NEON: _neon,
    DIGITALOCEAN: _digitalocean,
}
