"""What is made of the Pulumi CLI's words: its sentences, whom it blames, and what a machine without it is told."""

import os
import shutil
from pathlib import Path

import pytest
from pulumi.automation.events import OpType, StepEventMetadata

from catalogue.load import Fleet
from catalogue.placement import Placements
from catalogue.plan import Plans
from catalogue.price import PriceBook, StoragePrice, TimewebPrices
from cli.options import EngineName
from cli.runs import open_engine
from components.settings import PROJECT
from engines.cli_events import blamed, merged, name_of, refreshed, sentence
from engines.embedded import EmbeddedEngine
from engines.engine import Change, EngineError, Failure, Operation, Result
from engines.pulumi_cli import PulumiCli, make_stack

PREFIX = "urn:pulumi:prod::tenantry::"
BUCKET = f"{PREFIX}tenantry:storage:Timeweb$pulumi-python:dynamic/timeweb:Bucket::acme-bucket-1"
USER = f"{PREFIX}tenantry:storage:Timeweb$pulumi-python:dynamic/timeweb:StorageUser::acme-storage-user-1"

# As CLI 3.260 sends them: a dynamic provider's whole traceback, causes first.
DYNAMIC = """\
Traceback (most recent call last):
  File "/checkout/dynamic_providers/api.py", line 140, in _answer
    response.raise_for_status()
KeyError: 'token-of-the-account'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/checkout/.venv/lib/python3.11/site-packages/pulumi/dynamic/__main__.py", line 84, in wrapper
    return fn(self, request, context)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/checkout/.venv/lib/python3.11/site-packages/pulumi/dynamic/__main__.py", line 170, in Create
    result = provider.create(props)
             ^^^^^^^^^^^^^^^^^^^^^^
dynamic_providers.errors.RefusedError: Timeweb refused to make bucket 'customer-acme': 'no money': top up, then run `up`

"""
DYNAMIC_SENTENCE = "Timeweb refused to make bucket 'customer-acme': 'no money': top up, then run `up`"
HANDLING = DYNAMIC.replace(
    "The above exception was the direct cause of the following exception",
    "During handling of the above exception, another exception occurred",
)
COLOURED = f"<{{%reset%}}>{DYNAMIC.strip()}<{{%reset%}}>\n\x1b[0m"
AWS = """\
1 error occurred:
\t* creating S3 Bucket (customer-acme): operation error S3: CreateBucket, https response error StatusCode: 409, \
BucketAlreadyExists
"""
AWS_SENTENCE = (
    "1 error occurred: * creating S3 Bucket (customer-acme): operation error S3: CreateBucket, "
    "https response error StatusCode: 409, BucketAlreadyExists"
)
PROTECTED = (
    "Resource cannot be deleted because it is protected. To unprotect the resource, either remove the `protect` flag "
    "or use the command: `pulumi state unprotect`\n"
)


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([DYNAMIC], DYNAMIC_SENTENCE),
        ([HANDLING], DYNAMIC_SENTENCE),
        ([COLOURED], DYNAMIC_SENTENCE),
        (["update failed\n", DYNAMIC], DYNAMIC_SENTENCE),
        (["httpx.ConnectError: [Errno 111] Connection refused\n"], "[Errno 111] Connection refused"),
        ([AWS], AWS_SENTENCE),
        ([PROTECTED], PROTECTED.strip()),
        (["\x1b[31mno plugin found\x1b[0m\n"], "no plugin found"),
        (["timeweb:token is not set: set it\n"], "timeweb:token is not set: set it"),
        ([], "failed without a message"),
    ],
)
def test_a_failure_is_told_in_the_provider_s_own_sentence(messages: list[str], wanted: str) -> None:
    """Facts 3: the traceback is the plugin's, and may quote what nobody should read."""
    told = sentence(messages)
    assert told == wanted
    assert not any(word in told for word in ("Traceback", "File ", "site-packages", "token-of-the-account"))


