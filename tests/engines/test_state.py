"""The state of the embedded engine: Pulumi's document, a journal during a run, one run at a time."""

import json
from pathlib import Path
from typing import Any

import pytest

from engines.embedded.errors import RefusedError, StateError
from tests.engines.conftest import needs_pulumi
from tests.engines.laboratory import Laboratory, operations

CHAIN = """
    here = on(lane(toy_token=pulumi.Config().require_secret("token")))
    a = Toy("a", here, password=pulumi.Config().require_secret("token"))
    b = Toy("b", here, labels={"of": a.url, "numbers": [1, 2.5, None, True]})
    Box("box", pulumi.ResourceOptions(providers=[here.provider]))
    pulumi.export("urls", {"a": a.url, "key": b.key})
"""


@pytest.mark.e2e
@needs_pulumi
def test_the_cli_takes_over_a_state_and_finds_nothing_to_do(tmp_path: Path) -> None:
    """Facts 2.7: for dynamic types the next preview shows no change, at once."""
    lab = Laboratory(tmp_path, "embedded")
    lab.configure(secrets={"playground:token": "hidden-token"})
    lab.applied(CHAIN)
    lab.cli.adopt(lab.embedded.export(), tmp_path / "export.json")
    result = lab.cli.preview()
    assert result.ok
    assert {change.operation for change in result.changes} == {"same"}
    assert lab.cli.outputs(show_secrets=True) == lab.embedded.outputs(show_secrets=True)
    assert lab.cli.destroy().ok
    assert lab.objects() == {}


@pytest.mark.e2e
@needs_pulumi
def test_a_state_of_the_cli_is_taken_over_and_nothing_is_to_do(tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, "pulumi")
    lab.configure(secrets={"playground:token": "hidden-token"})
    lab.applied(CHAIN)
    (lab.state / "dev.json").write_text(json.dumps(lab.cli.export()), encoding="utf-8")
    result = lab.embedded.up()
    assert result.ok
    assert {change.operation for change in result.changes} == {"same"}
    assert lab.embedded.outputs(show_secrets=True) == lab.cli.outputs(show_secrets=True)
    written, read = entries_by_urn(lab.embedded.export()), entries_by_urn(lab.cli.export())
    assert written == read


def entries_by_urn(document: dict[str, Any]) -> dict[str, Any]:
    """Entries without positions in the program and without ciphertexts, which differ at every encryption."""

    def bare(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items() if key != "ciphertext"}
        return [bare(item) for item in value] if isinstance(value, list) else value

    left_out = {"sourcePosition", "stackTrace"}
    return {
        entry["urn"]: bare({key: value for key, value in entry.items() if key not in left_out})
        for entry in document["deployment"]["resources"]
    }


def test_an_unchanged_run_leaves_every_entry_as_it_was(embedded: Laboratory) -> None:
    """Ciphertexts included: a state under version control shows what changed."""
    embedded.configure(secrets={"playground:token": "hidden-token"})
    embedded.applied(CHAIN)
    before = {name: entry for name, entry in embedded.resources().items() if entry["custom"]}
    assert embedded.up().ok
    assert {name: entry for name, entry in embedded.resources().items() if entry["custom"]} == before


def test_the_files_of_a_state_are_for_their_owner_only(embedded: Laboratory) -> None:
    embedded.applied('Toy("a", on(lane()))')
    assert sorted(path.name for path in embedded.state.iterdir()) == ["dev.json", "dev.json.bak", "dev.lock"]
    assert [path.name for path in embedded.state.glob("*.json*") if path.stat().st_mode & 0o077] == []


def test_a_state_with_what_this_engine_would_disregard_is_refused(embedded: Laboratory) -> None:
    embedded.applied('Toy("a", on(lane()))')
    file = embedded.state / "dev.json"
    document = json.loads(file.read_text())
    document["deployment"]["resources"][-1]["external"] = True
    file.write_text(json.dumps(document))
    with pytest.raises(RefusedError, match=r"'external', which the state has for urn:.*::a"):
        embedded.preview()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is not JSON: put back dev.json.bak, its version before the last change"),
        (b"", "is empty: put back dev.json.bak"),
        (b" \n", "is empty"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[]", "is no JSON object"),
        (b'{"version": 4}', "has version 4"),
        (b'{"version": 3}', "has no deployment"),
        (b'{"version": 3, "deployment": {"resources": [{}]}}', "is damaged: KeyError.'urn'. in one of its entries"),
        (b'{"version": 3, "deployment": {"pending_operations": [1]}}', "is damaged: TypeError"),
    ],
)
def test_a_damaged_state_is_one_sentence_and_no_new_stack(embedded: Laboratory, content: bytes, sentence: str) -> None:
    embedded.applied('Toy("a", on(lane()))')
    (embedded.state / "dev.json").write_bytes(content)
    for run in (embedded.up, embedded.preview, embedded.embedded.export, embedded.embedded.refresh):
        with pytest.raises(StateError, match=sentence):
            run()
    assert embedded.calls() == []
    assert (embedded.state / "dev.json").read_bytes() == content


def test_a_state_that_is_gone_is_no_new_stack(embedded: Laboratory) -> None:
    """Its version before the last change says that there was one."""
    embedded.applied('Toy("a", on(lane()))')
    (embedded.state / "dev.json").unlink()
    with pytest.raises(StateError, match=r"dev\.json is gone: put back dev\.json\.bak, .* run `tenantry resume`"):
        embedded.up()
    assert embedded.calls() == []
    (embedded.state / "dev.json.bak").rename(embedded.state / "dev.json")
    assert operations(embedded.up()) == {"a": "create"}


def test_the_version_before_the_last_change_is_kept(embedded: Laboratory) -> None:
    """A run that changes nothing leaves both as they are."""
    embedded.applied('Toy("a", on(lane()))')
    first = (embedded.state / "dev.json").read_bytes()
    embedded.applied('Toy("a", on(lane()), size=2)')
    second = (embedded.state / "dev.json").read_bytes()
    assert (embedded.state / "dev.json.bak").read_bytes() == first
    assert embedded.up().ok
    assert (embedded.state / "dev.json").read_bytes() == second
    assert (embedded.state / "dev.json.bak").read_bytes() == first
