"""A deployment document from elsewhere as the state of this stack: another engine's export, or one that was edited."""

from collections.abc import Iterable, Mapping
from typing import Any

from engines.embedded.errors import StateError
from engines.embedded.properties import SECRET_SIGNATURE, SIGNATURE
from engines.embedded.resource import decode, encode
from engines.embedded.stack import Stack
from engines.embedded.state import Kept, State

VERSION = 3


def read_document(document: Mapping[str, Any], stack: Stack) -> State:
    """Read a document of version 3 that belongs to this project and stack. Raises EngineError for any other."""
    if document.get("version") != VERSION:
        raise StateError(f"the document has version {document.get('version')}: this engine reads version {VERSION}")
    deployment = document.get("deployment")
    if not isinstance(deployment, Mapping):
        raise StateError("the document has no deployment: it is what `pulumi stack export` writes")
    resources = deployment.get("resources") or []
    pending = deployment.get("pending_operations") or []
    try:
        _refuse_foreign([entry["urn"] for entry in [*resources, *(note["resource"] for note in pending)]], stack)
        kept = [_kept(entry, stack) for entry in resources]
        notes = [{**note, "resource": _kept(note["resource"], stack).entry} for note in pending]
    except (KeyError, TypeError, AttributeError) as error:
        raise StateError(f"the document is not a deployment of Pulumi's: {error!r} in one of its entries") from error
    return State(kept, notes)


def _refuse_foreign(urns: Iterable[str], stack: Stack) -> None:
    own = f"urn:pulumi:{stack.project.stack}::{stack.project.name}::"
    for urn in urns:
        if not urn.startswith(own):
            raise StateError(
                f"the document holds {urn}, which is not of stack '{stack.project.stack}' of project "
                f"'{stack.project.name}': import it into its own stack"
            )


def _kept(entry: Mapping[str, Any], stack: Stack) -> Kept:
    resource = decode(entry, stack.crypter.decrypt)
    # An entry keeps its ciphertexts; one with plain secrets gets some.
    plain = _holds_plaintext({key: entry.get(key) for key in ("inputs", "outputs")})
    return Kept(resource, {**entry, **encode(resource, stack.crypter.encrypt)} if plain else entry)


def _holds_plaintext(value: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return "plaintext" in value
        return any(map(_holds_plaintext, value.values()))
    return isinstance(value, list) and any(map(_holds_plaintext, value))
