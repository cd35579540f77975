"""A deployment document from elsewhere as the state of this stack: another engine's export, or one that was edited."""

from collections.abc import Iterable, Mapping
from typing import Any

from engines.embedded.document import read_document
from engines.embedded.errors import StateError
from engines.embedded.properties import SECRET_SIGNATURE, SIGNATURE
from engines.embedded.resource import decode, encode
from engines.embedded.stack import Stack
from engines.embedded.state import Kept, State

NAME = "the document"


def import_document(document: Mapping[str, Any], stack: Stack) -> State:
    """Read a document that belongs to this project and stack. Raises EngineError for any other."""
    state = read_document(document, NAME, stack.crypter.decrypt)
    kept, notes = list(state.before.values()), state.pending()
    _refuse_foreign(
        [entry["urn"] for entry in [*(each.entry for each in kept), *(n["resource"] for n in notes)]], stack
    )
    sealed = [Kept(each.resource, _sealed(each.entry, stack)) for each in kept]
    return State(sealed, [{**note, "resource": _sealed(note["resource"], stack)} for note in notes])


def _refuse_foreign(urns: Iterable[str], stack: Stack) -> None:
    own = f"urn:pulumi:{stack.project.stack}::{stack.project.name}::"
    for urn in urns:
        if not urn.startswith(own):
            raise StateError(
                f"{NAME} holds {urn}, which is not of stack '{stack.project.stack}' of project "
                f"'{stack.project.name}': import it into its own stack"
            )


def _sealed(entry: Mapping[str, Any], stack: Stack) -> Mapping[str, Any]:
    """An entry keeps its ciphertexts; one with plain secrets gets some."""
    if not _holds_plaintext([entry.get("inputs"), entry.get("outputs")]):
        return entry
    return {**entry, **encode(decode(entry, stack.crypter.decrypt), stack.crypter.encrypt)}


def _holds_plaintext(value: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return "plaintext" in value
        return any(map(_holds_plaintext, value.values()))
    return isinstance(value, list) and any(map(_holds_plaintext, value))
