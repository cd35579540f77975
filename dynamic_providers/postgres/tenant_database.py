"""A tenant's own database on a shared server as a resource: it holds the tenant's schema, and outlives no server."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import GONE, Props, TypedProvider, declared
from dynamic_providers.circuit import shared
from dynamic_providers.configuration import read_configuration
from dynamic_providers.marks import MarkText
from dynamic_providers.postgres.access import Reach, shared_reach
from dynamic_providers.postgres.changes import LOOK_SECONDS
from dynamic_providers.postgres.connection import Limits, ServerAbsentError, UnreachableError
from dynamic_providers.postgres.databases import find_database, make_database, remove_database
from dynamic_providers.postgres.inputs import DERIVED, Name, Server

MADE = "1"
"""What `condition` reads where all is well; raised when `databases.py` changes what it makes."""


class TenantDatabaseInputs(Server):
    """A database `name`, made from the server's own one, which is the `database` that it is reached in.

    `condition` is not the program's to set: a refresh writes there what it found damaged, and the difference to MADE
    makes the next update repair it.
    """

    name: Name
    mark: MarkText
    condition: str = MADE


class TenantDatabaseProvider(TypedProvider):
    """Find ours on the server or create; what is damaged is repaired, and nothing is ever changed into another one."""

    inputs: ClassVar[type[TenantDatabaseInputs]] = TenantDatabaseInputs
    connection_fields = frozenset(Server.model_fields)
    stateful_fields = frozenset({"name"})
    reach: Reach
    limits: Limits

    def configure(self, req: ConfigureRequest) -> None:
        """Takes the ways to servers; nothing is sent yet."""
        configuration = read_configuration(req.config)
        self.reach = shared_reach(configuration)
        self.limits = Limits(total=configuration.retry_seconds, circuit=shared("postgres"))

    def create(self, props: Props) -> CreateResult:
        """Makes the database, or completes what carries its mark."""
        want = self.inputs.of(props)
        return CreateResult(want.name, self._made(want, {want.mark}))

    def read(self, id_: str, props: Props) -> ReadResult:
        """The database as found; gone with its server, and damaged where nobody could look."""
        want = self.inputs.of(props)
        try:
            address = self.reach.address(want)
            brief = replace(self.limits, total=min(LOOK_SECONDS, self.limits.total), circuit=None)
            found = find_database(address, id_, brief)
        except ServerAbsentError:
            return GONE
        except UnreachableError as error:
            unknown = want.model_copy(update={"condition": f"damaged: {error}"})
            return ReadResult(id_, outputs(unknown, props.get("ca")), unknown.props())
        if found is None:
            return GONE
        damaged = "; ".join(found.damages(want.mark))
        seen = want.model_copy(update={"condition": f"damaged: {damaged}" if damaged else MADE})
        return ReadResult(id_, outputs(seen, address.ca), seen.props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Repairs what is damaged, and writes the mark."""
        self.changes_in_place(id_, olds, news)
        want = self.inputs.of(news)
        return UpdateResult(self._made(want, {want.mark, olds.get("mark", ""), ""}))

    def delete(self, id_: str, props: Props) -> None:
        """Drops the database with all that is in it; with its server gone it is gone too."""
        tenant = self.inputs.of(props)
        with suppress(ServerAbsentError):
            remove_database(self.reach.address(tenant), id_, tenant.mark, self.limits)

    def _made(self, want: TenantDatabaseInputs, marks: set[str]) -> Props:
        address = self.reach.address(want)
        make_database(address, want.name, want.mark, self.limits, marks=marks)
        return outputs(want, address.ca)


def outputs(database: TenantDatabaseInputs, ca: str | None) -> Props:
    """Every input echoed, and the authority that its server is certified by, where that is no public one."""
    return {**database.props(), **({"ca": ca} if ca else {})}


@dataclass(frozen=True, kw_only=True)
class TenantDatabaseArgs:
    """What a program says of a tenant's database; the fields that it shares with `Server` say how to get there."""

    host: pulumi.Input[str]
    port: pulumi.Input[int]
    database: pulumi.Input[str]
    admin_login: pulumi.Input[str]
    cluster_mark: pulumi.Input[str]
    name: pulumi.Input[str]
    mark: pulumi.Input[str]
    access: str = DERIVED
    server_id: pulumi.Input[str] = ""


class TenantDatabase(Resource, module="postgres", name="TenantDatabase"):
    """A database of the tenant's own; `ca` is PEM text."""

    name: pulumi.Output[str]
    ca: pulumi.Output[str | None]

    def __init__(self, name: str, args: TenantDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {**declared(args, "ca"), "condition": MADE}
        super().__init__(TenantDatabaseProvider(), name, props, opts)
