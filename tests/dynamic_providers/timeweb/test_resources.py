"""Resources as a program declares them: type tokens, properties, and which outputs are secret."""

from typing import Any

import pulumi
import pytest
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs

from dynamic_providers.timeweb.admin import Admin, AdminArgs
from dynamic_providers.timeweb.backup_schedule import BackupSchedule, BackupScheduleArgs
from dynamic_providers.timeweb.bucket import Bucket, BucketArgs
from dynamic_providers.timeweb.cluster import Cluster, ClusterArgs
from dynamic_providers.timeweb.database import Database, DatabaseArgs
from dynamic_providers.timeweb.storage_user import StorageUser, StorageUserArgs

MARK = "tenantry:prod:x-1"


class Echo(Mocks):
    """Every resource has id 7 and the outputs it was declared with."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """One resource."""
        return "7", args.inputs

    def call(self, _args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Nothing is called."""
        return {}, None


class Recorder(MockMonitor):
    """Keeps what the program registers."""

    def __init__(self) -> None:
        super().__init__(Echo())
        self.registered: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802  the method and message of Pulumi's protocol
        """Notes one resource."""
        self.registered[request.name] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types


def declare_all() -> None:
    cluster = Cluster(
        "c-1",
        ClusterArgs(name="c", engine="postgres15", cpu=2, ram_gb=4, disk_gb=40, location="ru-1", mark=MARK),
    )
    Database("d-1", DatabaseArgs(cluster_id=cluster.id, name="main", mark=MARK))
    Admin(
        "a-1",
        AdminArgs(cluster_id=cluster.id, login="admin", privileges=["SELECT"], cluster_mark=MARK, mark=MARK),
    )
    BackupSchedule("s-1", BackupScheduleArgs(cluster_id=cluster.id, enabled=True))
    bucket = Bucket("b-1", BucketArgs(name="b", disk_gb=10, location="ru-1", mark=MARK))
    StorageUser(
        "u-1",
        StorageUserArgs(name="u", bucket=bucket.bucket),
        pulumi.ResourceOptions(additional_secret_outputs=["user_id"]),
    )


@pytest.fixture(scope="module")
def registered() -> dict[str, Any]:
    recorder = Recorder()
    set_mocks(recorder.mocks, monitor=recorder)
    run: Any = pulumi.runtime.test
    run(declare_all)()
    return {name: request for name, request in recorder.registered.items() if request.custom}


def test_type_tokens_are_for_ever(registered: dict[str, Any]) -> None:
    assert {name: request.type for name, request in registered.items()} == {
        "c-1": "pulumi-python:dynamic/timeweb:Cluster",
        "d-1": "pulumi-python:dynamic/timeweb:Database",
        "a-1": "pulumi-python:dynamic/timeweb:Admin",
        "s-1": "pulumi-python:dynamic/timeweb:BackupSchedule",
        "b-1": "pulumi-python:dynamic/timeweb:Bucket",
        "u-1": "pulumi-python:dynamic/timeweb:StorageUser",
    }


def test_inputs_are_the_arguments_and_none_is_dropped(registered: dict[str, Any]) -> None:
    sent = {"__provider", "name", "engine", "cpu", "ram_gb", "disk_gb", "location", "mark"}
    assert set(registered["c-1"].object) == sent
    assert registered["d-1"].object["cluster_id"] == "7"


def test_no_input_holds_a_secret(registered: dict[str, Any]) -> None:
    """H3: the provider is a reference in plain sight, and there is nothing else to hide."""
    keys = {key for request in registered.values() for key in request.object}
    assert not keys & {"password", "token", "secret_key", "access_key"}
    assert all(isinstance(request.object["__provider"], str) for request in registered.values())


def test_both_keys_of_a_storage_user_are_secret_whatever_the_program_adds(registered: dict[str, Any]) -> None:
    """Design rule 7: computed secrets lie in plain text otherwise."""
    assert set(registered["u-1"].additionalSecretOutputs) == {"access_key", "secret_key", "user_id"}
