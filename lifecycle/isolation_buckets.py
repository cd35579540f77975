"""The probes in buckets: list, write, read and delete with one tenant's keys in another's bucket."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.outputs import StorageOutput
from lifecycle.certificate import ALLOWED, REFUSED, Ledger
from lifecycle.isolation_probes import PROBE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 8
CLEAR = "S3: take away what was made"
# Anything else (a time-out, a missing bucket) proves nothing.
REFUSALS = frozenset({"AccessDenied", "403", "AllAccessDisabled", "InvalidAccessKeyId"})
# What the rightful tenant makes, and what the others try to make and to delete.
OWN, FOREIGN = PROBE, f"{PROBE}_foreign"
_making = threading.Lock()


def probe_buckets(outputs: Mapping[str, StorageOutput], pairs: Sequence[tuple[str, str]], ledger: Ledger) -> None:
    """Run the controls, then what the others try, then take away what was made, also where something failed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        targets = {name: [against for by, against in pairs if by == name != against] for name in outputs}
        try:
            list(pool.map(lambda name: _controls(name, outputs[name], ledger), outputs))
            list(pool.map(lambda name: _attempts(name, outputs, targets[name], ledger), outputs))
        finally:
            list(pool.map(lambda name: _clear(name, outputs[name], ledger), outputs))


def steps(client: "S3Client", bucket: str, *, key: str) -> Mapping[str, Callable[[], object]]:
    """What is tried in a bucket; `key` is what is written and deleted."""
    return {
        "write an object": partial(client.put_object, Bucket=bucket, Key=key, Body=b"probe"),
        "list the bucket": partial(client.list_objects_v2, Bucket=bucket, MaxKeys=1),
        "read an object": partial(client.get_object, Bucket=bucket, Key=OWN),
        "delete an object": partial(client.delete_object, Bucket=bucket, Key=key),
    }


def outcome_of(step: Callable[[], object]) -> str:
    """Whether the store allowed a step."""
    try:
        step()
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return REFUSED if code in REFUSALS else f"fault: {code}"
    except BotoCoreError as error:
        return f"fault: {type(error).__name__}"
    return ALLOWED


def _controls(name: str, own: StorageOutput, ledger: Ledger) -> None:
    """Every step by the rightful tenant; its object is written again for the others to reach for."""
    client = _client(own, own)
    own_steps = steps(client, own.bucket, key=OWN)
    for what, step in own_steps.items():
        ledger.control(name, f"S3: {what}", outcome_of(step))
    outcome_of(own_steps["write an object"])
    client.close()


def _attempts(by: str, outputs: Mapping[str, StorageOutput], targets: Sequence[str], ledger: Ledger) -> None:
    """Every step by one tenant in the buckets of others, by one client for each store."""
    clients: dict[tuple[str, str], S3Client] = {}
    for against in targets:
        target = outputs[against]
        store = (target.endpoint, target.region)
        clients[store] = client = clients.get(store) or _client(outputs[by], target)
        for what, step in steps(client, target.bucket, key=FOREIGN).items():
            ledger.attempt(by, against, f"S3: {what}", outcome_of(step))
    for client in clients.values():
        client.close()


def _clear(name: str, own: StorageOutput, ledger: Ledger) -> None:
    client = _client(own, own)
    for key in (OWN, FOREIGN):
        outcome = outcome_of(partial(client.delete_object, Bucket=own.bucket, Key=key))
        if outcome != ALLOWED:
            ledger.control(name, CLEAR, outcome)
    client.close()


def _client(own: StorageOutput, at: StorageOutput) -> "S3Client":
    # A session loads what its clients share, which several threads may not do at once.
    with _making:
        return boto3.client(
            "s3",
            endpoint_url=at.endpoint,
            region_name=at.region,
            aws_access_key_id=own.access_key,
            aws_secret_access_key=own.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"total_max_attempts": 2},
            ),
        )
