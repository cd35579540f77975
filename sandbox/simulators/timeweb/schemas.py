"""The request bodies the document allows; anything else in a body, or of another type, is refused."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from sandbox.simulators.bodies import Body
from sandbox.simulators.timeweb.errors import BadRequestError
from sandbox.simulators.timeweb.records import AutoBackups, Interval, Visibility

DatabaseTypeName = Literal[
    "mysql",
    "mysql8_4",
    "postgres14",
    "postgres15",
    "postgres16",
    "postgres17",
    "postgres18",
    "valkey7",
    "valkey8_1",
    "valkey9_1",
    "mongodb7",
    "mongodb8_0",
    "opensearch2_19",
    "clickhouse",
    "clickhouse24",
    "clickhouse25",
    "kafka",
    "rabbitmq4_0",
]
Zone = Literal["spb-1", "spb-2", "spb-3", "spb-4", "msk-1", "nsk-1", "ams-1", "ala-1", "fra-1"]
HashType = Literal["caching_sha2", "mysql_native"]
# PostgreSQL's list: the other engines' privileges are refused on a PostgreSQL cluster all the same.
Privilege = Literal[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "CREATE",
    "TEMPORARY",
    "CREATEDB",
    "CREATEROLE",
]


class Configuration(Body):
    """A free choice of size, in MB."""

    configurator_id: int
    disk: int = Field(gt=0)
    cpu: int = Field(gt=0)
    ram: int = Field(gt=0)


class Network(Body):
    """A private network to join; accepted, not simulated."""

    id: str
    floating_ip: str | None = None
    local_ip: str | None = None
    ip: str | None = None


class Replication(Body):
    """A number of replicas; only none is simulated."""

    count: int = 0


class FirstAdmin(Body):
    """The user made together with a cluster."""

    login: str | None = None
    password: str | None = None
    host: str | None = None
    privileges: list[Privilege] | None = None
    description: str | None = None


class FirstInstance(Body):
    """The database made together with a cluster."""

    name: str | None = None
    description: str | None = None


class NewAutoBackups(Body):
    """A backup schedule given at the creation of a cluster."""

    copy_count: int = Field(ge=1, le=99)
    creation_start_at: AwareDatetime
    interval: Interval
    day_of_week: int = Field(ge=1, le=7)

    def record(self) -> AutoBackups:
        """The schedule as it is stored."""
        started = self.creation_start_at.isoformat().replace("+00:00", "Z")
        return AutoBackups(
            copy_count=self.copy_count,
            creation_start_at=started,
            interval=self.interval,
            day_of_week=self.day_of_week,
        )


class BackupSchedule(Body):
    """The newer schedule of cluster backups; stored as on or off only."""

    copy_count: int | None = None
    interval: Interval | None = None
    day_of_week: int | None = None
    day_of_month: int | None = None


class MaintenanceSlot(Body):
    """When the vendor may maintain the cluster; accepted, not simulated."""

    type: Literal["any_time", "fixed_time"]
    from_: str | None = Field(None, alias="from")
    to: str | None = None


class DiskAutoscaling(Body):
    """When and by how much the disk grows by itself; stored, not simulated."""

    is_enabled: bool
    step_size: int | None = None
    threshold_percent: Literal[80, 90, 95] | None = None


class Sized(Body):
    """A body that chooses a size by preset or by configuration, never by both."""

    preset_id: int | None = None
    configuration: Configuration | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.preset_id is not None and self.configuration is not None:
            raise ValueError("preset_id and configuration exclude each other")
        return self


class CreateCluster(Sized):
    """POST /api/v1/databases."""

    name: str = Field(min_length=1)
    type: DatabaseTypeName
    admin: FirstAdmin = FirstAdmin()
    instance: FirstInstance = FirstInstance()
    hash_type: HashType | None = None
    project_id: int | None = None
    config_parameters: dict[str, str] = Field(default_factory=dict)
    replication: Replication | None = None
    network: Network | None = None
    is_public_ipv6: bool = False
    description: str = ""
    availability_zone: Zone | None = None
    auto_backups: NewAutoBackups | None = None
    backup_schedule: BackupSchedule | None = None
    maintenance_slot: MaintenanceSlot | None = None
    disk_autoscaling: DiskAutoscaling | None = None

    @model_validator(mode="after")
    def _some_size(self) -> Self:
        if self.preset_id is None and self.configuration is None:
            raise ValueError("one of preset_id and configuration is needed")
        return self


class UpdateCluster(Sized):
    """PATCH /api/v1/databases/{id}."""

    name: str | None = Field(None, min_length=1)
    description: str | None = None
    hash_type: HashType | None = None
    config_parameters: dict[str, str] | None = None
    is_enabled_public_network: bool | None = None
    is_enabled_public_ipv6: bool | None = None
    is_secure_connection_enable: bool | None = None
    maintenance_slot: MaintenanceSlot | None = None
    disk_autoscaling: DiskAutoscaling | None = None


class UpdateClusterV2(UpdateCluster):
    """PATCH /api/v2/databases/{id}, which also binds a floating address (accepted, not simulated)."""

    floating_ip: str | None = None


class ClusterAction(Body):
    """POST /api/v1/databases/{id}/action."""

    action: Literal["reboot", "shutdown", "start"]


class CreateLegacyDatabase(Body):
    """POST /api/v1/dbs: the shape that left the document in June 2026."""

    name: str = Field(min_length=1)
    type: DatabaseTypeName
    password: str
    preset_id: int
    login: str | None = None
    hash_type: HashType | None = None
    config_parameters: dict[str, str] = Field(default_factory=dict)
    network: Network | None = None


class UpdateLegacyDatabase(Body):
    """PATCH /api/v1/dbs/{id}."""

    name: str | None = Field(None, min_length=1)
    password: str | None = None
    preset_id: int | None = None
    config_parameters: dict[str, str] | None = None
    is_external_ip: bool | None = None


class CreateInstance(Body):
    """POST /api/v1/databases/{id}/instances."""

    name: str = Field(min_length=1)
    description: str = ""


class Extensions(Body):
    """The extensions of a database; stored, not installed."""

    extension_list: list[str]
    is_global: bool


class UpdateInstance(Body):
    """PATCH /api/v1/databases/{id}/instances/{id}."""

    name: str | None = Field(None, min_length=1)
    description: str | None = None
    owner_id: int | None = None
    extensions: Extensions | None = None
    config_parameters: dict[str, str | int | float] | None = None


class CreateAdmin(Body):
    """POST /api/v1/databases/{id}/admins."""

    login: str = Field(min_length=1)
    password: str = Field(min_length=1)
    host: str | None = None
    instance_id: int | None = None
    for_all: bool | None = None
    privileges: list[Privilege] | None = None
    description: str = ""


class UpdateAdmin(Body):
    """PATCH /api/v1/databases/{id}/admins/{id}."""

    login: str | None = Field(None, min_length=1)
    password: str | None = Field(None, min_length=1)
    privileges: list[Privilege] | None = None
    description: str | None = None
    instance_id: int | None = None
    for_all: bool | None = None


class UpdateAutoBackups(Body):
    """PATCH /api/v1/dbs/{id}/auto-backups: everything is needed when it is switched on."""

    is_enabled: bool
    copy_count: int | None = Field(None, ge=1, le=99)
    creation_start_at: AwareDatetime | None = None
    interval: Interval | None = None
    day_of_week: int | None = Field(None, ge=1, le=7)

    def record(self) -> AutoBackups | None:
        """The schedule to store, None when it is off; BadRequestError when a part is missing."""
        if not self.is_enabled:
            return None
        if self.copy_count is None or self.creation_start_at is None or not self.interval or self.day_of_week is None:
            raise BadRequestError("copy_count, creation_start_at, interval and day_of_week are needed")
        return NewAutoBackups(
            copy_count=self.copy_count,
            creation_start_at=self.creation_start_at,
            interval=self.interval,
            day_of_week=self.day_of_week,
        ).record()


class CreateBackup(Body):
    """POST /api/v1/dbs/{id}/backups: the body may be left out."""

    comment: str | None = None


class StorageConfigurator(Body):
    """A free choice of a bucket's size, in MB."""

    id: int
    disk: int = Field(gt=0)


class SizedBucket(Body):
    """A body that chooses a bucket's size by preset or by configurator, never by both."""

    preset_id: int | None = None
    configurator: StorageConfigurator | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.preset_id is not None and self.configurator is not None:
            raise ValueError("preset_id and configurator exclude each other")
        return self


class CreateBucket(SizedBucket):
    """POST /api/v1/storages/buckets."""

    name: str = Field(min_length=1, max_length=255)
    type: Visibility
    description: str | None = Field(None, min_length=1, max_length=255)
    project_id: int | None = None


class UpdateBucket(SizedBucket):
    """PATCH /api/v1/storages/buckets/{id}."""

    bucket_type: Visibility | None = None
    description: str | None = Field(None, min_length=1, max_length=255)


class UpdateSigner(Body):
    """PATCH /api/v1/storages/users/{id}: a new secret key for the account's own user."""

    secret_key: str = Field(min_length=1, max_length=255)


class CreateStorageUser(Body):
    """POST /api/v2/storages/users, outside the published document."""

    name: str = Field(min_length=1, max_length=64)
