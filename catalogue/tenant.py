"""Tenants: the whole of an entry in `tenants.yaml`, as frozen values."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Strict, Tag

from catalogue.plan import Size
from catalogue.vocabulary import (
    Count,
    Country,
    Currency,
    Day,
    DisplayName,
    Domain,
    Email,
    Entry,
    EnvironmentName,
    Label,
    Listed,
    Maybe,
    PlanName,
    ProviderId,
    TenantId,
    TimeZone,
    Word,
)


class State(StrEnum):
    """The wanted states: the only ones written."""

    TRIAL = "trial"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


class Owner(Entry):
    """Who answers for the tenant; a bare address is enough."""

    email: Email
    user_id: Maybe[Word] = None


def _owner(value: object) -> object:
    return {"email": value} if isinstance(value, str) else value


class Removed(Entry):
    """Written by `lifecycle run` once the final backup is taken and the cooling days are over."""

    on: Day
    backup: Word


class Billing(Entry):
    """How the tenant is billed."""

    currency: Maybe[Currency] = None
    cycle: Literal["monthly", "yearly"] = "monthly"
    country: Maybe[Country] = None
    timezone: TimeZone = "UTC"


class Stateful(Entry):
    """What holds data: `adopt` takes over an existing object by its provider's id, `migrate` asks for a move."""

    adopt: Maybe[ProviderId] = None
    migrate: bool = False


class Branch(Entry):
    """A branch of a database, for development and previews."""

    parent: Label = "main"
    endpoint: bool = False
    expires: Maybe[Day] = None


class DatabaseSection(Stateful):
    """`preset` (an id of the account) or `size` is for custom plans; `region` is the plan's first where not given."""

    plan: PlanName
    region: Maybe[Label] = None
    preset: Maybe[Count] = None
    size: Maybe[Size] = None
    branches: Mapping[Label, Branch] = {}


class StorageSection(Stateful):
    """A bucket with a storage user of its own."""

    plan: PlanName
    region: Maybe[Label] = None


class Build(Entry):
    """An image built from a folder before `up`."""

    context: DisplayName


class SecretReference(Entry):
    """A value read from secure stack configuration."""

    secret: Label


# A blank is in no key of ours, so a tag is never taken for one.
TEXT_TAG, REFERENCE_TAG = "a text", "a reference"
UNION_TAGS = frozenset({TEXT_TAG, REFERENCE_TAG})


def _kind_of_value(value: object) -> str:
    return TEXT_TAG if isinstance(value, str) else REFERENCE_TAG


EnvironmentValue = Annotated[
    Annotated[str, Tag(TEXT_TAG)] | Annotated[SecretReference, Tag(REFERENCE_TAG)], Discriminator(_kind_of_value)
]


class App(Stateful):
    """A container: a web site, an API, or a database of its own."""

    kind: Literal["web", "api", "database"]
    image: Maybe[Word] = None
    build: Maybe[Build] = None
    domain: Maybe[Domain] = None
    env: Mapping[EnvironmentName, EnvironmentValue] = {}
    state: Literal["running", "stopped", "deleted"] = "running"


class HostingSection(Stateful):
    """Containers on a hosting plan."""

    plan: Label
    apps: Mapping[Label, App] = {}


class Server(Stateful):
    """A virtual server; raising `rebuild` makes it anew."""

    plan: Label
    provider: Label
    region: Label
    image: Word
    ssh_keys: Listed[Label] = ()
    autostop: Literal["off", "stop", "hibernate"] = "off"
    rebuild: Annotated[int, Field(ge=0)] = 0


class Tenant(Entry):
    """An entry of `tenants:`; `id` is its key for ever, `name` (the id where none is given) may change freely."""

    id: TenantId
    name: DisplayName = Field(default_factory=lambda known: str(known["id"]))
    owner: Annotated[Maybe[Owner], BeforeValidator(_owner)] = None
    organization: Maybe[Label] = None
    members: Mapping[Email, Literal["owner", "admin", "developer", "viewer"]] = {}
    since: Maybe[Day] = None
    state: Annotated[State, Strict(strict=False)] = State.ACTIVE
    trial_until: Maybe[Day] = None
    paid_until: Maybe[Day] = None
    removed: Maybe[Removed] = None
    billing: Billing = Billing()
    database: Maybe[DatabaseSection] = None
    storage: Maybe[StorageSection] = None
    hosting: Maybe[HostingSection] = None
    servers: Mapping[Label, Server] = {}

    @property
    def blocked(self) -> bool:
        """Nobody logs in, nothing is written."""
        return self.state in (State.SUSPENDED, State.TERMINATED)

    @property
    def declared(self) -> bool:
        """A run declares the tenant's resources; not any more once it is removed."""
        return self.removed is None

    @property
    def protected(self) -> bool:
        """The engine refuses to delete what holds the tenant's data."""
        return self.state is not State.TERMINATED
