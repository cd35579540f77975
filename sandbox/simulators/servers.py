"""The databases behind a vendor's simulated clusters: what its rules ask of them, and a stand-in that keeps none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Address:
    """Where a server answers."""

    host: str
    ip: str
    port: int


@dataclass(frozen=True)
class AdminWanted:
    """A login as it should be on the server: privileges by database name, and whether they hold in all databases.

    `attributes` are further ones of PostgreSQL, such as BYPASSRLS; `groups` are the vendor's roles it is a member of.
    """

    login: str
    password: str
    create_database: bool
    create_role: bool
    everywhere: bool
    privileges: Mapping[str, frozenset[str]]
    log_in: bool = True
    attributes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a server should hold: databases (name → owner's login or None), logins, and groups of the vendor's own.

    A group is a role that nobody logs in as, with the roles it is a member of.
    """

    databases: Mapping[str, str | None]
    admins: tuple[AdminWanted, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ClusterServers(Protocol):
    """Real servers by cluster id. Nothing here knows HTTP or the simulator's tables."""

    @property
    def hold_data(self) -> bool:
        """Whether there is data in them that a restore would have to bring back."""

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:
        """Begin to start the server and put the contents in; returns at once. Also resumes one that exists.

        A new one begins with the data that another cluster's server holds, if `copy_of` names it.
        """

    def place(self, cluster_id: int) -> Address | None:
        """Where it answers or is going to; None where it was never launched, or could not be."""

    def address(self, cluster_id: int) -> Address | None:
        """Where it answers, or None while it does not."""

    def failure(self, cluster_id: int) -> str | None:
        """Why it could not be started, if so."""

    def halt(self, cluster_id: int) -> None:
        """Stop the server and keep its data."""

    def remove(self, cluster_id: int) -> None:
        """Stop the server and delete its data; may return before that is done."""

    def ensure(self, cluster_id: int, contents: Contents) -> None:
        """Make the databases and logins be there as given; removes none. Blocks until done."""

    def drop_database(self, cluster_id: int, name: str) -> None:
        """Drop a database with its sessions."""

    def drop_admin(self, cluster_id: int, login: str) -> None:
        """Drop a login; what it owned goes to the vendor."""

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """Rename a database, ending its sessions."""

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """Rename a login."""

    def close(self) -> None:
        """Stop all servers and keep their data."""


class NoServers:
    """Clusters without a database behind them: an address nothing listens on, and silence."""

    hold_data = False

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:
        """Nothing to start."""

    def place(self, cluster_id: int) -> Address | None:  # noqa: ARG002 - one address serves all
        """The address of nothing."""
        return Address("localhost", "127.0.0.1", 5432)

    def address(self, cluster_id: int) -> Address | None:
        """The address of nothing."""
        return self.place(cluster_id)

    def failure(self, cluster_id: int) -> str | None:
        """Nothing can fail."""

    def halt(self, cluster_id: int) -> None:
        """Nothing to stop."""

    def remove(self, cluster_id: int) -> None:
        """Nothing to delete."""

    def ensure(self, cluster_id: int, contents: Contents) -> None:
        """Nothing to change."""

    def drop_database(self, cluster_id: int, name: str) -> None:
        """Nothing to drop."""

    def drop_admin(self, cluster_id: int, login: str) -> None:
        """Nothing to drop."""

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """Nothing to rename."""

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """Nothing to rename."""

    def close(self) -> None:
        """Nothing to stop."""
