"""The fault table's rows of Hetzner's plugin (facts 5 and 10): each is cured by `resume`, and then an `up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.listers import HETZNER
from engines.engine import EngineError
from tests.engines.native import toy_hetzner
from tests.engines.native.field import Field, Vendor, field_of

pytestmark = pytest.mark.native

SERVERS = "^/v1/servers$"
PROGRAM = """
import pulumi_hcloud as hcloud

cloud = on(hcloud.Provider("cloud"), delete_before_replace=True)


def mark(name):
    return {"tenantry-stack": "dev", "tenantry-name": name}


public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx0 ops"
key = hcloud.SshKey("ops", name="ops", public_key=public_key, labels=mark("ops"), opts=cloud)
hcloud.Server(
    "web-1",
    name="web-1",
    server_type="cpx11",
    image="ubuntu-22.04",
    location="nbg1",
    ssh_keys=[key.id],
    user_data=pulumi.Output.secret("#cloud-config: a-sentinel-secret"),
    labels=mark("web-1"),
    opts=cloud,
)
"""


VENDOR = Vendor(HETZNER, "hcloud", toy_hetzner.routes, toy_hetzner.refuse, "/v1")


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    with field_of(VENDOR, PROGRAM, tmp_path, monkeypatch) as made:
        yield made


def test_a_server_whose_answer_was_lost_is_adopted(field: Field) -> None:
    """F36, G43: before, every further `up` fails with a uniqueness error for ever."""
    field.cloud.strike("response-lost", "POST", SERVERS)
    assert [failure.name for failure in field.up().failures] == ["web-1"]
    again = field.up()
    assert "uniqueness_error" in again.failures[0].message
    assert field.cloud.changes() == ["POST /v1/ssh_keys", "POST /v1/servers", "POST /v1/servers"]
    server = field.cloud.all("servers")[0]
    field.cloud.log.clear()
    assert field.resume() == ([("adopt", "web-1")], [f"web-1 is adopted as {server['id']}"])
    field.in_order()
    result = field.up()
    assert result.ok
    assert not result.changed
    assert field.cloud.changes() == []
    assert field.id_of("web-1") == str(server["id"])
    assert "a-sentinel-secret" not in str(field.engine.export())


def test_a_server_whose_create_was_killed_is_adopted(field: Field) -> None:
    """F15, F36, H4: the plugin is left alive, the note and the lock stay, and an `up` would fail for ever."""
    field.cloud.held = True
    field.cut_off(lambda: any(call == "GET /v1/actions" for call in field.cloud.calls()))
    with pytest.raises(EngineError, match="locked by process"):
        field.engine.refresh()
    field.engine.break_lock()
    with pytest.raises(EngineError, match=r"was cut off while it was creating web-1.*tenantry resume"):
        field.up()
    field.cloud.held = False
    verdicts, told = field.resume()
    assert (verdicts, told) == ([("adopt", "web-1")], [f"web-1 is adopted as {field.cloud.all('servers')[0]['id']}"])
    field.in_order()
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v1/ssh_keys", "POST /v1/servers"]


def test_a_server_whose_create_action_failed_is_told_as_failed_until_it_is_judged(field: Field) -> None:
    """Facts 2.4: the next run of the plugin alone takes it for ready; ours refuses until `resume` has judged."""
    field.cloud.ends_in_error = True
    failed = field.up()
    assert [failure.name for failure in failed.failures][:1] == ["web-1"]
    assert field.lab.resources()["web-1"]["initErrors"]
    field.cloud.ends_in_error = False
    with pytest.raises(EngineError, match=r"web-1 was made but never reported ready .*--policy remove"):
        field.up()
    first = field.id_of("web-1")
    assert field.resume("remove") == ([("unready", "web-1")], ["web-1 is built anew by the next `up`"])
    field.cloud.log.clear()
    assert field.up().ok
    assert field.cloud.changes() == [f"DELETE /v1/servers/{first}", "POST /v1/servers"]
    assert field.id_of("web-1") != first
    field.in_order()


def test_a_failed_server_that_is_to_stay_is_kept_knowingly(field: Field) -> None:
    field.cloud.ends_in_error = True
    field.up()
    assert field.resume() == ([("unready", "web-1")], ["web-1 is kept as it is: see that it works"])
    field.cloud.log.clear()
    assert field.up().ok
    assert field.cloud.changes() == []
    field.in_order()


def test_what_is_not_what_the_program_asks_for_is_not_adopted(field: Field) -> None:
    """Facts 2.7: an adoption counts only if the next preview is empty; else the state goes back."""
    field.cloud.strike("response-lost", "POST", SERVERS)
    field.up()
    field.cloud.all("servers")[0]["name"] = "somebody-renamed-it"
    before = field.engine.export()["deployment"]["resources"]
    _, told = field.resume()
    assert "not adopted: the program would update it (name)" in told[0]
    assert field.engine.export()["deployment"]["resources"] == before


def test_a_server_in_no_state_that_nobody_wants_is_an_orphan_and_can_be_removed(field: Field) -> None:
    field.cloud.strike("response-lost", "POST", SERVERS)
    field.up()
    field.lab.program(PROGRAM.partition("hcloud.Server(")[0])
    findings, inventory, _ = field.findings()
    assert [(each.verdict, each.name) for each in findings] == [("orphan", "web-1")]
    found = inventory.of(findings[0])
    assert found is not None
    assert found.what == "cpx11 web-1 (initializing)"
    inventory.listers[found.type].remove(found)
    assert field.cloud.all("servers") == []
    assert field.findings()[0] == []
