"""The provider instances of a run, by reference `<urn>::<id>`."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from engines.embedded import plugins
from engines.embedded.dynamic import PACKAGE, DynamicProvider
from engines.embedded.errors import InvalidResourceError, ResourceError
from engines.embedded.goal import INTERNAL_KEY
from engines.embedded.properties import (
    Properties,
    Reference,
    Value,
    from_struct,
    holds_unknown,
    plain_properties,
    to_struct,
)
from engines.embedded.provider import Checked, Difference, Found, Made, Provider
from engines.embedded.resource import Resource
from engines.embedded.urns import package_of, reference_urn, type_of

UNKNOWN_PROVIDER = "its provider has inputs that are not known"


class Registry:
    """Configures provider instances and finds them again. Used from every thread."""

    def __init__(
        self, project: str, context: contextvars.Context, recorded: Callable[[str], tuple[int, Resource] | None]
    ) -> None:
        self._project = project
        self._context = context
        self._recorded = recorded
        self._providers: dict[str, Provider] = {}
        self._lock = threading.Lock()

    def configure(self, urn: str, identity: str, inputs: Properties) -> None:
        """Make the instance that resources refer to by this URN and id."""
        provider = self._open(package_of(type_of(urn)), provider_config(inputs))
        with self._lock:
            self._providers[f"{urn}::{identity}"] = provider

    def get(self, reference: str) -> Provider:
        """Find an instance; one that this run's program does not declare is opened as the state records it."""
        with self._lock:
            provider = self._providers.get(reference)
        if provider is not None:
            return provider
        urn = reference_urn(reference)
        found = self._recorded(urn) if urn else None
        if found is None or f"{urn}::{found[1].id}" != reference:
            raise InvalidResourceError(f"its provider {reference or '(none)'} is not known")
        self.configure(urn, found[1].id, found[1].inputs)
        return self.get(reference)

    def _open(self, package: str, config: Properties) -> Provider:
        if any(map(holds_unknown, config.values())):
            return UnknownProvider()
        if package == PACKAGE:
            return DynamicProvider(plain_properties(config), self._project, self._context)
        return NativeProvider(plugins.open_plugin(package, plain_properties(config)))


def provider_config(inputs: Properties) -> Properties:
    """Leave out what belongs to the engine and not to the provider."""
    return {key: value for key, value in inputs.items() if key != INTERNAL_KEY}


class UnknownProvider:
    """An instance that a preview cannot configure, because some of its inputs are not known yet."""

    known = False

    def check(self, _type: str, _olds: Properties, news: Properties) -> Checked:
        """Take the inputs as they are."""
        return Checked(news)

    def diff(self, _type: str, _id: str, _olds: Properties, _news: Properties) -> Difference:
        """Refuse: nobody can tell."""
        raise ResourceError(UNKNOWN_PROVIDER)

    def create(self, _type: str, _inputs: Properties) -> Made:
        """Refuse."""
        raise ResourceError(UNKNOWN_PROVIDER)

    def read(self, _type: str, _id: str, _outputs: Properties) -> Found | None:
        """Refuse."""
        raise ResourceError(UNKNOWN_PROVIDER)

    def update(self, _type: str, _id: str, _olds: Properties, _news: Properties) -> Properties:
        """Refuse."""
        raise ResourceError(UNKNOWN_PROVIDER)

    def delete(self, _type: str, _id: str, _outputs: Properties) -> None:
        """Refuse."""
        raise ResourceError(UNKNOWN_PROVIDER)


class NativeProvider:
    """A plugin of a native package, which works on plain JSON values."""

    known = True

    def __init__(self, plugin: plugins.Plugin) -> None:
        self._plugin = plugin

    def check(self, type_: str, _olds: Properties, news: Properties) -> Checked:
        """Ask the plugin what is wrong."""
        return Checked(news, self._plugin.check(type_, _arguments(news)))

    def diff(self, type_: str, _id: str, olds: Properties, news: Properties) -> Difference:
        """Ask the plugin what differs."""
        return self._plugin.diff(type_, _arguments(olds), _arguments(news))

    def create(self, type_: str, inputs: Properties) -> Made:
        """Let the plugin make or adopt the object."""
        made = self._plugin.create(type_, _arguments(inputs))
        return Made(made.id, _properties(made.outputs))

    def read(self, type_: str, id_: str, outputs: Properties) -> Found | None:
        """Let the plugin read the object."""
        found = self._plugin.read(type_, id_, _arguments(outputs))
        if found is None:
            return None
        return Found(found.id, _properties(found.outputs), None if found.inputs is None else _properties(found.inputs))

    def update(self, type_: str, id_: str, olds: Properties, news: Properties) -> Properties:
        """Let the plugin change the object."""
        return _properties(self._plugin.update(type_, id_, _arguments(olds), _arguments(news)))

    def delete(self, type_: str, id_: str, outputs: Properties) -> None:
        """Let the plugin delete the object."""
        self._plugin.delete(type_, id_, _arguments(outputs))


def _arguments(properties: Properties) -> dict[str, Any]:
    return {key: _bare(value) for key, value in properties.items() if not key.startswith("__")}


def _bare(value: Value) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    if isinstance(value, Reference):
        return value.urn if value.id is None else value.id
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _properties(values: Properties) -> Properties:
    # The round trip makes numbers floats and leaves no object of a client library behind.
    struct = to_struct({key: value for key, value in values.items() if value is not None}, for_program=False)
    return from_struct(struct)
