"""What is decided about each thing that a dead run has left: tables, no engine."""

from dataclasses import dataclass
from typing import Any

import pytest

from engines.engine import Change, Result
from engines.resume import Cell, Finding, Policy, cleared, declared_by, notes, survey

BUCKET = "pulumi-python:dynamic/timeweb:Bucket"
DROPLET = "digitalocean:index/droplet:Droplet"
LOGIN = "pulumi-python:dynamic/postgres:TenantSchema"
LISTED = frozenset({BUCKET, DROPLET, LOGIN})


@dataclass(frozen=True)
class Thing:
    """An object in the cloud."""

    type: str
    name: str
    id: str
    proven: bool = True


def urn(type_: str, name: str, stack: str = "prod") -> str:
    return f"urn:pulumi:{stack}::tenantry::tenantry:storage:Timeweb${type_}::{name}"


def entry(type_: str, name: str, id_: str = "", stack: str = "prod", **more: object) -> dict[str, Any]:
    return {"urn": urn(type_, name, stack), "type": type_, "custom": True, **({"id": id_} if id_ else {}), **more}


def note(operation: str, type_: str, name: str, id_: str = "") -> dict[str, Any]:
    return {"type": operation, "resource": entry(type_, name, id_)}


def cell(
    *resources: dict[str, Any],
    pending: tuple[dict[str, Any], ...] = (),
    declared: tuple[tuple[str, str], ...] = (),
    stack: str = "prod",
) -> Cell:
    deployment = {"resources": list(resources), "pending_operations": list(pending)}
    return Cell(stack, {"version": 3, "deployment": deployment}, frozenset(urn(*pair, stack) for pair in declared))


def settled(*cells: Cell, found: tuple[Thing, ...] = (), policy: Policy = "adopt") -> list[tuple[str, str, str]]:
    findings = survey(cells, found, LISTED, finds_ours=lambda type_: type_.startswith("pulumi-python:"), policy=policy)
    return [(finding.verdict, finding.name, finding.id) for finding in findings]


A = Thing(BUCKET, "a", "1")
WANTED = ((BUCKET, "a"),)
CREATING = (note("creating", BUCKET, "a"),)


def test_a_fleet_in_order_has_nothing_to_settle() -> None:
    """Also in cells: the mark names the base stack, so an object may be in any cell's state."""
    one = cell(entry(BUCKET, "a", "1"), declared=WANTED)
    two = cell(entry(BUCKET, "b", "2", "prod-2"), declared=((BUCKET, "b"),), stack="prod-2")
    assert settled(one, two, found=(A, Thing(BUCKET, "b", "2"))) == []


@pytest.mark.parametrize(
    ("stack", "found", "wanted"),
    [
        (cell(pending=CREATING, declared=WANTED), (A,), [("adopt", "a", "1")]),
        (cell(pending=CREATING, declared=WANTED), (), [("clear", "a", "")]),
        (cell(entry(BUCKET, "a", "1"), pending=CREATING, declared=WANTED), (A,), [("clear", "a", "")]),
        (cell(pending=CREATING), (A,), [("clear", "a", ""), ("orphan", "a", "1")]),
        (cell(pending=(note("creating", "aws:iam/user:User", "a"),)), (), [("unknown", "a", "")]),
        (cell(pending=(note("creating", "pulumi-python:dynamic/x:Y", "a"),)), (), [("clear", "a", "")]),
        (
            cell(entry(BUCKET, "a", "1"), pending=(note("updating", BUCKET, "a", "1"),), declared=WANTED),
            (A,),
            [("clear", "a", "1")],
        ),
        (
            cell(entry(BUCKET, "a", "1"), pending=(note("deleting", BUCKET, "a", "1"),)),
            (),
            [("clear", "a", "1"), ("missing", "a", "1")],
        ),
    ],
    ids=[
        "made and wanted",
        "not made",
        "outlived a good run",
        "made and no longer wanted",
        "of a kind that cannot be looked for",
        "of a kind whose create looks for ours",
        "an update",
        "a delete that was done",
    ],
)
def test_each_pending_operation_is_settled(
    stack: Cell, found: tuple[Thing, ...], wanted: list[tuple[str, str, str]]
) -> None:
    """F15, G43, H4."""
    assert settled(stack, found=found) == wanted


