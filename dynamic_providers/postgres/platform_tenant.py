"""A tenant's record in the platform database as a resource: its row, and who may do what for it.

The record says where the credentials are and holds none. Where the database is comes from the provider's own
configuration, so it is no input, no output and in no tenant's state.
"""

import logging
from dataclasses import dataclass
from typing import ClassVar

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import GONE, Props, TypedProvider, declared
from dynamic_providers.circuit import shared
from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.errors import AwayError, ProviderError
from dynamic_providers.postgres.connection import Address, Limits, UnreachableError, transact
from dynamic_providers.postgres.platform.address import SETTING, platform_address
from dynamic_providers.postgres.platform.records import Record, Row, end, find, keep

log = logging.getLogger(__name__)


class PlatformTenantInputs(Record):
    """A record, and `served_by`: known once what is recorded has been made, so that no record comes before it."""

    served_by: str = ""


class PlatformTenantProvider(TypedProvider):
    """Speaks to the platform database as its owner."""

    inputs: ClassVar[type[PlatformTenantInputs]] = PlatformTenantInputs
    connection_fields = frozenset({"served_by"})
    stateful_fields = frozenset({"tenant"})
    configuration: Configuration
    limits: Limits

    def configure(self, req: ConfigureRequest) -> None:
        """Takes the address; nothing of it is pickled."""
        self.configuration = read_configuration(req.config)
        self.limits = Limits(total=self.configuration.retry_seconds, circuit=shared("postgres"))

    def create(self, props: Props) -> CreateResult:
        """Makes the record, or takes over the one with the same reference; the schema is made where it is missing."""
        want = self.inputs.of(props)
        transact(self._address(), lambda connection: keep(connection, want, {want.reference}), self.limits)
        return CreateResult(want.tenant, want.props())

    def read(self, id_: str, props: Props) -> ReadResult:
        """The record as found; one that is not there is gone. A database that does not answer says nothing."""
        kept = self.inputs.recorded(props)
        try:
            found = transact(self._address(), lambda connection: find(connection, kept.tenant), self.limits)
        except (UnreachableError, AwayError) as error:
            log.warning("%s: the record of %s is taken as it was", error, kept.tenant)
            return ReadResult(id_, kept.props(), kept.props())
        if found is None:
            return GONE
        seen = as_found(kept, found)
        return ReadResult(id_, seen.props(), seen.props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Writes the whole record anew: what others have changed in it is put back."""
        self.changes_in_place(id_, olds, news)
        want = self.inputs.of(news)
        known = {want.reference, str(olds.get("reference", ""))}
        transact(self._address(), lambda connection: keep(connection, want, known), self.limits)
        return UpdateResult(want.props())

    def delete(self, _id: str, props: Props) -> None:
        """Marks the record as deleted. Without the setting it stays as it is: nothing is lost, and nothing is wrong."""
        kept = self.inputs.recorded(props)
        if not self.configuration.platform_url:
            log.warning("%s is not set: the record of %s stays as it was", SETTING, kept.tenant)
            return
        transact(self._address(), lambda connection: end(connection, kept.tenant, kept.reference), self.limits)

    def _address(self) -> Address:
        if not self.configuration.platform_url:
            raise ProviderError(f"{SETTING} is not set: tenants cannot be recorded without it")
        return platform_address(self.configuration.platform_url)


def as_found(kept: PlatformTenantInputs, found: Row) -> PlatformTenantInputs:
    """The inputs with what the row says in their place; of nobody's permissions nobody is said to have granted them."""
    return kept.model_copy(
        update={
            "reference": found.reference,
            "name": found.name,
            "plan_type": found.plan_type,
            "user_id": found.user_id,
            "organization_id": found.organization_id,
            "status": found.status,
            "limits": found.limits,
            "billing_email": found.billing_email,
            "permissions": found.permissions,
            "granted_by": found.granted_by if found.permissions else kept.granted_by,
        }
    )


@dataclass(frozen=True, kw_only=True)
class PlatformTenantArgs:
    """What a program says of one tenant; see `Record`."""

    tenant: pulumi.Input[str]
    name: pulumi.Input[str]
    reference: pulumi.Input[str]
    plan_type: pulumi.Input[str]
    status: pulumi.Input[str]
    limits: pulumi.Input[dict[str, int]]
    permissions: pulumi.Input[dict[str, str]]
    user_id: pulumi.Input[str] | None = None
    organization_id: pulumi.Input[str] | None = None
    billing_email: pulumi.Input[str] | None = None
    granted_by: pulumi.Input[str] | None = None
    served_by: pulumi.Input[str] = ""


class PlatformTenant(Resource, module="postgres", name="PlatformTenant"):
    """A tenant's record; it has no output of its own."""

    def __init__(self, name: str, args: PlatformTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PlatformTenantProvider(), name, declared(args), opts)
