"""The simulated account: its tables, its clock, and the servers and the store behind it. No HTTP."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.simulators.objects import Database, Table
from sandbox.simulators.servers import ClusterServers
from sandbox.simulators.timeweb.records import Account, Admin, Backup, Bucket, Cluster, Instance, StorageUser
from sandbox.simulators.timeweb.storage import Login, StorageBackend

SIGNER = "account"


@dataclass(frozen=True)
class Delays:
    """Seconds a cluster spends in its passing states."""

    start: float = 1.0
    resize: float = 0.5
    power: float = 0.5
    backup: float = 0.5


class State:
    """All the account owns. `clock` gives seconds since 1970."""

    def __init__(
        self,
        database: Database,
        servers: ClusterServers,
        storage: StorageBackend,
        clock: Callable[[], float],
        delays: Delays,
    ) -> None:
        self.database = database
        self.servers = servers
        self.storage = storage
        self.clock = clock
        self.delays = delays
        self.accounts = Table(database, "account", Account)
        self.clusters = Table(database, "cluster", Cluster)
        self.instances = Table(database, "database", Instance)
        self.admins = Table(database, "admin", Admin)
        self.backups = Table(database, "backup", Backup)
        self.buckets = Table(database, "bucket", Bucket)
        self.storage_users = Table(database, "storage_user", StorageUser)

    @property
    def account(self) -> Account:
        """The one account, made at the first look."""
        with self.database.transaction():
            for account in self.accounts.all():
                return account
            return self.accounts.add(
                Account(
                    account_id=f"ab{secrets.randbelow(90000) + 10000}",
                    access_key=new_access_key(),
                    secret_key=new_secret_key(),
                )
            )

    def restore_storage(self) -> None:
        """Make the store hold the account's buckets and users with the keys they had; contents and grants are gone."""
        account = self.account
        self.storage.set_signer(Login(SIGNER, account.access_key, account.secret_key))
        for bucket in self.buckets.all():
            self.storage.create_bucket(bucket.full_name)
        for user in self.storage_users.all():
            self.storage.create_user(Login(user.name, user.access_key, user.secret_key))


def new_access_key() -> str:
    """Twenty capital letters and digits: the form S3 servers expect."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(20))


def new_secret_key() -> str:
    """Forty letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))


def timestamp(seconds: float) -> str:
    """A time as the vendor writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
