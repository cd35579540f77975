"""Pulumi's resource names: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`."""

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Name a resource; the parent's types are part of it unless the parent is the stack itself."""
    if parent and qualified_type(parent) != STACK_TYPE:
        type_ = f"{qualified_type(parent)}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def qualified_type(urn: str) -> str:
    """Answer the type with those of the parents before it."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Answer the resource's own type."""
    return qualified_type(urn).rpartition("$")[2]


def name_of(urn: str) -> str:
    """Answer the logical name."""
    return urn.split("::", 3)[3]


def is_provider(type_: str) -> bool:
    """Say whether the type is that of a provider instance."""
    return type_.startswith(PROVIDER_PREFIX)


def package_of(type_: str) -> str:
    """Answer the package that serves a type, or that a provider type configures."""
    return type_.removeprefix(PROVIDER_PREFIX) if is_provider(type_) else type_.partition(":")[0]


def reference_urn(reference: str) -> str:
    """Answer the URN in a provider reference `<urn>::<id>`."""
    return reference.rpartition("::")[0]
