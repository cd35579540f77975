"""Timeweb's answers as frozen values: today's shapes and the legacy ones (G1), every size converted to GB (G12).

Units as the vendor documents them: presets and a cluster's RAM in MB, disk statistics in KB. GB = 2^30 bytes.
Account keys that come along with buckets are not read.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MB_PER_GB = 1024
KB_PER_GB = 1024 * 1024

Text = Annotated[str, BeforeValidator(lambda text: text or "")]
FromMegabytes = Annotated[float, BeforeValidator(lambda size: float(size) / MB_PER_GB)]
FromKilobytes = Annotated[float, BeforeValidator(lambda size: float(size) / KB_PER_GB)]


class Answer(BaseModel):
    """Part of an answer; unknown keys are the vendor's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DatabasePreset(Answer):
    """A size of cluster on offer. `type` is a family ("postgres"), not the versioned engine. Price: roubles a month."""

    id: int
    type: Text = ""
    location: Text = ""
    cpu: int | None = None
    ram_gb: FromMegabytes | None = Field(default=None, validation_alias="ram")
    disk_gb: FromMegabytes | None = Field(default=None, validation_alias="disk")
    price: Decimal | None = None


class StoragePreset(Answer):
    """A size of bucket on offer. Price: roubles a month."""

    id: int
    location: Text = ""
    storage_class: Text = ""
    disk_gb: FromMegabytes | None = Field(default=None, validation_alias="disk")
    price: Decimal | None = None


class Disk(Answer):
    """Size of a cluster's or bucket's disk."""

    size_gb: FromKilobytes = Field(validation_alias="size")
    used_gb: FromKilobytes = Field(default=0.0, validation_alias="used")


class Address(Answer):
    """One address of a network."""

    type: Text = ""
    ip: str | None = None


class Network(Answer):
    """A network of a cluster; `ips` is null while none is assigned."""

    type: Text = ""
    ips: tuple[Address, ...] | None = None


class Domain(Answer):
    """A name of a cluster."""

    fqdn: str


class Cluster(Answer):
    """A database cluster. `host`, `ip` and `disk_stats` are the legacy shape's."""

    id: int
    name: str
    description: Text = ""
    status: str
    type: Text = ""
    location: Text = ""
    preset_id: int | None = None
    cpu: int | None = None
    ram_gb: FromMegabytes | None = Field(default=None, validation_alias="ram")
    disk: Disk | None = None
    disk_stats: Disk | None = None
    port: int | None = None
    host: str | None = None
    ip: str | None = None
    domains: tuple[Domain, ...] = ()
    networks: tuple[Network, ...] = ()

    @property
    def address(self) -> str | None:
        """Where it listens (G2): the legacy host, else a domain, else a public IPv4 address; None while it has none."""
        addresses = (ip for network in self.networks for ip in network.ips or () if network.type == "public")
        candidates = (
            self.host,
            *(domain.fqdn for domain in self.domains),
            *(address.ip for address in addresses if address.type == "ipv_4"),
            self.ip,
        )
        return next((candidate for candidate in candidates if candidate), None)

    @property
    def disk_gb(self) -> float | None:
        """Size of the disk in GB."""
        disk = self.disk or self.disk_stats
        return disk.size_gb if disk else None


class Database(Answer):
    """A database of a cluster; the vendor says "instance"."""

    id: int
    name: str
    description: Text = ""


class Grant(Answer):
    """What an admin may do in one database."""

    instance_id: int
    privileges: tuple[str, ...] = ()


class Admin(Answer):
    """A login of a cluster. The answer holds its password; it goes no further than a comparison."""

    id: int
    login: str
    description: Text = ""
    password: Text = Field(default="", repr=False)
    instances: tuple[Grant, ...] = ()


class ClusterBackup(Answer):
    """A full copy of a cluster; it can be brought back once its status is "done"."""

    id: int
    status: str
    comment: Text = ""
    created_at: str
    size: int = 0


class BackupSettings(Answer):
    """A cluster's automatic backups; without `is_enabled` the rest may be missing."""

    is_enabled: bool
    copy_count: int | None = None
    interval: str | None = None
    day_of_week: int | None = None
    creation_start_at: str | None = None


class Bucket(Answer):
    """A bucket. `full_name` is its real name where the answer has it: the wanted one with a random prefix."""

    id: int
    name: str
    full_name: str | None = None
    description: Text = ""
    type: Text = ""
    status: str
    location: Text = ""
    hostname: Text = ""
    preset_id: int | None = None
    storage_class: Text = ""
    object_amount: int = 0
    disk_stats: Disk | None = None
    moved_in_quarantine_at: datetime | None = None

    @property
    def real_name(self) -> str:
        """The name S3 knows it by."""
        return self.full_name or self.name


class StorageUser(Answer):
    """A scoped user of the object store. Answers after the create may lack the secret."""

    id: str
    name: str
    access_key: Text = Field(default="", repr=False)
    secret_key: Text = Field(default="", repr=False)


class Signer(Answer):
    """The account's own keys to the object store: never cached, never handed out."""

    access_key: str = Field(repr=False)
    secret_key: str = Field(repr=False)
