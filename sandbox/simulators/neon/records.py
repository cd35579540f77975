"""What the simulated organization owns, as it is stored. Times are in seconds since 1970.

An object's id at the vendor ends in the number of its record, so that it is found at once and never used twice.
"""

import secrets
from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from sandbox.simulators.objects import Record

ORGANIZATION = "org-sandbox-10000001"
EndpointType = Literal["read_only", "read_write"]
Provisioner = str
OperationStatus = Literal["scheduling", "running", "finished", "failed"]
Action = Literal[
    "create_timeline",
    "create_branch",
    "start_compute",
    "suspend_compute",
    "apply_config",
    "delete_timeline",
]
RECOVERY_SECONDS = 7 * 86400.0
_FIRST = ("bold", "calm", "clear", "cool", "dry", "fair", "green", "late", "quiet", "round", "soft", "warm")
_SECOND = ("bay", "cloud", "dew", "fog", "hill", "lake", "moon", "rain", "sea", "sky", "star", "wind")


def new_words() -> str:
    """Two words that make an id readable."""
    return f"{secrets.choice(_FIRST)}-{secrets.choice(_SECOND)}"


def number_in(key: str) -> int:
    """The record number at the end of an id; 0, which no record has, where there is none."""
    tail = key.rpartition("-")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0


class Quota(BaseModel):
    """What a project may use in a billing period, per unit; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    active_time_seconds: int | None = Field(None, ge=0)
    compute_time_seconds: int | None = Field(None, ge=0)
    written_data_bytes: int | None = Field(None, ge=0)
    data_transfer_bytes: int | None = Field(None, ge=0)
    logical_size_bytes: int | None = Field(None, ge=0)


class Compute(BaseModel):
    """The size of a compute, in units of the vendor's, and the idle seconds after which it is suspended (-1: never)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_cu: float = 0.25
    max_cu: float = 0.25
    suspend_seconds: int = 0


class Project(Record):
    """A project. From `deleted_at` on it can be recovered for seven days, then it is gone.

    `usage` is what a metric of consumption says of each time frame, where it is not measured.
    """

    words: str
    name: str
    region_id: str
    pg_version: int
    provisioner: Provisioner
    org_id: str
    created_at: float
    updated_at: float
    store_passwords: bool = True
    history_seconds: int = 86400
    quota: Quota = Quota()
    settings: Mapping[str, object] = Field(default_factory=dict)
    compute: Compute = Compute()
    deleted_at: float | None = None
    usage: Mapping[str, int] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its id at the vendor."""
        return f"{self.words}-{self.id:08d}"


class Branch(Record):
    """A branch with data of its own; `parent_id` is the record it was copied from. Deleted, it can be recovered too."""

    words: str
    project_id: int
    parent_id: int | None
    name: str
    default: bool = False
    protected: bool = False
    created_at: float
    updated_at: float
    expires_at: float | None = None
    ttl_seconds: int | None = None
    annotation: Mapping[str, str] = Field(default_factory=dict)
    deleted_at: float | None = None
    deleted_by: Literal["user", "ttl"] = "user"

    @property
    def key(self) -> str:
        """Its id at the vendor."""
        return f"br-{self.words}-{self.id:08d}"


class Run(BaseModel):
    """A time in which a compute ran; without an end it goes on, or ended by its timeout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: float
    end: float | None = None


class Endpoint(Record):
    """A compute of a branch with all times it ran; one that is deleted is kept for what it used."""

    words: str
    project_id: int
    branch_id: int
    type: EndpointType
    name: str | None = None
    provisioner: Provisioner
    compute: Compute
    disabled: bool = False
    created_at: float
    updated_at: float
    runs: tuple[Run, ...]
    settings: Mapping[str, object] = Field(default_factory=dict)
    deleted_at: float | None = None

    @property
    def key(self) -> str:
        """Its id at the vendor."""
        return f"ep-{self.words}-{self.id:08d}"


class BranchDatabase(Record):
    """A database of a branch; the API knows it by its name."""

    branch_id: int
    name: str
    owner_name: str
    created_at: float
    updated_at: float


class Role(Record):
    """A role of a branch; the API knows it by its name. One without a password cannot log in."""

    branch_id: int
    name: str
    password: str | None
    created_at: float
    updated_at: float


class Operation(Record):
    """A step of the vendor's: it waits for its turn until `runs_at` and ends at `done_at`, or never.

    One that `needs_server` runs on until the branch's server answers. Once it has ended, `ended` says how.
    """

    random: str
    project_id: int
    branch_id: int | None
    endpoint_id: int | None
    action: Action
    created_at: float
    runs_at: float
    done_at: float | None
    needs_server: bool = False
    fails: bool = False
    ended: Literal["finished", "failed"] | None = None
    error: str | None = None

    @property
    def key(self) -> str:
        """Its id at the vendor, a uuid whose last eight digits are the record's number."""
        return str(UUID(hex=f"{self.random}{self.id:08x}", version=4))


def operation_number(key: str) -> int:
    """The record number in the id of an operation; 0 where it is no uuid."""
    try:
        return UUID(key).int & 0xFFFFFFFF
    except ValueError:
        return 0


def new_random() -> str:
    """The part of an operation's id that is not the record's number."""
    return secrets.token_hex(12)
