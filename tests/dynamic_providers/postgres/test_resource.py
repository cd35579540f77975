"""The resource as a program declares it: its type for ever, its properties, and the output that is secret."""

from typing import Any

import pulumi
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from dynamic_providers.postgres.inputs import LAYOUT
from dynamic_providers.postgres.tenant_schema import TenantSchema, TenantSchemaArgs
from tests.dynamic_providers.postgres.test_inputs import ASKED

ARGS = TenantSchemaArgs(
    host="db.example",
    port=5432,
    database="main",
    admin_login="admin",
    cluster_mark="tenantry:prod:shared-free-1-cluster-1",
    schema="c_acme",
    owner="c_acme_owner",
    login="c_acme",
    connection_limit=1,
    statement_timeout_ms=30000,
    extensions=[],
    blocked=False,
    mark="tenantry:prod:acme-schema-1",
)


class Echo(Mocks):
    """Every resource has the outputs it was declared with."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """One resource."""
        return "c_acme", args.inputs

    def call(self, _args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Nothing is called."""
        return {}, None


class Recorder(MockMonitor):
    """Keeps what the program registers."""

    def __init__(self) -> None:
        super().__init__(Echo())
        self.registered: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802  the method and message of Pulumi's protocol
        """Notes one resource."""
        self.registered.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types


def test_a_program_declares_a_tenant_by_its_arguments_and_gets_a_secret_password() -> None:
    """A18, facts 3.2: trap 17; what the caller adds to the options does not take the secret away."""

    def declare() -> None:
        TenantSchema("acme-schema-1", ARGS, pulumi.ResourceOptions(additional_secret_outputs=["login"]))

    recorder = Recorder()
    set_mocks(recorder.mocks, monitor=recorder)
    run: Any = pulumi.runtime.test
    run(declare)()
    declared = next(request for request in recorder.registered if request.custom)
    assert declared.type == "pulumi-python:dynamic/postgres:TenantSchema"
    asked = ASKED | {"layout": LAYOUT, "access": "derived", "server_id": ""}
    assert {key: value for key, value in declared.object.items() if key != "__provider"} == asked
    assert set(declared.additionalSecretOutputs) == {"login", "password", "given_password"}
