"""The objects of one bucket made those of another: copied with what their store knows of them, then compared.

Stores of two providers cannot copy from each other, so everything passes through here: several objects at a time, a
large one in parts. What is copied is what a reader of the bucket sees: current versions, not older ones.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError

from lifecycle.errors import DataError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

AT_ONCE = 8
CHUNK = 1 << 20
# What one DeleteObjects request takes.
BATCH = 1000
# Of an object's own: kept as they are.
HEADERS = ("ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl")
Result = TypeVar("Result")


@dataclass(frozen=True)
class BucketPlace:
    """A bucket and a client whose keys may read and write all of it."""

    client: "S3Client"
    bucket: str

    def close(self) -> None:
        """End the client's connections."""
        self.client.close()


@dataclass(frozen=True)
class Listed:
    """An object as a listing tells it; `etag` is its MD5, unless it was put in parts."""

    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class Copied:
    """What a copy did."""

    copied: int
    deleted: int


def copy_objects(source: BucketPlace, target: BucketPlace) -> Copied:
    """Bring the target to what the source holds now; what is there already is not sent again. Raises `DataError`."""
    with _told(source, target):
        wanted, there = listed(source), listed(target)
        missing = [key for key, entry in wanted.items() if not _is_copy(entry, there.get(key))]
        surplus = sorted(there.keys() - wanted.keys())
        _each(partial(_copy, source, target), missing)
        for batch in _batches(surplus):
            answer = target.client.delete_objects(
                Bucket=target.bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
            )
            if errors := answer.get("Errors"):
                raise DataError(f"bucket {target.bucket} keeps {len(errors)} objects that are to go: {errors[0]}")
    return Copied(len(missing), len(surplus))


def differences(source: BucketPlace, target: BucketPlace) -> list[str]:
    """In words, where two buckets hold different objects; bodies are read where sizes agree and ETags do not."""
    with _told(source, target):
        wanted, found = listed(source), listed(target)
        wrong = [f"object {key} is missing" for key in sorted(wanted.keys() - found.keys())]
        wrong += [f"object {key} is too much" for key in sorted(found.keys() - wanted.keys())]
        both = sorted(wanted.keys() & found.keys())
        wrong += [f"object {key} has another size" for key in both if wanted[key].size != found[key].size]
        doubtful = [key for key in both if wanted[key].size == found[key].size and wanted[key].etag != found[key].etag]
        ours, theirs = (_each(partial(_sha256, place), doubtful) for place in (source, target))
        wrong += [f"object {key} has another content" for key in doubtful if ours[key] != theirs[key]]
    return wrong


def listed(place: BucketPlace) -> dict[str, Listed]:
    """Every object of a bucket by its key."""
    pages = place.client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket)
    return {
        entry["Key"]: Listed(entry["Size"], entry["ETag"].strip('"'), entry["LastModified"])
        for page in pages
        for entry in page.get("Contents", [])
    }


def _is_copy(wanted: Listed, found: Listed | None) -> bool:
    """Whether what is there was copied from what is wanted; one that was put again since is copied again."""
    return (
        found is not None
        and (found.size, found.etag) == (wanted.size, wanted.etag)
        and found.modified >= wanted.modified
    )


def _copy(source: BucketPlace, target: BucketPlace, key: str) -> None:
    answer = source.client.get_object(Bucket=source.bucket, Key=key)
    extra: dict[str, Any] = {name: answer[name] for name in HEADERS if answer.get(name)}  # type: ignore[literal-required]  # names of a table
    extra["Metadata"] = answer["Metadata"]
    if answer.get("TagCount"):
        tags = source.client.get_object_tagging(Bucket=source.bucket, Key=key)["TagSet"]
        extra["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags})
    with closing(answer["Body"]) as body:
        target.client.upload_fileobj(body, target.bucket, key, ExtraArgs=extra)


def _sha256(place: BucketPlace, key: str) -> str:
    digest = hashlib.sha256()
    with closing(place.client.get_object(Bucket=place.bucket, Key=key)["Body"]) as body:
        for chunk in body.iter_chunks(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _each(work: Callable[[str], Result], keys: Iterable[str]) -> Mapping[str, Result]:
    """Do it for all keys, several at a time; the first failure ends it."""
    known = list(keys)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(known, threads.map(work, known), strict=True))


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while batch := list(islice(left, BATCH)):
        yield batch


@contextmanager
def _told(source: BucketPlace, target: BucketPlace) -> Iterator[None]:
    """In the block, what a store refuses is one sentence."""
    what = f"objects cannot be copied from {source.bucket} to {target.bucket}"
    try:
        yield
    except ClientError as error:
        raise DataError(f"{what}: {error.operation_name}: {error.response['Error'].get('Code', '?')}") from None
    except BotoCoreError as error:
        raise DataError(f"{what}: {type(error).__name__}") from None
