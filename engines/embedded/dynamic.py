"""Serves `pulumi-python:dynamic…` types: the providers that a program pickles into its resources.

It does what the SDK's own plugin process does, with the SDK's own conversions, so that a provider sees the same
values: numbers as floats, None left out, Unknown objects in previews, `__provider` among the properties, and of the
configuration nothing but the inputs of its own provider instance.
"""

import asyncio
import base64
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import dill  # type: ignore[import-untyped]  # published without type information
from pulumi.dynamic import Config, ConfigureRequest, ResourceProvider
from pulumi.runtime import Settings, rpc
from pulumi.runtime._serialization import _deserialize

from engines.embedded.properties import Properties, from_struct, holds_unknown, to_struct
from engines.embedded.provider import Checked, Difference, Found, Made

PACKAGE = "pulumi-python"
PROVIDER_KEY = "__provider"
# The plugin serves so many calls at once, each instance.
AT_ONCE = 4
T = TypeVar("T")


def provider_context(project: str) -> contextvars.Context:
    """Make the surroundings of every call: SDK settings that know the project and nothing of the program's run."""
    context = contextvars.Context()
    context.run(Settings, project=project, stack="stack", organization="organization")
    return context


class DynamicProvider:
    """One provider instance: each pickled provider is loaded and configured once, and used from several threads."""

    known = True

    def __init__(self, config: Properties, project: str, context: contextvars.Context) -> None:
        self._config = Config(raw_config=_props(config), project_name=project)
        self._context = context
        self._loaded: dict[str, ResourceProvider] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def check(self, type_: str, olds: Properties, news: Properties) -> Checked:  # noqa: ARG002 - the pickle knows its type
        """Call the provider's check."""

        def call() -> Checked:
            before, wanted = _props(olds, keep_unknowns=True), _props(news, keep_unknowns=True)
            result = self._provider(wanted, before).check(before, wanted)
            result.inputs[PROVIDER_KEY] = wanted[PROVIDER_KEY]
            failures = [(failure.property, failure.reason) for failure in result.failures]
            return Checked(_properties(result.inputs), failures)

        return self._call(call)

    def diff(self, type_: str, id_: str, olds: Properties, news: Properties) -> Difference:  # noqa: ARG002 - as above
        """Call the provider's diff."""

        def call() -> Difference:
            before, wanted = _props(olds, keep_unknowns=True), _props(news, keep_unknowns=True)
            result = self._provider(wanted, before).diff(id_, before, wanted)
            return Difference(result.changes, tuple(result.replaces or ()), bool(result.delete_before_replace))

        return self._call(call)

    def create(self, type_: str, inputs: Properties) -> Made:  # noqa: ARG002 - as above
        """Call the provider's create."""

        def call() -> Made:
            props = _props(inputs)
            result = self._provider(props).create(props)
            outputs = _outputs(result.outs, props)
            return Made(_id(result.id), outputs)

        return self._call(call)

    def read(self, type_: str, id_: str, outputs: Properties) -> Found | None:  # noqa: ARG002 - as above
        """Call the provider's read. A result without outputs raises TypeError, as in the plugin."""

        def call() -> Found | None:
            props = _props(outputs)
            result = self._provider(props).read(id_, props)
            outs: Any = result.outs
            outs[PROVIDER_KEY] = props[PROVIDER_KEY]
            if not result.id:
                return None
            inputs = None if result.inputs is None else _outputs(dict(result.inputs), props)
            return Found(_id(result.id), _known(_properties(outs)), inputs)

        return self._call(call)

    def update(self, type_: str, id_: str, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002 - as above
        """Call the provider's update."""

        def call() -> Properties:
            before, wanted = _props(olds), _props(news)
            return _outputs(self._provider(wanted).update(id_, before, wanted).outs, wanted)

        return self._call(call)

    def delete(self, type_: str, id_: str, outputs: Properties) -> None:  # noqa: ARG002 - as above
        """Call the provider's delete."""

        def call() -> None:
            props = _props(outputs)
            self._provider(props).delete(id_, props)

        self._call(call)

    def _call(self, function: Callable[[], T]) -> T:
        with self._places:
            return self._context.copy().run(function)

    def _provider(self, props: dict[str, Any], otherwise: dict[str, Any] | None = None) -> ResourceProvider:
        pickled = props[PROVIDER_KEY]
        if not isinstance(pickled, str) and otherwise is not None:
            pickled = otherwise[PROVIDER_KEY]
        # Loading is serialised, as in the plugin: a pickle may import modules.
        with self._lock:
            if pickled not in self._loaded:
                provider: ResourceProvider = _deserialize(lambda: dill.loads(base64.b64decode(pickled)))  # noqa: S301 - the program's own provider, or that of the encrypted state's owner
                provider.configure(ConfigureRequest(config=self._config))
                self._loaded[pickled] = provider
            return self._loaded[pickled]


def _props(properties: Properties, *, keep_unknowns: bool = False) -> dict[str, Any]:
    struct = to_struct(properties, for_program=False, unknowns=keep_unknowns)
    props: dict[str, Any] = rpc.deserialize_properties(struct, keep_unknowns)
    return props


def _properties(props: dict[str, Any]) -> Properties:
    loop = asyncio.new_event_loop()
    try:
        return from_struct(loop.run_until_complete(rpc.serialize_properties(props, {})))
    finally:
        loop.close()


def _outputs(outs: dict[str, Any] | None, props: dict[str, Any]) -> Properties:
    result = {} if outs is None else outs
    result[PROVIDER_KEY] = props[PROVIDER_KEY]
    return _known(_properties(result))


def _known(outputs: Properties) -> Properties:
    unknown = sorted(key for key, value in outputs.items() if holds_unknown(value))
    if unknown:
        raise ValueError(f"unexpected unknown property value for '{unknown[0]}'")
    return outputs


def _id(identity: Any) -> str:  # noqa: ANN401 - whatever the provider gave
    if not isinstance(identity, str):
        raise TypeError(f"the provider returned an id of type {type(identity).__name__}: it must be a str")
    if not identity:
        raise ValueError("the provider returned an empty id from create")
    return identity
