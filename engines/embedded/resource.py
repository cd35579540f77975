"""One resource of the state, and its entry in Pulumi's deployment document."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engines.embedded.errors import RefusedError
from engines.embedded.properties import Properties, from_json, to_json
from engines.embedded.urns import is_provider, reference_urn

# What another engine may have written and this one would silently disregard.
FOREIGN = frozenset(
    {
        "external",
        "taint",
        "replaceWith",
        "replacementTrigger",
        "viewOf",
        "resourceHooks",
        "extensionRef",
        "snippetID",
        "refreshBeforeUpdate",
        "customTimeouts",
        "replaceOnChanges",
    }
)


@dataclass(frozen=True)
class Resource:
    """A resource as the state knows it.

    `delete` marks one that is replaced and still to be deleted, `pending_replacement` one that is already deleted
    and still to be made again.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    delete: bool = False
    pending_replacement: bool = False
    init_errors: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""

    @property
    def managed(self) -> bool:
        """Whether a provider makes and deletes it: a custom resource that is not itself a provider."""
        return self.custom and not is_provider(self.type)

    def needs(self) -> Iterator[str]:
        """URNs that must exist before it: parent, provider and every dependency."""
        if self.parent:
            yield self.parent
        if self.provider:
            yield reference_urn(self.provider)
        yield from self.depends_on()

    def depends_on(self) -> Iterator[str]:
        """URNs of its dependencies, without parent and provider; one may come twice."""
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns
        if self.deleted_with:
            yield self.deleted_with


# Attribute → key of the entry, for what is written as it is and left out when empty.
FLAGS: Mapping[str, str] = {
    "id": "id",
    "parent": "parent",
    "provider": "provider",
    "protect": "protect",
    "retain_on_delete": "retainOnDelete",
    "deleted_with": "deletedWith",
    "delete": "delete",
    "pending_replacement": "pendingReplacement",
    "created": "created",
    "modified": "modified",
}
LISTS: Mapping[str, str] = {
    "dependencies": "dependencies",
    "init_errors": "initErrors",
    "additional_secret_outputs": "additionalSecretOutputs",
    "ignore_changes": "ignoreChanges",
    "aliases": "aliases",
}


def encode(resource: Resource, encrypt: Callable[[str], str]) -> dict[str, Any]:
    """Write the entry as `pulumi stack export` would, secrets encrypted."""
    entry: dict[str, Any] = {"urn": resource.urn, "custom": resource.custom, "type": resource.type}
    for attribute, key in FLAGS.items():
        if value := getattr(resource, attribute):
            entry[key] = value
    for attribute, key in LISTS.items():
        if values := getattr(resource, attribute):
            entry[key] = list(values)
    for key, properties in (("inputs", resource.inputs), ("outputs", resource.outputs)):
        if properties:
            entry[key] = to_json(properties, encrypt)
    if resource.property_dependencies:
        entry["propertyDependencies"] = {
            key: list(urns) for key, urns in sorted(resource.property_dependencies.items())
        }
    return entry


def decode(entry: Mapping[str, Any], decrypt: Callable[[str], str]) -> Resource:
    """Read an entry. Raises RefusedError for one that carries what this engine would disregard."""
    foreign = sorted(key for key in FOREIGN & entry.keys() if entry[key])
    if foreign:
        raise RefusedError(f"'{foreign[0]}', which the state has for {entry['urn']}")
    flags: dict[str, Any] = {attribute: entry[key] for attribute, key in FLAGS.items() if key in entry}
    lists: dict[str, Any] = {attribute: tuple(entry[key]) for attribute, key in LISTS.items() if key in entry}
    return Resource(
        urn=entry["urn"],
        type=entry["type"],
        custom=entry["custom"],
        inputs=_properties(entry.get("inputs"), decrypt),
        outputs=_properties(entry.get("outputs"), decrypt),
        property_dependencies=_dependencies(entry.get("propertyDependencies")),
        **flags,
        **lists,
    )


def _properties(entry: Mapping[str, Any] | None, decrypt: Callable[[str], str]) -> Properties:
    return {key: from_json(value, decrypt) for key, value in (entry or {}).items()}


def _dependencies(entry: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    return {key: tuple(urns) for key, urns in (entry or {}).items()}
