"""What is entered into a state for an adopted object, and what is not: plain documents, no engine."""

from typing import Any

import pytest

from engines.adoption import UNKNOWN, objection, with_adopted
from engines.engine import EngineError
from engines.resume import refuse_unready
from engines.settling import kept, rebuilt

PREFIX = "urn:pulumi:prod::tenantry::"
STACK = f"{PREFIX}pulumi:pulumi:Stack::tenantry-prod"
PROVIDER = f"{PREFIX}pulumi:providers:hcloud::cloud"
KEY = f"{PREFIX}hcloud:index/sshKey:SshKey::ops"
SERVER = f"{PREFIX}hcloud:index/server:Server::web-1"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:a:b"}
HASHED = {**SECRET, "ciphertext": "v1:c:d"}


def plan(**inputs: object) -> dict[str, Any]:
    """A server's plan as CLI 3.260 writes it."""
    return {
        "goal": {
            "type": "hcloud:index/server:Server",
            "name": "web-1",
            "custom": True,
            "inputDiff": {"adds": {"__defaults": [], "name": "web-1", "userData": SECRET, **inputs}},
            "outputDiff": {},
            "parent": STACK,
            "protect": False,
            "dependencies": [KEY],
            "provider": f"{PROVIDER}::f63d1a4c",
            "propertyDependencies": {"name": [], "userData": []},
            "customTimeouts": {},
        },
        "steps": ["create"],
        "state": {
            "__meta": '{"user_data":"#cloud-config: a-sentinel-secret"}',
            "id": UNKNOWN,
            "ipv4Address": UNKNOWN,
            "name": "web-1",
            "publicNets": [{"ip": UNKNOWN, "enabled": True}, UNKNOWN],
            "userData": HASHED,
        },
    }


def document(*urns: str, **deployment: object) -> dict[str, Any]:
    resources = [{"urn": urn, "type": urn.split("::")[2]} for urn in urns]
    return {"version": 3, "deployment": {"resources": resources, **deployment}}


STATE = (STACK, PROVIDER, KEY)


def test_an_adopted_object_has_the_program_s_inputs_and_what_its_plugin_makes_of_them() -> None:
    """F15: a hash of user data, not user data; nothing of what only the vendor knows; no plain text."""
    note = {"type": "creating", "resource": {"urn": SERVER, "type": "hcloud:index/server:Server"}}
    before = document(*STATE, pending_operations=[note])
    after = with_adopted(before, {SERVER: plan()}, {SERVER: "4711"})["deployment"]
    *others, entry = after["resources"]
    assert others == before["deployment"]["resources"]
    assert "pending_operations" not in after
    assert entry == {
        "urn": SERVER,
        "custom": True,
        "id": "4711",
        "type": "hcloud:index/server:Server",
        "inputs": {"__defaults": [], "name": "web-1", "userData": SECRET},
        "outputs": {"id": "4711", "name": "web-1", "publicNets": [{"enabled": True}], "userData": HASHED},
        "parent": STACK,
        "dependencies": [KEY],
        "provider": f"{PROVIDER}::f63d1a4c",
        "propertyDependencies": {"name": [], "userData": []},
    }
    assert "a-sentinel-secret" not in str(after)


@pytest.mark.parametrize(
    ("state", "planned", "wanted"),
    [
        (STATE, plan(), ""),
        (STATE, None, "the program would not create it"),
        (STATE, {**plan(), "steps": ["same"]}, "the program would not create it"),
        ((STACK, PROVIDER), plan(), "it needs 'ops', which is in no state yet: run `up` for that first"),
        ((STACK, KEY), plan(), "it needs 'cloud', which is in no state yet: run `up` for that first"),
        (
            STATE,
            plan(sshKeys=[UNKNOWN]),
            "what the program asks for is not known before its other resources are made",
        ),
    ],
    ids=["nothing in the way", "not declared", "recorded", "no dependency", "no provider", "unknown inputs"],
)
def test_what_cannot_be_entered_whole_is_not_entered(
    state: tuple[str, ...], planned: dict[str, Any] | None, wanted: str
) -> None:
    assert objection(document(*state), planned) == wanted


def ill(type_: str) -> dict[str, Any]:
    entry = {"urn": f"{PREFIX}{type_}::web-1", "type": type_, "id": "1", "initErrors": ["the host\n\thas no room"]}
    return {"version": 3, "deployment": {"resources": [{"urn": STACK, "type": "pulumi:pulumi:Stack"}, entry]}}


def test_what_never_got_ready_stops_an_up_that_would_take_it_for_ready() -> None:
    """Facts 2.4: hcloud and linode turn green by themselves; docker replaces, and needs nobody's word."""
    with pytest.raises(EngineError) as refused:
        refuse_unready(ill("hcloud:index/server:Server"), lambda type_: type_.startswith("hcloud:"), "prod")
    assert str(refused.value) == (
        "stack 'prod': web-1 was made but never reported ready (the host has no room), and this run would take it for "
        "ready: keep it with `tenantry resume --stack prod`, or have it built anew with "
        "`tenantry resume --stack prod --policy remove`"
    )
    refuse_unready(ill("docker:index/container:Container"), lambda type_: type_.startswith("hcloud:"), "prod")
    refuse_unready(document(*STATE), lambda _type: True, "prod")


def test_one_that_is_kept_counts_as_made_and_one_that_is_rebuilt_is_marked_for_replacement() -> None:
    before = ill("hcloud:index/server:Server")
    urn = before["deployment"]["resources"][1]["urn"]
    assert kept(before, {urn})["deployment"]["resources"][1] == {
        "urn": urn,
        "type": "hcloud:index/server:Server",
        "id": "1",
    }
    assert rebuilt(before, {urn})["deployment"]["resources"][1]["taint"] is True
    assert "initErrors" not in rebuilt(before, {urn})["deployment"]["resources"][1]
    assert kept(before, {"another"}) == before
