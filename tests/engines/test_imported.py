"""A document from elsewhere as the embedded engine's state: whole, or refused with nothing changed."""

import copy
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from engines.embedded.errors import StateError
from engines.embedded.lock import locked
from engines.engine import EngineError
from tests.engines.laboratory import NOON, Laboratory, operations

PROGRAM = """
    here = on(lane())
    a = Toy("a", here, password=pulumi.Config().require_secret("token"))
    Toy("b", here, labels={"of": a.url})
"""
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def filled(embedded: Laboratory) -> Laboratory:
    """A stack with two toys."""
    embedded.configure(secrets={"playground:token": "hidden-token"})
    embedded.applied(PROGRAM)
    return embedded


def test_what_was_exported_is_imported_and_nothing_is_to_do(filled: Laboratory) -> None:
    """A lost state, from a copy."""
    document = filled.embedded.export()
    (filled.state / "dev.json").unlink()
    filled.embedded.import_state(document)
    assert filled.embedded.export()["deployment"]["resources"] == document["deployment"]["resources"]
    assert set(operations(filled.up()).values()) == {"same"}
    assert filled.calls() == []


def test_secrets_in_plain_text_are_encrypted(filled: Laboratory) -> None:
    document = filled.embedded.export()
    entry = document["deployment"]["resources"][-2]
    secret = entry["inputs"]["password"]
    entry["inputs"]["password"] = {**{key: secret[key] for key in secret if key != "ciphertext"}, "plaintext": '"x-y"'}
    filled.embedded.import_state(document)
    assert "x-y" not in (filled.state / "dev.json").read_text()
    assert operations(filled.preview())["a"] == "same"


def test_a_state_edit_takes_a_note_away(filled: Laboratory) -> None:
    document = filled.embedded.export()
    note = {"type": "creating", "resource": document["deployment"]["resources"][-1]}
    filled.embedded.import_state({**document, "deployment": {**document["deployment"], "pending_operations": [note]}})
    assert filled.deployment()["pending_operations"] == [note]
    filled.embedded.import_state(document)
    assert "pending_operations" not in filled.deployment()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda document: document.update(version=4), "the document has version 4"),
        (lambda document: document.pop("deployment"), "has no deployment"),
        (lambda document: document["deployment"]["resources"][1].pop("urn"), "KeyError.'urn'. in one of its entries"),
        (lambda document: document["deployment"].update(resources=["x"]), "AttributeError.* in one of its entries"),
        (
            lambda document: document["deployment"]["resources"][1].update(urn="urn:pulumi:prod::playground::t::n"),
            "urn:pulumi:prod::playground::t::n, which is not of stack 'dev' of project 'playground'",
        ),
        (
            lambda document: document["deployment"].update(
                pending_operations=[
                    {
                        "type": "creating",
                        "resource": {"urn": "urn:pulumi:dev::other::t::n", "type": "t", "custom": True},
                    }
                ]
            ),
            "which is not of stack 'dev'",
        ),
        (
            lambda document: document["deployment"]["resources"][-2]["inputs"]["password"].update(
                ciphertext="v1:AA==:A"
            ),
            "cannot be decrypted",
        ),
        (lambda document: document["deployment"]["resources"][-1].update(external=True), "'external', which the state"),
    ],
)
def test_another_document_is_refused_and_nothing_is_changed(filled: Laboratory, edit: Edit, sentence: str) -> None:
    before = (filled.state / "dev.json").read_bytes()
    document = copy.deepcopy(filled.embedded.export())
    edit(document)
    with pytest.raises(EngineError, match=sentence):
        filled.embedded.import_state(document)
    assert (filled.state / "dev.json").read_bytes() == before


def test_a_run_in_progress_is_not_overtaken(filled: Laboratory) -> None:
    document = filled.embedded.export()
    with locked(filled.state / "dev.lock", lambda: NOON, print), pytest.raises(StateError, match="locked by another"):
        filled.embedded.import_state(document)


def test_the_lock_of_a_dead_run_is_broken_by_name_and_age(filled: Laboratory) -> None:
    """F15, F25: whose it was, and how old."""
    lock = filled.state / "dev.lock"
    host = socket.gethostname()
    lock.write_text(json.dumps({"pid": 1, "host": host, "since": "2026-11-21T12:00:00+00:00"}))
    told = filled.embedded.break_lock()
    assert told.startswith(f"process 1 on {host}, since 2026-11-21T12:00:00+00:00, ")
    assert told.endswith(" ago")
    assert filled.embedded.break_lock() == ""


def test_the_lock_of_a_living_run_and_of_another_host_are_not_broken(filled: Laboratory) -> None:
    lock = filled.state / "dev.lock"
    with locked(lock, lambda: NOON, print), pytest.raises(StateError, match=r"since .*, .* ago\), which is alive"):
        filled.embedded.break_lock()
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "yesterday"}))
    with pytest.raises(StateError, match=r"process 1 on elsewhere, since yesterday.: if that run is dead, empty the"):
        filled.embedded.break_lock()


def test_a_stack_without_a_lock_has_none_to_break(embedded: Laboratory) -> None:
    assert embedded.embedded.break_lock() == ""


def test_the_configuration_is_told_with_its_secrets(filled: Laboratory) -> None:
    assert filled.embedded.configuration()["playground:token"] == "hidden-token"
