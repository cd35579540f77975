"""The certificate as a value: what proves isolation, what proves nothing, and what is written down."""

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lifecycle.certificate import Certificate, Ledger, Probe, digest, sentences

CONTROL = Probe("acme", "acme", "SQL: read a table", "allowed")
ATTEMPT = Probe("beta", "acme", "SQL: read a table", "refused")
REFUSED_CONTROL = replace(CONTROL, outcome="refused")
ALLOWED_ATTEMPT = replace(ATTEMPT, outcome="allowed", found=("table c_acme.orders",))
TIMED_OUT = replace(ATTEMPT, outcome="fault: ConnectionTimeout")
OF_ITS_OWN = replace(ATTEMPT, against="database postgres", control="beta")
NOON = datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC)


def certificate(controls: list[Probe], tried: list[Probe]) -> Certificate:
    return Certificate(tuple(controls), tuple(tried), "prod", NOON, ("acme", "beta"), 1.25)


@pytest.mark.parametrize(
    ("controls", "tried", "summary"),
    [
        ([CONTROL], [ATTEMPT], "1 attempts, 1 controls, 0 successes"),
        ([CONTROL], [ATTEMPT, ALLOWED_ATTEMPT], "2 attempts, 1 controls, 1 successes"),
        (
            [REFUSED_CONTROL],
            [ATTEMPT],
            "0 attempts, 1 controls, 0 successes, 1 controls that failed, 1 without a control",
        ),
        ([CONTROL], [TIMED_OUT], "1 attempts, 1 controls, 0 successes, 1 attempts that came to nothing"),
        (
            [replace(CONTROL, outcome="fault: 08006")],
            [TIMED_OUT],
            "0 attempts, 1 controls, 0 successes, 1 controls that failed, 1 without a control",
        ),
        (
            [CONTROL],
            [replace(ATTEMPT, what="SQL: drop a table")],
            "0 attempts, 1 controls, 0 successes, 1 without a control",
        ),
        ([CONTROL], [OF_ITS_OWN], "0 attempts, 1 controls, 0 successes, 1 without a control"),
        ([CONTROL, replace(CONTROL, by="beta", against="beta")], [OF_ITS_OWN], "1 attempts, 2 controls, 0 successes"),
        ([], [ALLOWED_ATTEMPT], "1 attempts, 0 controls, 1 successes"),
        ([], [], "0 attempts, 0 controls, 0 successes"),
    ],
    ids=[
        "isolated",
        "an attempt is allowed",
        "a control is refused",
        "an attempt times out",
        "a control times out",
        "a control of something else",
        "a control of somebody else",
        "a control of the intruder's own",
        "whoever gets through needs no control",
        "nothing",
    ],
)
def test_it_holds_only_where_every_control_is_allowed_and_every_attempt_refused(
    controls: list[Probe], tried: list[Probe], summary: str
) -> None:
    """G5, B28: without its control a refusal proves nothing, and neither does a fault."""
    found = certificate(controls, tried)
    assert found.summary == summary
    assert found.holds is (summary.endswith("0 successes") and bool(controls))


def test_as_json_it_has_its_keys_and_a_digest_of_the_rest() -> None:
    """Design 3.2: JSON keys `attempts`, `controls`, `successes`; F31."""
    told = json.loads(json.dumps(certificate([CONTROL], [ATTEMPT, ALLOWED_ATTEMPT]).as_json()))
    attempt = {"by": "beta", "against": "acme", "what": "SQL: read a table", "outcome": "allowed"}
    assert told["successes"] == [attempt | {"found": ["table c_acme.orders"]}]
    assert told["attempts"] == [attempt | {"outcome": "refused", "found": []}, *told["successes"]]
    assert told["controls"] == [attempt | {"by": "acme", "found": []}]
    assert (told["holds"], told["faults"], told["uncontrolled"]) == (False, [], [])
    assert (told["stack"], told["when"], told["tenants"]) == ("prod", "2026-11-24T12:00:01+00:00", ["acme", "beta"])
    assert told["counts"] == {"SQL: read a table": {"attempts": 2, "controls": 1, "successes": 1}}
    assert told["digest"] == digest(told)
    assert told["digest"] != digest(told | {"successes": []})


def test_it_is_written_for_its_owner_alone_under_stack_and_time(tmp_path: Path) -> None:
    path = certificate([CONTROL], [ATTEMPT]).write(tmp_path / "certificates")
    assert path.name == "isolation-prod-20261124T120001Z.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == certificate([CONTROL], [ATTEMPT]).as_json()


def test_what_several_did_alike_is_one_sentence() -> None:
    many = [replace(ALLOWED_ATTEMPT, by=f"t-{number}") for number in range(5)]
    assert sentences([*many, TIMED_OUT]) == [
        "t-0, t-1, t-2 and 2 more against acme: SQL: read a table: allowed (table c_acme.orders)",
        "beta against acme: SQL: read a table: fault: ConnectionTimeout",
    ]


def test_a_ledger_keeps_controls_apart_from_what_was_tried() -> None:
    ledger = Ledger()
    ledger.control("acme", "SQL: read a table", "allowed")
    ledger.attempt("beta", "acme", "SQL: read a table", "refused")
    assert (ledger.controls, ledger.tried) == ([CONTROL], [ATTEMPT])
