"""The contents of a bucket, through S3 with the account's own keys: only ever deleted, on request."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING

from dynamic_providers.api import Patience, repeated
from dynamic_providers.errors import ProviderError
from dynamic_providers.timeweb.models import Signer

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

# What one DeleteObjects request takes.
BATCH = 1000
GONE = "NoSuchBucket"


def open_s3(endpoint: str, region: str, signer: Signer) -> "S3Client":
    """A client in path style: bucket names with dots break the host style's certificates."""
    import boto3  # noqa: PLC0415  its data model costs every program run, and only an emptied bucket needs it
    from botocore.config import Config  # noqa: PLC0415  as above

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=10,
        read_timeout=30,
        # What is repeated, and for how long, is `empty`'s to say.
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=signer.access_key,
        aws_secret_access_key=signer.secret_key,
        config=config,
    )


def empty(s3: "S3Client", bucket: str, patience: Patience) -> None:
    """Deletes every version, delete marker and unfinished upload; a bucket that the store does not know is empty.

    What passes is repeated up to the deadline: each try goes on where the last one ended. Raises ProviderError.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as below

    try:
        for attempt in repeated(patience, _passes):
            with attempt:
                return _empty(s3, bucket)
    except ClientError as error:
        if _code(error) == GONE:
            return None
        raise ProviderError(f"bucket {bucket} cannot be emptied: {error}") from error
    except BotoCoreError as error:
        raise ProviderError(f"bucket {bucket} cannot be emptied: no answer ({type(error).__name__})") from error


def _passes(error: Exception) -> bool:
    """Whether a refusal of the store passes: silence, 429, 5xx, and a 404 that names no reason."""
    from botocore.exceptions import ClientError, HTTPClientError  # noqa: PLC0415  as below

    if not isinstance(error, ClientError):
        return isinstance(error, HTTPClientError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status == HTTPStatus.NOT_FOUND:
        return not _code(error).startswith("NoSuch")
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _empty(s3: "S3Client", bucket: str) -> None:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    versions = _versions(s3, bucket)
    while batch := list(islice(versions, BATCH)):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
        if errors := answer.get("Errors"):
            raise ProviderError(f"bucket {bucket} is not empty yet: {len(errors)} objects refused, {errors[0]}")


def _versions(s3: "S3Client", bucket: str) -> Iterator["ObjectIdentifierTypeDef"]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield {"Key": entry["Key"], "VersionId": entry["VersionId"]}
