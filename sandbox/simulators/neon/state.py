"""The simulated organization: its tables, its clock, and the servers behind its branches. No HTTP."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.simulators.neon.records import Branch, BranchDatabase, Endpoint, Operation, Project, Role
from sandbox.simulators.objects import Database, Table
from sandbox.simulators.servers import ClusterServers


@dataclass(frozen=True)
class Delays:
    """Seconds: `schedule` until the first operation of a request runs, `operation` for each, one after the other."""

    schedule: float = 0.1
    operation: float = 0.5


class State:
    """All the organization owns. `clock` gives seconds since 1970."""

    def __init__(
        self, database: Database, servers: ClusterServers, clock: Callable[[], float], delays: Delays, *, personal: bool
    ) -> None:
        self.database = database
        self.servers = servers
        self.clock = clock
        self.delays = delays
        # A key of a person, who may be in several organizations: each call has to say which.
        self.personal = personal
        self.projects = Table(database, "project", Project)
        self.branches = Table(database, "branch", Branch, indexed=("project_id",))
        self.endpoints = Table(database, "endpoint", Endpoint, indexed=("project_id", "branch_id"))
        self.databases = Table(database, "database", BranchDatabase, indexed=("branch_id",))
        self.roles = Table(database, "role", Role, indexed=("branch_id",))
        self.operations = Table(database, "operation", Operation, indexed=("project_id",))


def timestamp(seconds: float) -> str:
    """A time as the vendor writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
