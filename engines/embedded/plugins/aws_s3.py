"""`aws:s3/bucket:Bucket`."""

from typing import Any

from botocore.exceptions import ClientError

from engines.embedded.plugins import Arguments
from engines.embedded.plugins.aws_clients import Clients
from engines.embedded.plugins.aws_marks import as_tags, code_of, from_tags, is_ours
from engines.embedded.provider import Made

HOME_REGION = "us-east-1"


class Buckets:
    """Buckets; the id is the name."""

    arguments = frozenset({"bucket", "tags", "forceDestroy"})
    required = frozenset({"bucket"})
    replaces = frozenset({"bucket"})

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer all three arguments."""
        return {
            "bucket": arguments.get("bucket"),
            "tags": arguments.get("tags") or {},
            "forceDestroy": arguments.get("forceDestroy") or False,
        }

    def create(self, arguments: Arguments) -> Made:
        """Make the bucket, or adopt one that carries our marks."""
        wanted = self.normal(arguments)
        name, tags = wanted["bucket"], wanted["tags"]
        if not self._exists(name):
            self._make(name, tags)
        elif not is_ours(tags, self._tags(name)):
            raise FileExistsError(
                f"bucket '{name}' exists and does not carry our tags: remove it, or take another name"
            )
        self._tag(name, self._tags(name), tags)
        return Made(name, self._outputs(wanted))

    def _make(self, name: str, tags: dict[str, str]) -> None:
        if self._clients.region == HOME_REGION:
            self._clients.s3.create_bucket(Bucket=name)
        else:
            place: Any = {"LocationConstraint": self._clients.region}
            self._clients.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        try:
            self._tag(name, {}, tags)
        except ClientError:
            # Without its marks nobody could tell later that it is ours.
            self._clients.s3.delete_bucket(Bucket=name)
            raise

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read the tags; gone is only what the vendor calls NoSuchBucket."""
        if not self._exists(id_):
            return None
        return self._outputs({**self.normal(outputs), "bucket": id_, "tags": self._tags(id_)})

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Write the tags; `forceDestroy` is only remembered."""
        wanted = self.normal(news)
        self._tag(id_, self.normal(olds)["tags"], wanted["tags"])
        return self._outputs(wanted)

    def delete(self, id_: str, outputs: Arguments) -> None:
        """Delete the bucket; one that holds something only with `forceDestroy`."""
        try:
            if self.normal(outputs)["forceDestroy"]:
                self._empty(id_)
            self._clients.s3.delete_bucket(Bucket=id_)
        except ClientError as error:
            if code_of(error) == "BucketNotEmpty":
                raise OSError(f"bucket '{id_}' is not empty: empty it, or set force_destroy=True first") from error
            if code_of(error) != "NoSuchBucket":
                raise

    def _empty(self, name: str) -> None:
        # From the start again each time: a store may answer a marker that has just been deleted by an empty page.
        while found := self._versions(name):
            answer = self._clients.s3.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})
            if errors := answer.get("Errors"):
                raise OSError(f"bucket '{name}' is not empty: {len(errors)} of its objects are refused to go")
        for uploads in self._clients.s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
            for upload in uploads.get("Uploads", []):
                self._clients.s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])

    def _versions(self, name: str) -> Any:  # noqa: ANN401 - as boto3 takes them
        page = self._clients.s3.list_object_versions(Bucket=name)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        return [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]

    def _exists(self, name: str) -> bool:
        # A HEAD would answer a bare 404, which proves nothing.
        try:
            self._clients.s3.get_bucket_location(Bucket=name)
        except ClientError as error:
            if code_of(error) == "NoSuchBucket":
                return False
            raise
        return True

    def _tags(self, name: str) -> dict[str, str]:
        try:
            return from_tags(self._clients.s3.get_bucket_tagging(Bucket=name)["TagSet"])
        except ClientError as error:
            if code_of(error) == "NoSuchTagSet":
                return {}
            raise

    def _tag(self, name: str, before: dict[str, str], wanted: dict[str, str]) -> None:
        if before == wanted:
            return
        if wanted:
            self._clients.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": as_tags(wanted)})
        else:
            self._clients.s3.delete_bucket_tagging(Bucket=name)

    def _outputs(self, known: dict[str, Any]) -> dict[str, Any]:
        name = known["bucket"]
        return {
            **known,
            "tagsAll": known["tags"],
            "arn": f"arn:aws:s3:::{name}",
            "bucketDomainName": f"{name}.s3.amazonaws.com",
            "region": self._clients.region,
        }
