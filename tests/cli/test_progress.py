"""What a run writes while it goes on and when it ends: lines for people, one JSON document a line for programs."""

import json
from datetime import UTC, datetime

import pytest

from cli import exit_codes
from cli.progress import shown
from cli.runs import finish, report
from engines.engine import Change, Event, Failure, Result

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
URN = "urn:pulumi:prod::tenantry::pulumi-python:dynamic/timeweb:Bucket::acme-bucket-1"
EVENTS = (
    Event(NOON, "started", URN, "acme-bucket-1", "create"),
    Event(NOON, "finished", URN, "acme-bucket-1", "create"),
    Event(NOON, "finished", URN, "beta-bucket-1", "same"),
    Event(NOON, "failed", URN, "gamma-bucket-1", "update", "name [secret] is taken,\nchoose another: “ä”"),
    Event(NOON, "message", message="a whole run's word"),
)
RESULT = Result(
    changes=(Change(URN, "bucket", "acme-bucket-1", "create"), Change(URN, "bucket", "beta-bucket-1", "same")),
    failures=(Failure(URN, "gamma-bucket-1", "name [secret] is taken"),),
    kept=(URN,),
    seconds=1.234,
)


def test_events_as_json_are_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Design 3.2: `--json`; a message with a line break or another script does not break a line."""
    with shown("up", ["prod", "prod-2"], json_lines=True) as watch:
        for event in EVENTS:
            watch("prod-2", event)
    written = capsys.readouterr()
    lines = [json.loads(line) for line in written.out.splitlines()]
    assert written.err == ""
    assert [line["event"] for line in lines] == [event.kind for event in EVENTS]
    assert [line["message"] for line in lines] == [event.message for event in EVENTS]
    assert {line["time"] for line in lines} == {"2026-11-21T12:00:00+00:00"}
    assert {frozenset(line) for line in lines} == {
        frozenset({"time", "stack", "event", "urn", "name", "operation", "message"}),
    }
    assert {line["stack"] for line in lines} == {"prod-2"}


def test_events_away_from_a_terminal_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What is unchanged is not told; text that is not ours is no markup."""
    with shown("up", ["prod"], json_lines=False) as watch:
        for event in EVENTS:
            watch("prod", event)
    written = capsys.readouterr()
    assert written.out.splitlines() == [
        "created  acme-bucket-1",
        "failed   gamma-bucket-1 name [secret] is taken,",
        "choose another: “ä”",
    ]
    assert written.err == "a whole run's word\n"


def test_lines_of_several_stacks_say_whose_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """F26: one view of all cells."""
    with shown("up", ["prod", "prod-2"], json_lines=False) as watch:
        for event in EVENTS:
            watch("prod-2", event)
    written = capsys.readouterr()
    assert written.out.splitlines()[0] == "prod-2: created  acme-bucket-1"
    assert written.err == "prod-2: a whole run's word\n"


def test_a_result_as_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report("prod", RESULT, json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "stack": "prod",
        "counts": {"create": 1, "same": 1},
        "changed": True,
        "left_out": False,
        "failures": [{"urn": URN, "name": "gamma-bucket-1", "message": "name [secret] is taken"}],
        "kept": [URN],
        "seconds": 1.23,
    }


def test_a_result_names_what_failed_and_what_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    report("prod", RESULT, json=False)
    written = capsys.readouterr()
    assert written.err == "gamma-bucket-1: name [secret] is taken\n"
    assert written.out.splitlines() == [
        "kept     acme-bucket-1 (protected)",
        "prod: 1 create, 1 same (1.2 s)",
        "prod: 1 resources are kept, because they hold data or are needed to reach it",
    ]


def test_one_failure_among_many_stacks_is_a_failed_command() -> None:
    """Design 3.2: exit 3."""
    finish({"prod": Result(), "prod-2": Result()})
    with pytest.raises(Exception, match=str(exit_codes.ENGINE_ERROR)) as ended:
        finish({"prod": Result(), "prod-2": RESULT})
    assert getattr(ended.value, "exit_code", None) == exit_codes.ENGINE_ERROR


def test_a_reason_that_many_resources_fail_for_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A token that is refused fails every object, and is one thing to mend."""
    names = [f"t{number}-bucket-1" for number in range(7)]
    with shown("up", ["prod"], json_lines=False) as watch:
        for name in names[:2]:
            watch("prod", Event(NOON, "failed", URN, name, "create", "the token is not accepted"))
    report(
        "prod", Result(failures=tuple(Failure(URN, name, "the token is not accepted") for name in names)), json=False
    )
    written = capsys.readouterr()
    assert written.out.splitlines()[:2] == [
        "failed   t0-bucket-1 the token is not accepted",
        "failed   t1-bucket-1 for the same reason",
    ]
    assert written.err == f"{', '.join(names[:5])} and 2 more: the token is not accepted\n"
