"""Runs the whole program on Pulumi's mocks and keeps, as plain values, what it declared and exported.

Each run has a thread, a context and an event loop of its own, and the SDK is left as it was found.
"""

import asyncio
import contextvars
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import Mocks, Settings, configure, run_in_stack
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, MockSettings
from pulumi.runtime.proto.resource_pb2 import RegisterResourceResponse

from components.fleet import declare, read_fleet
from components.settings import SECRETS, read_settings

STACK_TYPE = "pulumi:pulumi:Stack"
# Pulumi's mark of a secret among the properties of the protocol.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"

# What the providers would answer beside the inputs.
ANSWERS: Mapping[str, dict[str, Any]] = {
    "pulumi-python:dynamic/timeweb:Cluster": {"host": "db.example", "port": 5432},
    "pulumi-python:dynamic/timeweb:Bucket": {"bucket": "4f2a-customer", "hostname": "s3.example"},
    "pulumi-python:dynamic/timeweb:StorageUser": {"access_key": "ACCESS", "secret_key": "sentinel-storage-key"},
    "pulumi-python:dynamic/neon:Project": {
        "branch_id": "br-main",
        "endpoint_id": "ep-main",
        "host": "ep-main.neon.example",
        "port": 5432,
        "pooled_host": "ep-main-pooler.neon.example",
        "pooled_port": 5432,
        "created_at": "2026-11-24T00:00:00Z",
    },
    "pulumi-python:dynamic/neon:Branch": {"branch_id": "br-further", "host": "ep-2.neon.example", "port": 5432},
    "pulumi-python:dynamic/postgres:TenantSchema": {"password": "sentinel-password"},
    "pulumi-python:dynamic/postgres:TenantDatabase": {"ca": "PEM of the cluster"},
    "digitalocean:index/databaseCluster:DatabaseCluster": {"host": "managed.example", "port": 25060},
    "aws:iam/accessKey:AccessKey": {"secret": "sentinel-iam-key"},
}


@dataclass(frozen=True)
class Secret:
    """A value that the engine is told to encrypt."""

    value: Any


@dataclass(frozen=True)
class Declared:
    """One resource as the program asked for it; other resources are named by their logical names."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    protect: bool
    provider: str
    deleted_with: str
    needs: frozenset[str]


@dataclass(frozen=True)
class Declaration:
    """A run's resources by URN, and its outputs."""

    resources: tuple[Declared, ...]
    outputs: Mapping[str, Any]

    def __getitem__(self, name: str) -> Declared:
        """The one provider-made resource of this name."""
        (found,) = [resource for resource in self.resources if resource.custom and resource.name == name]
        return found

    @property
    def names(self) -> set[str]:
        """The names of all provider-made resources, without the providers."""
        return {resource.name for resource in self.made}

    @property
    def made(self) -> list[Declared]:
        """What a provider makes, without the providers."""
        return [each for each in self.resources if each.custom and not each.type.startswith("pulumi:providers:")]

    @property
    def tenants(self) -> Mapping[str, Any]:
        """The output `tenants`."""
        tenants: Mapping[str, Any] = self.outputs["tenants"]
        return tenants


class _Answers(Mocks):
    """What the SDK asks for and the recorder never uses: `_Recorder` answers by itself, so a call here is a fault."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """No resource passes here."""
        raise AssertionError(args.name)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Nothing is called."""
        raise AssertionError(args.token)


class _Recorder(MockMonitor):
    """Answers as an engine would, with the URNs an engine gives, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(_Answers())
        self.declared: list[Declared] = []
        self.outputs: Mapping[str, Any] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The whole chain of types, without the stack's: the SDK's own mocks keep the last parent only."""
        above = "" if not parent or STACK_TYPE in parent else f"{parent.split('::')[2]}$"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{above}{type_}::{name}"

    def RegisterResource(self, request: Any) -> RegisterResourceResponse:  # noqa: ANN401, N802  the method and message of Pulumi's protocol
        """Notes one resource and answers with its outputs."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return RegisterResourceResponse(urn=urn)
        inputs = MessageToDict(request.object)
        self.declared.append(
            Declared(
                urn=urn,
                type=request.type,
                name=request.name,
                custom=request.custom,
                inputs=_plain(inputs),
                protect=request.protect,
                provider=_name(request.provider.rpartition("::")[0]),
                deleted_with=_name(request.deletedWith),
                needs=frozenset(map(_name, request.dependencies)),
            )
        )
        outputs = inputs | ANSWERS.get(request.type, {})
        for name in set(request.additionalSecretOutputs) & outputs.keys():
            outputs[name] = {SIGNATURE: SECRET, "value": outputs[name]}
        id_ = f"id-of-{request.name}" if request.custom else ""
        return RegisterResourceResponse(urn=urn, id=id_, object=ParseDict(outputs, Struct()))

    def RegisterResourceOutputs(self, request: Any) -> Empty:  # noqa: ANN401, N802  the method and message of Pulumi's protocol
        """Notes what the stack exports."""
        if STACK_TYPE in request.urn:
            self.outputs = _plain(MessageToDict(request.outputs))
        return Empty()


TODAY = date(2026, 11, 24)


def record(
    fleet: Path,
    config: Mapping[str, str],
    *,
    stack: str = "prod",
    environ: Mapping[str, str] | None = None,
    today: date = TODAY,
) -> Declaration:
    """Run the program of `stack` on the catalogue in `fleet`."""
    recorder = _Recorder()

    def program() -> None:
        settings = read_settings({"TENANTRY_FLEET": str(fleet), **(environ or {})})
        pulumi.export("tenants", declare(read_fleet(settings), settings, today))

    def work() -> None:
        set_all_config(dict(config), sorted(SECRETS))
        mocks: Any = MockSettings  # it has no types
        configure(mocks(monitor=recorder, engine=MockEngine(None), project="tenantry", stack=stack))
        asyncio.run(run_in_stack(program))

    with _sdk_as_it_was():
        _in_own_thread(work)
    return Declaration(tuple(sorted(recorder.declared, key=lambda each: each.urn)), recorder.outputs)


def _in_own_thread(work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            contextvars.Context().run(work)
        except BaseException as error:  # noqa: BLE001 - handed to the calling thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _sdk_as_it_was() -> Iterator[None]:
    """A setting's first value becomes its default everywhere, and each dynamic resource wraps the pickler again."""
    touched: list[tuple[object, str]] = [
        (value, "_ContextProperty__default")
        for value in vars(Settings).values()
        if hasattr(value, "_ContextProperty__default")
    ]
    pickler = pickle._Pickler  # noqa: SLF001 - the private class that the SDK changes
    touched += [(pickler, "_batch_setitems"), (pickler, "save_dict")]
    before = [(owner, name, getattr(owner, name)) for owner, name in touched]
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        return Secret(_plain(value["value"]))
    return {key: _plain(item) for key, item in value.items()}
