"""What the simulated account owns, as it is stored. Sizes are in MB, times in seconds since 1970."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.simulators.objects import Record

Status = Literal[
    "started",
    "starting",
    "stopped",
    "no_paid",
    "lan_transfer",
    "error",
    "blocked",
    "backup_recovery",
    "transfer",
    "rebooting",
    "turning_off",
    "turning_on",
    "read_only",
    "user_transfer",
]
Interval = Literal["day", "week", "month"]
Visibility = Literal["private", "public"]
StorageClass = Literal["cold", "hot"]


class AutoBackups(BaseModel):
    """The daily, weekly or monthly backup schedule of a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    copy_count: int
    creation_start_at: str
    interval: Interval
    day_of_week: int


class Account(Record):
    """The customer's account: its own storage user signs grants and may do everything in every bucket."""

    account_id: str
    access_key: str
    secret_key: str


class Cluster(Record):
    """A database cluster. While `settles_to` is set its status becomes that one at `settles_at`."""

    name: str
    type: str
    description: str = ""
    preset_id: int | None
    configurator_id: int | None
    location: str
    zone: str
    cpu: int
    ram: int
    disk: int
    created_at: float
    status: Status
    settles_at: float | None = None
    settles_to: Status | None = None
    hash_type: str | None = None
    project_id: int = 1
    public_network: bool = True
    public_ipv6: bool = False
    secure_connection: bool = True
    config_parameters: dict[str, str] = Field(default_factory=dict)
    disk_autoscaling: dict[str, bool | int] | None = None
    auto_backups: AutoBackups | None = None
    backup_schedule: bool = False
    delete_hash: str | None = None


class Backup(Record):
    """A full copy of a cluster, whole from `done_at` on; `size` in MB."""

    cluster_id: int
    comment: str | None
    created_at: float
    done_at: float
    size: int


class Instance(Record):
    """A database in a cluster. Without an owner it belongs to the vendor."""

    cluster_id: int
    name: str
    description: str = ""
    created_at: float
    owner_id: int | None = None
    extensions: tuple[str, ...] = ()
    extensions_global: bool = False


class Admin(Record):
    """A user of a cluster. `instance_id` limits the privileges to one database; None means all of them."""

    cluster_id: int
    login: str
    password: str
    description: str = ""
    host: str | None = None
    created_at: float
    privileges: tuple[str, ...]
    instance_id: int | None = None


class Bucket(Record):
    """A bucket: `name` is what the customer called it, `full_name` what the store calls it."""

    name: str
    full_name: str
    description: str = ""
    type: Visibility
    preset_id: int | None
    configurator_id: int | None
    disk: int
    storage_class: StorageClass
    location: str
    created_at: float
    project_id: int = 1
    quarantined_at: float | None = None
    delete_hash: str | None = None


class StorageUser(Record):
    """A scoped storage user; to the API it is known by its uuid, to the store by its name."""

    uuid: str
    name: str
    access_key: str
    secret_key: str
    created_at: float
