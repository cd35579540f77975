"""Providers of native packages, on the vendors' official Python clients: a module each, found by the package's name.

A module has `check_config(arguments)` and `Plugin(arguments)`, the latter with the methods of the protocol below.
Properties are plain JSON values under Pulumi's names; in a preview a value may be `properties.UNKNOWN`.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engines.embedded.errors import RefusedError
from engines.embedded.provider import Difference, Found, Made

PACKAGES = frozenset({"aws", "digitalocean"})
Arguments = Mapping[str, Any]
# What is wrong: a property and the reason.
Problem = tuple[str, str]


class Plugin(Protocol):
    """One configured provider instance. The type is Pulumi's token; an unknown one raises RefusedError."""

    def check(self, type_: str, news: Arguments) -> Sequence[Problem]:
        """Say what is wrong with the arguments, one it does not know included. No input or output."""
        ...

    def diff(self, type_: str, olds: Arguments, news: Arguments) -> Difference:
        """Compare recorded outputs with wanted arguments."""
        ...

    def create(self, type_: str, arguments: Arguments) -> Made:
        """Adopt the object that is marked as ours, or make it; refuse one of the same name that is not."""
        ...

    def read(self, type_: str, id_: str, outputs: Arguments) -> Found | None:
        """Answer the object as it is; None where the vendor says in its own words that it is gone."""
        ...

    def update(self, type_: str, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change the object in place and answer its outputs."""
        ...

    def delete(self, type_: str, id_: str, outputs: Arguments) -> None:
        """Delete the object; one that is gone already is done."""
        ...


def _module(package: str) -> Any:  # noqa: ANN401 - a module is typed by what it holds
    if package not in PACKAGES:
        raise RefusedError(f"the package '{package}'")
    # Imported on demand: a client library costs more time than the rest of a small run.
    return importlib.import_module(f"engines.embedded.plugins.{package}")


def check_config(package: str, arguments: Arguments) -> Sequence[Problem]:
    """Say what is wrong with a provider's arguments."""
    problems: Sequence[Problem] = _module(package).check_config(arguments)
    return problems


def open_plugin(package: str, arguments: Arguments) -> Plugin:
    """Configure a provider instance."""
    plugin: Plugin = _module(package).Plugin(arguments)
    return plugin
