"""The offsite store: a second S3-compatible store with keys of its own, and what backups need of it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.settings import SOURCES, setting
from lifecycle.errors import MistakeError, StoreError

PART_BYTES = 32 << 20
"""A store takes 10,000 parts of one object: 320 GB."""
CHUNK = 1 << 20
_REQUIRED = ("backup:endpoint", "backup:bucket", "backup:accessKey", "backup:secretKey")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "AllAccessDisabled"})
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class StoreSettings:
    """Where backups go, and with which keys; these stay out of `repr`."""

    endpoint: str
    bucket: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    @classmethod
    def read(cls, configuration: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Self:
        """From the environment, else the stack's configuration. Raises `MistakeError`."""
        values = {key: setting(key, configuration, environ) for key in (*_REQUIRED, "backup:region")}
        if missing := [f"{key} (or {SOURCES[key]})" for key in _REQUIRED if not values[key]]:
            raise MistakeError(f"there is no offsite store for backups: set {', '.join(missing)}")
        endpoint = urlsplit(values["backup:endpoint"])
        if endpoint.scheme != "https" and endpoint.hostname not in _HERE:
            raise MistakeError(
                f"backup:endpoint '{values['backup:endpoint']}' is not encrypted: it must begin with https://"
            )
        return cls(
            endpoint=values["backup:endpoint"],
            bucket=values["backup:bucket"],
            region=values["backup:region"] or "us-east-1",
            access_key=values["backup:accessKey"],
            secret_key=values["backup:secretKey"],
        )


class Store:
    """One bucket. Every method raises `StoreError`, a sentence with the bucket and what to do."""

    def __init__(self, settings: StoreSettings, *, part_bytes: int = PART_BYTES) -> None:
        self.bucket = settings.bucket
        self._settings = settings
        self._part_bytes = part_bytes
        self._client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=10,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": 3},
            ),
        )

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self._settings.endpoint}"

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def has_bucket(self) -> bool:
        """Whether the bucket is there."""
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if _code(error) in _ABSENT | {"NoSuchBucket"}:
                return False
            raise self._told(error) from None
        except BotoCoreError as error:
            raise self._told(error) from None
        return True

    def make_bucket(self) -> None:
        """Make the bucket, private."""
        region = self._settings.region
        where: dict[str, Any] = (
            {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        with self._telling():
            self._client.create_bucket(Bucket=self.bucket, **where)

    def put(self, key: str, data: bytes) -> None:
        """Write a small object."""
        with self._telling():
            self._client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes | None:
        """Read a small object; None where it is proven absent."""
        try:
            return bytes(self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise self._told(error) from None
        except BotoCoreError as error:
            raise self._told(error) from None

    def chunks(self, key: str) -> Iterator[bytes]:
        """Read an object of any size, some at a time."""
        with self._telling():
            yield from self._client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(CHUNK)

    def sizes(self, prefix: str) -> dict[str, int]:
        """All objects under a prefix with their bytes, as the store lists them now."""
        with self._telling():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}

    def delete(self, keys: list[str]) -> None:
        """Delete objects; absent ones are fine."""
        for key in keys:
            with self._telling():
                self._client.delete_object(Bucket=self.bucket, Key=key)

    def abort_uploads(self, prefix: str, before: datetime) -> int:
        """End the uploads under a prefix that were begun before an instant, so that nobody pays for their parts."""
        with self._telling():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix)
            found = [each for page in pages for each in page.get("Uploads", ()) if each["Initiated"] < before]
            for each in found:
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"])
        return len(found)

    @contextmanager
    def upload(self, key: str) -> Iterator["Upload"]:
        """An object that is written as a stream and exists only when the block ends well."""
        upload = Upload(self._client, self.bucket, key, self._part_bytes)
        with self._telling():
            try:
                yield upload
                upload.finish()
            except BaseException:
                upload.abort()
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._told(error) from None

    def _told(self, error: ClientError | BotoCoreError) -> StoreError:
        if isinstance(error, BotoCoreError):
            return StoreError(f"the offsite store, {self}, does not answer ({type(error).__name__}): try again")
        code = _code(error)
        if code == "NoSuchBucket":
            return StoreError(f"the offsite store has no {self}: make it, or correct backup:bucket")
        if code in _REFUSED:
            return StoreError(
                f"the offsite store refuses our keys for {self} ({code}): correct backup:accessKey, backup:secretKey or"
                " backup:bucket"
            )
        return StoreError(f"the offsite store, {self}, refused {error.operation_name}: {code}")


class Upload:
    """The stream of one object: parts of one size, so that no more than one is held; counts and hashes on the way."""

    def __init__(self, client: Any, bucket: str, key: str, part_bytes: int) -> None:  # noqa: ANN401  boto3 makes its clients at run time
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._part_bytes = part_bytes
        self._buffer = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._id: str | None = None
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of all that was written, in hex."""
        return self._hash.hexdigest()

    def write(self, data: bytes, /) -> int:
        """Take all of the data; a full part goes out at once."""
        self._hash.update(data)
        self.size += len(data)
        self._buffer += data
        while len(self._buffer) >= self._part_bytes:
            self._send(bytes(self._buffer[: self._part_bytes]))
            del self._buffer[: self._part_bytes]
        return len(data)

    def flush(self) -> None:
        """A part goes out when it is full, not before."""

    def finish(self) -> None:
        """Make the object."""
        if self._id is None:
            self._client.put_object(**self._object, Body=bytes(self._buffer))
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        self._client.complete_multipart_upload(
            **self._object, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )

    def abort(self) -> None:
        """Leave nothing behind; what cannot be told to the store now is ended by a later run."""
        if self._id is not None:
            try:
                self._client.abort_multipart_upload(**self._object, UploadId=self._id)
            except (ClientError, BotoCoreError):
                return

    def _send(self, part: bytes) -> None:
        if self._id is None:
            self._id = self._client.create_multipart_upload(**self._object)["UploadId"]
        number = len(self._parts) + 1
        answer = self._client.upload_part(**self._object, UploadId=self._id, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
