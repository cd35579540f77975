"""What is set up in a tenant's place as a resource: the migrations up to a version, and the logins of its people.

No password is an output: whoever may have one derives it (`admin_password.derive_access_password`).
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import Props, TypedProvider, declared
from dynamic_providers.circuit import shared
from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.access import Reach, shared_reach
from dynamic_providers.postgres.access_roles import STANDING, TenantSetupInputs
from dynamic_providers.postgres.connection import Limits, ServerAbsentError
from dynamic_providers.postgres.inputs import DERIVED, Server
from dynamic_providers.postgres.migration_set import packaged
from dynamic_providers.postgres.setup_changes import observe, remove, set_up, unreached


class TenantSetupProvider(TypedProvider):
    """Speaks to the server as its admin; it holds no data, so what it stands for may be made anew."""

    inputs: ClassVar[type[TenantSetupInputs]] = TenantSetupInputs
    connection_fields = frozenset(Server.model_fields)
    replace_on = frozenset({"schema_name", "owner", "login", "base"})
    configuration: Configuration
    reach: Reach
    limits: Limits

    def configure(self, req: ConfigureRequest) -> None:
        """Takes the admin secret and the TLS mode; nothing of it is pickled."""
        self.configuration = read_configuration(req.config)
        self.reach = shared_reach(self.configuration)
        self.limits = Limits(total=self.configuration.retry_seconds, circuit=shared("postgres"))

    def create(self, props: Props) -> CreateResult:
        """Sets the tenant up, or completes what a run has begun: the ledger tells how far it came."""
        want = self.inputs.of(props)
        self._set_up(want, {want.mark})
        return CreateResult(want.base, want.props())

    def read(self, id_: str, props: Props) -> ReadResult:
        """As found: a ledger that is behind, a role that is missing or stands otherwise shows in the inputs."""
        want = self.inputs.of(props)
        try:
            found = observe(self.reach.address(want), want, self.limits)
        except ServerAbsentError as error:
            found = unreached(want, error)
        return ReadResult(id_, found.props(), found.props())

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Applies the migrations that are new, blocks or opens, repairs what is damaged."""
        want = self.inputs.of(news)
        self._set_up(want, {want.mark, olds.get("mark", ""), ""})
        return UpdateResult(want.props())

    def delete(self, _id: str, props: Props) -> None:
        """Drops the access roles; a proven absent one is a success."""
        tenant = self.inputs.of(props)
        with suppress(ServerAbsentError):
            remove(self.reach.address(tenant), tenant, self.limits)

    def _set_up(self, want: TenantSetupInputs, marks: set[str]) -> None:
        migrations = packaged()
        if want.version != migrations.version:
            raise ProviderError(
                f"{want.base}: the program asks for migrations up to {want.version}, and this provider has"
                f" {migrations.version}: run again, in one checkout"
            )
        secret = self.configuration.admin_secret
        set_up(self.reach.address(want), want, secret, self.limits, migrations=migrations, marks=marks)


@dataclass(frozen=True, kw_only=True)
class TenantSetupArgs:
    """What a program says of one tenant; the fields that it shares with `Server` say how to get there."""

    host: pulumi.Input[str]
    port: pulumi.Input[int]
    database: pulumi.Input[str]
    admin_login: pulumi.Input[str]
    cluster_mark: pulumi.Input[str]
    schema: pulumi.Input[str]
    owner: pulumi.Input[str]
    login: pulumi.Input[str]
    base: pulumi.Input[str]
    blocked: pulumi.Input[bool]
    mark: pulumi.Input[str]
    access: str = DERIVED
    server_id: pulumi.Input[str] = ""


class TenantSetup(Resource, module="postgres", name="TenantSetup"):
    """A tenant's migrations, up to those that this version of tenantry has, and its access roles."""

    version: pulumi.Output[str]

    def __init__(self, name: str, args: TenantSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = declared(args)
        props["schema_name"] = props.pop("schema")
        props |= {"version": packaged().version, "standing": STANDING}
        super().__init__(TenantSetupProvider(), name, props, opts)
