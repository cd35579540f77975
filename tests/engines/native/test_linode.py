"""The fault table's rows of Linode's plugin (facts 7 and 10): each is cured by `resume`, and then an `up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.listers import LINODE
from dynamic_providers.marks import LINODE_TAG_LIMIT, Mark, tag
from engines.engine import EngineError
from tests.engines.native import toy_linode
from tests.engines.native.field import Field, Vendor, field_of

pytestmark = pytest.mark.native

VENDOR = Vendor(LINODE, "linode", toy_linode.routes, toy_linode.refuse)
INSTANCES = "^/v4/linode/instances$"
# So long that only its hash fits into a tag.
LONG = "a-tenant-with-a-name-of-forty-characters-server-web-1-1"
PROGRAM = """
import pulumi_linode as linode

cloud = on(linode.Provider("cloud", event_poll_ms=200))
linode.Instance(
    "{name}",
    label="web-1",
    region="us-east",
    type="g6-nanode-1",
    image="linode/ubuntu22.04",
    root_pass=pulumi.Output.secret("a-sentinel-secret-1X!"),
    tags=["{tag}"],
    opts=cloud,
)
"""


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    program = PROGRAM.format(name="web-1", tag="tenantry:dev:web-1")
    with field_of(VENDOR, program, tmp_path, monkeypatch) as made:
        yield made


def test_an_instance_whose_answer_was_lost_is_adopted(field: Field) -> None:
    """F36, G43: before, every further `up` fails because the label is taken."""
    field.cloud.strike("response-lost", "POST", INSTANCES)
    assert [failure.name for failure in field.up().failures] == ["web-1"]
    assert "Label must be unique" in field.up().failures[0].message
    instance = field.cloud.all("instances")[0]
    assert field.resume() == ([("adopt", "web-1")], [f"web-1 is adopted as {instance['id']}"])
    field.in_order()
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v4/linode/instances", "POST /v4/linode/instances"]
    assert "a-sentinel-secret" not in str(field.engine.export())


def test_an_instance_is_found_by_the_hash_of_a_long_name(field: Field) -> None:
    """Design rule 1: over the vendor's limit the mark's last part is a hash."""
    mark = tag(Mark("dev", LONG), LINODE_TAG_LIMIT)
    assert len(mark) <= LINODE_TAG_LIMIT
    field.lab.program(PROGRAM.format(name=LONG, tag=mark))
    field.cloud.strike("response-lost", "POST", INSTANCES)
    field.up()
    assert field.resume()[0] == [("adopt", LONG)]
    field.in_order()


def test_an_instance_whose_create_was_killed_is_adopted(field: Field) -> None:
    """F15, H4: facts 10 had not tried it; the note stays, and the label is taken for ever."""
    field.cloud.held = True
    field.cut_off(lambda: any(call.startswith("GET /v4/linode/instances/") for call in field.cloud.calls()))
    field.engine.break_lock()
    with pytest.raises(EngineError, match="was cut off while it was creating web-1"):
        field.up()
    field.cloud.held = False
    assert field.resume()[0] == [("adopt", "web-1")]
    field.in_order()
    assert field.cloud.changes() == ["POST /v4/linode/instances"]


def test_an_instance_whose_boot_was_not_seen_is_told_as_failed_until_it_is_judged(field: Field) -> None:
    """Facts 2.4: the plugin keeps it in the state with an error, and its next run is green."""
    field.cloud.strike("error-after-work", "GET", r"^/v4/linode/instances/\d+$")
    assert [failure.name for failure in field.up().failures][:1] == ["web-1"]
    with pytest.raises(EngineError, match="web-1 was made but never reported ready"):
        field.up()
    assert field.resume() == ([("unready", "web-1")], ["web-1 is kept as it is: see that it works"])
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v4/linode/instances"]
    field.in_order()