@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        ("Exception: it is over", "it is over"),
        ("psycopg.errors.InsufficientPrivilege: permission denied for schema", "permission denied for schema"),
        ("AssertionError", "AssertionError"),
        ("api.RefusedError: the quota is reached:\nask for more", "the quota is reached: ask for more"),
    ],
)
def test_nothing_of_a_traceback_is_shown_whatever_it_ends_in(last: str, wanted: str) -> None:
    frames, _, _ = DYNAMIC.rpartition("dynamic_providers.errors")
    assert sentence([f"{frames}{last}\n\n"]) == wanted


def test_a_refusal_of_the_program_is_its_own_sentence_alone() -> None:
    """As CLI 3.260 tells a `SettingsError`: two diagnostics of the stack."""
    closing = "an unhandled error occurred: program exited with non-zero exit code: 1\n"
    assert sentence(["timeweb:token is not set: set it\n", closing]) == "timeweb:token is not set: set it"


@pytest.mark.parametrize("urn", [BUCKET, "acme-bucket-1", "a::acme-bucket-1"])
def test_the_name_is_what_a_urn_ends_in(urn: str) -> None:
    assert name_of(urn) == "acme-bucket-1"


UNCHECKED = "resource acme-storage-user-1 has a problem: Missing required property 'bucket'"


def deployment(*dependencies: str) -> dict[str, object]:
    return {"resources": [{"urn": BUCKET}, {"urn": USER, "dependencies": list(dependencies)}]}


def test_what_lacks_a_failed_one_s_output_was_only_not_attempted() -> None:
    bucket = Failure(BUCKET, "acme-bucket-1", "sold out")
    user = Failure(USER, "acme-storage-user-1", UNCHECKED)
    told = blamed((bucket, user), deployment(BUCKET))
    assert told[0] == bucket
    assert told[1].message == "not attempted: it needs 'acme-bucket-1', which failed"


@pytest.mark.parametrize(
    ("failures", "document"),
    [
        ((Failure(USER, "acme-storage-user-1", UNCHECKED),), deployment(BUCKET)),
        ((Failure(BUCKET, "b", "sold out"), Failure(USER, "u", "refused: no money")), deployment(BUCKET)),
        ((Failure(BUCKET, "b", "sold out"), Failure(USER, "u", UNCHECKED)), deployment()),
        ((Failure(BUCKET, "b", "sold out"), Failure(USER, "u", UNCHECKED)), {}),
        ((Failure("", "", "the backend does not answer"),), {"resources": None}),
    ],
    ids=["what it needs is well", "it has its own reason", "it needs nothing", "no state", "no resource"],
)
def test_everything_else_keeps_its_own_message(failures: tuple[Failure, ...], document: dict[str, object]) -> None:
    assert blamed(failures, document) == failures


def change(urn: str, operation: Operation) -> Change:
    return Change(urn, "a:type", name_of(urn), operation)


def test_two_runs_of_one_up_tell_what_either_did() -> None:
    """The second deletes; what it finds unchanged is what the first has just made."""
    failure = Failure(USER, "acme-storage-user-1", "still in use")
    first = Result((change(BUCKET, "update"), change("::made", "create"), change("::idle", "same")), (), (), 2.0)
    second = Result(
        (
            change(BUCKET, "same"),
            change("::made", "same"),
            change("::idle", "same"),
            change(USER, "delete"),
        ),
        (failure,),
        (),
        1.5,
    )
    both = merged(first, second)
    assert {item.urn: item.operation for item in both.changes} == {
        BUCKET: "update",
        "::made": "create",
        "::idle": "same",
        USER: "delete",
    }
    assert len(both.changes) == 4
    assert (both.failures, both.seconds, both.ok) == ((failure,), 3.5, False)


def fleet(folder: Path) -> Fleet:
    storage = StoragePrice.model_validate(
        {
            "gb_month": "2",
            "bulk": {"disk_gb": 2048, "monthly": "3999"},
            "egress": {"free_gb": 100, "per_gb": "1"},
            "requests": "0",
            "source": "a list",
            "date": "2026-11-21",
        }
    )
    prices = PriceBook(timeweb=TimewebPrices(currency="RUB", databases=(), storage=storage))
    return Fleet({}, Plans({}, {}), prices, Placements(), folder)


@pytest.fixture
def nothing_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("TENANTRY_STATE", str(tmp_path / "state"))
    return programs


