"""Pulumi's deployment document, version 3, as a state: what is wrong with one is one sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from engines.embedded.errors import StateError
from engines.embedded.resource import decode
from engines.embedded.state import Kept, State

VERSION = 3


def read_document(document: Any, name: str, decrypt: Callable[[str], str]) -> State:  # noqa: ANN401 - JSON
    """Read a document; `name` is what errors call it. Raises StateError for one that is not whole."""
    if not isinstance(document, Mapping):
        raise StateError(f"{name} is not a deployment of Pulumi's: it is no JSON object")
    if document.get("version") != VERSION:
        raise StateError(f"{name} has version {document.get('version')}: this engine reads version {VERSION}")
    deployment = document.get("deployment")
    if not isinstance(deployment, Mapping):
        raise StateError(f"{name} has no deployment: it is not what `pulumi stack export` writes")
    try:
        resources = [Kept(decode(entry, decrypt), entry) for entry in deployment.get("resources") or []]
        pending = [{"type": note["type"], "resource": note["resource"]} for note in _notes(deployment)]
        for note in pending:
            decode(note["resource"], decrypt)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StateError(f"{name} is damaged: {error!r} in one of its entries") from error
    return State(resources, pending)


def _notes(deployment: Mapping[str, Any]) -> list[Any]:
    return list(deployment.get("pending_operations") or [])
