"""What the simulated account owns, as it is stored. Storage is in MiB, times in seconds since 1970."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.simulators.objects import Record

Status = Literal["creating", "online", "resizing", "migrating", "forking"]
RuleType = Literal["droplet", "k8s", "ip_addr", "tag", "app"]
PoolMode = Literal["session", "transaction", "statement"]

ADMIN = "doadmin"
FIRST_DATABASE = "defaultdb"


class Rule(BaseModel):
    """A trusted source of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uuid: str
    type: RuleType
    value: str
    description: str | None = None
    created_at: float


class Cluster(Record):
    """A database cluster. While `settles_to` is set its status becomes that one at `settles_at`."""

    uuid: str
    name: str
    version: str
    size: str
    region: str
    num_nodes: int
    storage: int
    created_at: float
    status: Status
    settles_at: float | None = None
    settles_to: Status | None = None
    tags: tuple[str, ...] = ()
    network: str
    project: str
    rules: tuple[Rule, ...] = ()
    window_day: str
    window_hour: str

    @property
    def key(self) -> str:
        """What the API calls it."""
        return self.uuid


class Part(Record):
    """Something in a cluster; the API knows it by its name."""

    cluster_uuid: str
    name: str

    @property
    def key(self) -> str:
        """The name after its cluster's id: a name alone is taken once in every cluster."""
        return f"{self.cluster_uuid}/{self.name}"


class Db(Part):
    """A database in a cluster."""


class User(Part):
    """A login in a cluster; the first one is the admin."""

    password: str


class Pool(Part):
    """A pool of connections to one database; without a user everybody comes in as himself."""

    mode: PoolMode
    size: int
    db: str
    user: str | None = None


class Tag(Record):
    """A tag that exists, whether or not anything carries it."""

    name: str

    @property
    def key(self) -> str:
        """Its name."""
        return self.name