def install(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_without_the_cli_its_engine_is_refused_in_a_sentence(nothing_on_path: Path) -> None:
    del nothing_on_path
    with pytest.raises(EngineError) as refused:
        open_engine(EngineName.pulumi, "prod", fleet(PROJECT))
    assert str(refused.value) == "there is no `pulumi` on PATH: install the Pulumi CLI, or use `--engine embedded`"


def test_without_the_cli_the_embedded_engine_is_taken(nothing_on_path: Path) -> None:
    """Design 5: for machines without the CLI."""
    del nothing_on_path
    assert not PulumiCli.available()
    assert isinstance(open_engine(EngineName.auto, "prod", fleet(PROJECT)), EmbeddedEngine)


@pytest.mark.parametrize("script", ["exit 0", "echo development"])
def test_a_cli_that_does_not_say_its_version_is_refused_in_a_sentence(nothing_on_path: Path, script: str) -> None:
    install(nothing_on_path / "pulumi", script)
    with pytest.raises(EngineError) as refused:
        open_engine(EngineName.pulumi, "prod", fleet(PROJECT))
    assert str(refused.value) == ("the pulumi on PATH does not say its version: install a released Pulumi CLI")


def test_a_cli_that_refuses_the_stack_is_quoted_by_its_error_line_alone(nothing_on_path: Path) -> None:
    """Design 4.7: its other words may quote what is secret."""
    install(
        nothing_on_path / "pulumi",
        '[ "$1" = version ] && { echo v3.260.0; exit 0; }\n'
        'echo "a-sentinel-secret"; echo "a-sentinel-secret" >&2\n'
        'echo "error: no stack named prod: passphrase must be set" >&2; exit 255',
    )
    with pytest.raises(EngineError) as refused:
        open_engine(EngineName.pulumi, "prod", fleet(PROJECT))
    assert str(refused.value) == (
        "the Pulumi CLI refused to run stack 'prod': no stack named prod: passphrase must be set"
    )


def test_a_stack_that_cannot_be_made_is_told_in_a_sentence(nothing_on_path: Path) -> None:
    install(nothing_on_path / "pulumi", 'echo "error: could not reach the backend" >&2; exit 255')
    with pytest.raises(EngineError, match="could not reach the backend"):
        make_stack(PROJECT, "sandbox", {"PATH": str(nothing_on_path)})


def test_a_stack_that_is_already_there_is_as_good_as_made(nothing_on_path: Path) -> None:
    install(nothing_on_path / "pulumi", "echo \"error: stack 'sandbox' already exists\" >&2; exit 255")
    make_stack(PROJECT, "sandbox", {"PATH": str(nothing_on_path)})


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="there is no `pulumi` on PATH")
def test_the_real_cli_s_refusal_is_one_sentence(tmp_path: Path) -> None:
    """A backend that is not there, as the CLI itself words it."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PULUMI_HOME": str(tmp_path / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'nowhere'}",
        "PULUMI_CONFIG_PASSPHRASE": "a-sentinel-passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    with pytest.raises(EngineError) as refused:
        PulumiCli(PROJECT, "prod", environ)
    assert str(refused.value).startswith("the Pulumi CLI refused to run stack 'prod': ")
    assert "\n" not in str(refused.value)
    assert "nowhere" in str(refused.value)


@pytest.mark.parametrize(
    ("found", "kind", "provider", "wanted"),
    [
        ("same", "pulumi-python:dynamic/timeweb:Bucket", "urn::1", "same"),
        ("update", "pulumi-python:dynamic/timeweb:Bucket", "urn::1", "refresh"),
        ("delete", "pulumi-python:dynamic/timeweb:Bucket", "urn::1", "delete"),
        ("update", "tenantry:storage:Timeweb", "", "same"),
        ("update", "pulumi:providers:pulumi-python", "urn::1", "same"),
    ],
)
def test_a_refresh_tells_only_of_what_can_be_looked_at(
    found: Operation, kind: str, provider: str, wanted: Operation
) -> None:
    """As CLI 3.260 ends a refresh: with an "update" of every component and provider too."""
    assert refreshed(found, StepEventMetadata(OpType.UPDATE, "urn:x", kind, provider)) == wanted