def test_what_a_lost_state_forgot_is_adopted_and_what_nobody_wants_is_an_orphan() -> None:
    stray = Thing(BUCKET, "z", "9")
    assert settled(cell(declared=WANTED), found=(A, stray)) == [("adopt", "a", "1"), ("orphan", "z", "9")]


def test_a_second_object_of_a_recorded_resource_is_an_orphan() -> None:
    """Facts 6: a create that the plugin repeated in silence."""
    twin = Thing(DROPLET, "web", "2")
    stack = cell(entry(DROPLET, "web", "1"), declared=((DROPLET, "web"),))
    assert settled(stack, found=(Thing(DROPLET, "web", "1"), twin)) == [("orphan", "web", "2")]


def test_of_two_objects_with_one_mark_in_no_state_a_human_says_which() -> None:
    assert settled(cell(declared=WANTED), found=(A, Thing(BUCKET, "a", "2"))) == [
        ("twice", "a", "1"),
        ("twice", "a", "2"),
    ]


def test_what_only_has_a_name_like_ours_is_nobody_s_orphan() -> None:
    assert settled(cell(declared=WANTED), found=(Thing(BUCKET, "prod-eu-shop", "5", proven=False),)) == []


def test_policy_remove_adopts_nothing() -> None:
    stack = cell(pending=CREATING, declared=WANTED)
    assert settled(stack, found=(A,), policy="remove") == [("clear", "a", ""), ("orphan", "a", "1")]


def test_what_is_recorded_and_not_in_the_cloud_is_said() -> None:
    stack = cell(entry(BUCKET, "a", "1"), entry(BUCKET, "b", "2", pendingReplacement=True), declared=WANTED)
    assert settled(stack) == [("missing", "a", "1")]


def test_what_was_made_but_never_ready_is_said() -> None:
    stack = cell(entry(DROPLET, "web", "1", initErrors=["action failed"]), declared=((DROPLET, "web"),))
    assert settled(stack, found=(Thing(DROPLET, "web", "1"),)) == [("unready", "web", "1")]


def test_an_id_in_a_state_is_no_orphan_whatever_its_mark_says() -> None:
    stack = cell(entry(BUCKET, "a", "1"), declared=WANTED)
    assert settled(stack, found=(Thing(BUCKET, "edited", "1"),)) == []


def test_a_login_that_two_generations_share_is_told_apart_by_name() -> None:
    stack = cell(entry(LOGIN, "acme-schema-2", "c_acme"), declared=((LOGIN, "acme-schema-2"),))
    both = (Thing(LOGIN, "acme-schema-1", "c_acme"), Thing(LOGIN, "acme-schema-2", "c_acme"))
    assert settled(stack, found=both) == [("orphan", "acme-schema-1", "c_acme")]


def test_a_finding_says_where_it_is_from() -> None:
    (finding,) = survey([cell(pending=CREATING, declared=WANTED)], [A], LISTED, finds_ours=lambda _: True)
    assert finding == Finding("adopt", BUCKET, "a", "1", "prod", urn(BUCKET, "a"), "creating")


def test_clearing_takes_the_notes_of_some_and_leaves_the_rest() -> None:
    other = note("creating", DROPLET, "web")
    document = cell(entry(BUCKET, "b", "2"), pending=(*CREATING, other)).document
    left = cleared(document, {urn(BUCKET, "a")})
    assert notes(left) == [other]
    assert left["deployment"]["resources"] == document["deployment"]["resources"]
    assert "pending_operations" not in cleared(left, {urn(DROPLET, "web")})["deployment"]


def test_what_a_preview_would_delete_is_not_declared() -> None:
    kept = Change(urn(BUCKET, "a"), BUCKET, "a", "same")
    gone = Change(urn(BUCKET, "b"), BUCKET, "b", "delete")
    assert declared_by(Result((kept, gone))) == {kept.urn}
