"""Objects of one bucket in another: with their headers, in step with what is put and deleted, and compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.objects import open_s3
from lifecycle.errors import DataError
from lifecycle.objects import BucketPlace, Copied, copy_objects, differences, listed
from sandbox.s3 import REGION, S3Server
from sandbox.simulators.timeweb.storage import Login

ROOT = Login("root", "R" * 20, "root-secret")
KEYS = Signer(access_key=ROOT.access_key, secret_key=ROOT.secret_key)
LARGE = b"0123456789" * 900_000  # more than one part


@dataclass
class Buckets:
    """What is left and what is moved to."""

    source: BucketPlace
    target: BucketPlace

    def put(self, key: str, body: bytes, **extra: object) -> None:
        """Put an object where the tenant is."""
        self.source.client.put_object(Bucket=self.source.bucket, Key=key, Body=body, **extra)  # type: ignore[arg-type]  # headers of the test's own


@pytest.fixture
def buckets(s3: S3Server) -> Iterator[Buckets]:
    s3.timeweb.set_signer(ROOT)
    for bucket in ("one", "two"):
        s3.timeweb.create_bucket(bucket)
    client = open_s3(s3.url, REGION, KEYS)
    yield Buckets(BucketPlace(client, "one"), BucketPlace(client, "two"))
    client.close()


def test_objects_come_over_with_what_their_store_knows_of_them(buckets: Buckets) -> None:
    """F18: headers, metadata and tags; a large one in parts; odd names."""
    buckets.put(
        "a/ö b+c.txt",
        b"text",
        ContentType="text/plain",
        CacheControl="max-age=60",
        ContentDisposition="attachment",
        Metadata={"colour": "red"},
        Tagging="kind=note&of=acme%20group",
    )
    buckets.put("empty", b"")
    buckets.put("large", LARGE)
    assert copy_objects(buckets.source, buckets.target) == Copied(3, 0)
    assert differences(buckets.source, buckets.target) == []
    found = buckets.target.client.get_object(Bucket="two", Key="a/ö b+c.txt")
    assert found["Body"].read() == b"text"
    assert (found["ContentType"], found["CacheControl"]) == ("text/plain", "max-age=60")
    assert (found["ContentDisposition"], found["Metadata"]) == ("attachment", {"colour": "red"})
    tags = buckets.target.client.get_object_tagging(Bucket="two", Key="a/ö b+c.txt")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"kind": "note", "of": "acme group"}


def test_a_second_copy_sends_only_what_has_changed(buckets: Buckets) -> None:
    """F18: so that a tenant is shut out for the changes of some seconds, and not for all its objects."""
    for number in range(20):
        buckets.put(f"kept/{number}", str(number).encode())
    copy_objects(buckets.source, buckets.target)
    buckets.put("kept/3", b"other")
    buckets.put("new", b"new")
    buckets.source.client.delete_object(Bucket="one", Key="kept/4")
    assert copy_objects(buckets.source, buckets.target) == Copied(2, 1)
    assert copy_objects(buckets.source, buckets.target) == Copied(0, 0)
    assert listed(buckets.target).keys() == listed(buckets.source).keys()


def test_what_differs_is_told(buckets: Buckets) -> None:
    """F18: count, size, and content where the listing does not prove it."""
    for key in ("same", "longer", "changed", "missing"):
        buckets.put(key, b"body")
    copy_objects(buckets.source, buckets.target)
    target = buckets.target.client
    target.delete_object(Bucket="two", Key="missing")
    target.put_object(Bucket="two", Key="longer", Body=b"a longer body")
    target.put_object(Bucket="two", Key="changed", Body=b"BODY")
    target.put_object(Bucket="two", Key="surplus", Body=b"body")
    assert differences(buckets.source, buckets.target) == [
        "object missing is missing",
        "object surplus is too much",
        "object longer has another size",
        "object changed has another content",
    ]


def test_a_store_that_refuses_is_one_sentence(buckets: Buckets) -> None:
    nowhere = BucketPlace(buckets.target.client, "nowhere")
    with pytest.raises(DataError, match="from one to nowhere: ListObjectsV2: NoSuchBucket"):
        copy_objects(buckets.source, nowhere)
