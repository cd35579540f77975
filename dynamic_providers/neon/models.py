"""Neon's answers as frozen values. Passwords that come along in connection URIs are dropped where an answer is read."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

POSTGRES_PORT = 5432
# What an operation ends in; the other states pass.
DONE = frozenset({"finished", "skipped", "cancelled"})
FAILED = frozenset({"failed", "error"})


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def place_in(uri: object) -> Place:
    """Host and port of a connection URI, and nothing else of it. Raises ValueError where it names no host."""
    address = urlsplit(str(uri))
    if not address.hostname:
        raise ValueError("a connection URI names a host")
    return Place(address.hostname, address.port or POSTGRES_PORT)


# Neon's own words: a quota that is zero or empty is none.
Bound = Annotated[int | None, BeforeValidator(lambda bound: bound or None)]
Text = Annotated[str, BeforeValidator(lambda text: text or "")]
InUri = Annotated[Place, BeforeValidator(place_in)]


class Answer(BaseModel):
    """Part of an answer; unknown keys are the vendor's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Quota(Answer):
    """What a project may use in a billing period; None is no limit."""

    active_time_seconds: Bound = None
    compute_time_seconds: Bound = None
    written_data_bytes: Bound = None
    data_transfer_bytes: Bound = None
    logical_size_bytes: Bound = None


class ProjectSettings(Answer):
    """The part of a project's settings that is ours."""

    quota: Quota = Quota()


class Compute(Answer):
    """The size of an endpoint in compute units, and the idle seconds after which it sleeps: 0 default, -1 never."""

    min_cu: float | None = Field(default=None, validation_alias="autoscaling_limit_min_cu")
    max_cu: float | None = Field(default=None, validation_alias="autoscaling_limit_max_cu")
    suspend_seconds: int | None = Field(default=None, validation_alias="suspend_timeout_seconds")


class Project(Answer):
    """A project, as a list tells it too. `deleted_at` is set while a deleted one can be recovered."""

    id: str
    name: str
    region_id: str
    pg_version: int
    created_at: str
    deleted_at: str | None = None
    recoverable_until: str | None = None
    settings: ProjectSettings = ProjectSettings()
    default_endpoint_settings: Compute = Compute()


class Branch(Answer):
    """A branch; `parent_id` is None for the first one. Times are in RFC 3339."""

    id: str
    name: str
    parent_id: str | None = None
    default: bool = False
    current_state: Text = ""
    expires_at: str | None = None


class Endpoint(Compute):
    """A compute of a branch, and the host that clients connect to."""

    id: str
    branch_id: str
    host: str
    type: str
    disabled: bool = False


class Database(Answer):
    """A database of a branch, known by its name."""

    id: int
    name: str
    owner_name: str


class Role(Answer):
    """A role of a branch, known by its name."""

    name: str

    @property
    def id(self) -> str:
        """Its name is its key."""
        return self.name


class Operation(Answer):
    """A step of the vendor's that an answer has begun."""

    id: str
    action: str
    status: str
    error: Text = ""


class Begun(Answer):
    """What every mutation answers with: the steps that it has begun, which are awaited before anything else."""

    operations: tuple[Operation, ...] = ()


class Pooler(Answer):
    """The pooler's host beside a connection URI."""

    pooler_host: str


class Connection(Answer):
    """Where the database of an answer is."""

    direct: InUri = Field(validation_alias="connection_uri")
    parameters: Pooler = Field(validation_alias="connection_parameters")

    @property
    def pooled(self) -> Place:
        """The pooler, which listens on the same port."""
        return Place(self.parameters.pooler_host, self.direct.port)


class ProjectAnswer(Begun):
    """A project."""

    project: Project


class MadeProject(ProjectAnswer):
    """A new project with all that was made in it."""

    branch: Branch
    endpoints: tuple[Endpoint, ...] = ()
    databases: tuple[Database, ...] = ()
    roles: tuple[Role, ...] = ()
    connections: tuple[Connection, ...] = Field(default=(), validation_alias="connection_uris")


class BranchAnswer(Begun):
    """A branch, and its endpoints where they were asked for with it."""

    branch: Branch
    endpoints: tuple[Endpoint, ...] = ()


class EndpointAnswer(Begun):
    """An endpoint."""

    endpoint: Endpoint


class DatabaseAnswer(Begun):
    """A database."""

    database: Database


class RoleAnswer(Begun):
    """A role; its password is not read."""

    role: Role


class Operations(Answer):
    """The newest operations of a project."""

    operations: tuple[Operation, ...]


class Cursor(Answer):
    """Where the next page begins, in the two forms that Neon's lists have."""

    cursor: Text = ""
    next: Text = ""

    @property
    def more(self) -> str:
        """What the next page is asked for with; "" on the last one."""
        return self.next or self.cursor


class Page(Answer):
    """A page of a list; None in place of the cursor on the last one."""

    pagination: Cursor | None = None

    @property
    def more(self) -> str:
        """What the next page is asked for with; "" where none is promised."""
        return self.pagination.more if self.pagination else ""


class Projects(Page):
    """A page of projects. `unavailable` are those that are there and could not be told in time."""

    projects: tuple[Project, ...]
    unavailable: tuple[str, ...] = Field(default=(), validation_alias="unavailable_project_ids")


class Annotation(Answer):
    """Free text on a branch, by keys of whoever wrote it."""

    value: Mapping[str, str] = {}


class Branches(Page):
    """A page of branches; annotations by the branch's id."""

    branches: tuple[Branch, ...]
    annotations: Mapping[str, Annotation] = {}


class Endpoints(Answer):
    """The endpoints of a project."""

    endpoints: tuple[Endpoint, ...]


class Databases(Answer):
    """The databases of a branch."""

    databases: tuple[Database, ...]


class Roles(Answer):
    """The roles of a branch."""

    roles: tuple[Role, ...]


class Uri(Answer):
    """Where a connection URI leads."""

    place: InUri = Field(validation_alias="uri")


class Password(Answer):
    """A role's password."""

    password: str = Field(repr=False)


Fields = Mapping[str, Any]
