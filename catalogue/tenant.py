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
    """address"""
    user_id: Maybe[Word] = None
    """the owner's id in your own system"""


def _owner(value: object) -> object:
    return {"email": value} if isinstance(value, str) else value


class Removed(Entry):
    """Written by `lifecycle run` once the final backup is taken and the cooling days are over."""

    on: Day
    """day of the removal"""
    backup: Word
    """the final backup"""


class Billing(Entry):
    """How the tenant is billed."""

    currency: Maybe[Currency] = None
    """of the invoices"""
    cycle: Literal["monthly", "yearly"] = "monthly"
    """how often an invoice is written"""
    country: Maybe[Country] = None
    """where the tenant is taxed"""
    timezone: TimeZone = "UTC"
    """in which the days of a period begin"""


class Stateful(Entry):
    """What holds data: `adopt` takes over an existing object by its provider's id, `migrate` asks for a move."""

    adopt: Maybe[ProviderId] = None
    """the provider's id of an object that exists: it is taken over instead of made"""
    migrate: bool = False
    """asks for a move where an edit contradicts a pin"""


class Branch(Entry):
    """A branch of a database, for development and previews."""

    parent: Label = "main"
    """branch it starts from"""
    endpoint: bool = False
    """whether it can be connected to"""
    expires: Maybe[Day] = None
    """day on which it goes"""


class DatabaseSection(Stateful):
    """`preset` (an id of the account) or `size` is for custom plans; `region` is the plan's first where not given."""

    plan: PlanName
    """a row of `database:` in plans.yaml"""
    region: Maybe[Label] = None
    """one of the plan's; the first where none is given"""
    preset: Maybe[Count] = None
    """the account's id of a size; custom plans only"""
    size: Maybe[Size] = None
    """the size itself; custom plans only"""
    branches: Mapping[Label, Branch] = {}
    """branches of a Neon project beside `main`, by name"""


class StorageSection(Stateful):
    """A bucket with a storage user of its own."""

    plan: PlanName
    """a row of `storage:` in plans.yaml"""
    region: Maybe[Label] = None
    """one of the plan's; the first where none is given"""


class Build(Entry):
    """An image built from a folder before `up`."""

    context: DisplayName
    """the folder"""


class SecretReference(Entry):
    """A value read from secure stack configuration."""

    secret: Label
    """its name"""


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
    """what it is"""
    image: Maybe[Word] = None
    """image and tag"""
    build: Maybe[Build] = None
    """builds the image instead"""
    domain: Maybe[Domain] = None
    """name it answers to"""
    env: Mapping[EnvironmentName, EnvironmentValue] = {}
    """its environment"""
    state: Literal["running", "stopped", "deleted"] = "running"
    """wanted state"""


class HostingSection(Stateful):
    """Containers on a hosting plan."""

    plan: Label
    """a hosting plan"""
    apps: Mapping[Label, App] = {}
    """the containers by name"""


class Server(Stateful):
    """A virtual server; raising `rebuild` makes it anew."""

    plan: Label
    """a server plan"""
    provider: Label
    """who runs it"""
    region: Label
    """where"""
    image: Word
    """what it starts from"""
    ssh_keys: Listed[Label] = ()
    """who gets in"""
    autostop: Literal["off", "stop", "hibernate"] = "off"
    """what happens when it is not used"""
    rebuild: Annotated[int, Field(ge=0)] = 0
    """raise it to make the server anew"""


class Tenant(Entry):
    """An entry of `tenants:`; `id` is its key for ever, `name` (the id where none is given) may change freely."""

    id: TenantId
    """the key of the entry, for ever"""
    name: DisplayName = Field(default_factory=lambda known: str(known["id"]))
    """shown to people; may change freely; the id where none is given"""
    owner: Annotated[Maybe[Owner], BeforeValidator(_owner)] = None
    """who answers for the tenant: an address, or a mapping"""
    organization: Maybe[Label] = None
    """groups tenants"""
    members: Mapping[Email, Literal["owner", "admin", "developer", "viewer"]] = {}
    """address → role of who else belongs to the tenant"""
    since: Maybe[Day] = None
    """first day"""
    state: Annotated[State, Strict(strict=False)] = State.ACTIVE
    """wanted state: `suspended` blocks, `terminated` blocks and lifts the protection of the data"""
    trial_until: Maybe[Day] = None
    """last day of a trial; required where `state` is `trial`"""
    paid_until: Maybe[Day] = None
    """end of the subscription, where the plan has one"""
    removed: Maybe[Removed] = None
    """stands only beside `state: terminated`: the next `up` deletes what the tenant has"""
    billing: Billing = Billing()
    """how the tenant is billed"""
    database: Maybe[DatabaseSection] = None
    """a database of its own"""
    storage: Maybe[StorageSection] = None
    """a bucket with a storage user of its own"""
    hosting: Maybe[HostingSection] = None
    """refused: this version does not provision hosting yet"""
    servers: Mapping[Label, Server] = {}
    """refused: this version does not provision servers yet"""

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
