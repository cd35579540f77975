"""A tenant's place in a database as a resource: schema, roles, limits and extensions.

The password is made here at `create`, is a secret output, and is known to the server as a SCRAM verifier only. An
update sets it again, so that the output stays true when the tenant has changed it.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import Props, TypedProvider, declared
from dynamic_providers.circuit import shared
from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.postgres.access import DIGITALOCEAN, Reach, shared_reach
from dynamic_providers.postgres.changes import make, observe, remove, unreached
from dynamic_providers.postgres.connection import Limits, ServerAbsentError
from dynamic_providers.postgres.inputs import DERIVED, LAYOUT, Server, TenantSchemaInputs

# Random bytes of a tenant's password, by how its server is reached (A18, B31); they are written in hex.
PASSWORD_BYTES = {DERIVED: 16, DIGITALOCEAN: 32}


class TenantSchemaProvider(TypedProvider):
    """Speaks to the server as its admin, whose password is found here and is in no state."""

    inputs: ClassVar[type[TenantSchemaInputs]] = TenantSchemaInputs
    connection_fields = frozenset(Server.model_fields) | {"given_password"}
    stateful_fields = frozenset({"schema_name", "owner", "login"})
    configuration: Configuration
    reach: Reach
    limits: Limits

    def configure(self, req: ConfigureRequest) -> None:
        """Takes the admin secret and the TLS mode; nothing of it is pickled."""
        self.configuration = read_configuration(req.config)
        self.reach = shared_reach(self.configuration)
        self.limits = Limits(total=self.configuration.retry_seconds, circuit=shared("postgres"))

    def create(self, props: Props) -> CreateResult:
        """Makes the tenant, or completes what carries its mark; the password is a new one, unless one is given."""
        want = self.inputs.of(props)
        password = want.given_password or new_password(want.access)
        make(self.reach.address(want), want, password, self.limits, marks={want.mark})
        return CreateResult(want.login, outputs(want, password))

    def read(self, id_: str, props: Props) -> ReadResult:
        """The tenant as found; drift shows in the inputs, and in `layout` where no input speaks of it."""
        want = self.inputs.of(props)
        try:
            found = observe(self.reach.address(want), want, self.limits)
        except ServerAbsentError as error:
            found = unreached(want, error)
        return ReadResult(id_, outputs(found, props.get("password")), found.props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Changes what differs and repairs what is damaged; the password stays."""
        self.changes_in_place(id_, olds, news)
        want = self.inputs.of(news)
        password = olds.get("password") or new_password(want.access)
        make(self.reach.address(want), want, password, self.limits, marks={want.mark, olds.get("mark", ""), ""})
        return UpdateResult(outputs(want, password))

    def delete(self, _id: str, props: Props) -> None:
        """Removes all that is the tenant's; a proven absent one is a success."""
        tenant = self.inputs.of(props)
        with suppress(ServerAbsentError):
            remove(self.reach.address(tenant), tenant, self.limits)


def new_password(access: str) -> str:
    """A password that nobody has had before."""
    return secrets.token_hex(PASSWORD_BYTES.get(access, PASSWORD_BYTES[DERIVED]))


def outputs(tenant: TenantSchemaInputs, password: str | None) -> Props:
    """Every input echoed but the given password, which is the login's at first, and the login's password."""
    echoed = tenant.model_copy(update={"given_password": None}).props()
    return {**echoed, **({"password": password} if password else {})}


@dataclass(frozen=True, kw_only=True)
class TenantSchemaArgs:
    """What a program says of one tenant; the fields that it shares with `Server` say how to get there."""

    host: pulumi.Input[str]
    port: pulumi.Input[int]
    database: pulumi.Input[str]
    admin_login: pulumi.Input[str]
    cluster_mark: pulumi.Input[str]
    schema: pulumi.Input[str]
    owner: pulumi.Input[str]
    login: pulumi.Input[str]
    connection_limit: pulumi.Input[int]
    statement_timeout_ms: pulumi.Input[int]
    extensions: pulumi.Input[list[str]]
    blocked: pulumi.Input[bool]
    mark: pulumi.Input[str]
    given_password: pulumi.Input[str] | None = None
    access: str = DERIVED
    server_id: pulumi.Input[str] = ""


class TenantSchema(Resource, module="postgres", name="TenantSchema"):
    """A tenant's schema and roles; `password` belongs to `login` and is secret."""

    login: pulumi.Output[str]
    password: pulumi.Output[str]

    def __init__(self, name: str, args: TenantSchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = declared(args, "password")
        props["schema_name"] = props.pop("schema")
        props["layout"] = LAYOUT
        secret = pulumi.ResourceOptions(additional_secret_outputs=["password", "given_password"])
        super().__init__(TenantSchemaProvider(), name, props, pulumi.ResourceOptions.merge(secret, opts))
