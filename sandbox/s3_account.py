"""One account of the in-process object store: its users, keys and buckets, set up from our side of the API."""

import json
from typing import Any

from moto.iam.models import iam_backends
from moto.s3.models import FakeKey, s3_backends

from sandbox.folder import REGION
from sandbox.simulators.timeweb.storage import Login, Usage

_PARTITION = "aws"
_EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})

_EVERYTHING_IN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"]}
        ],
    }
)


class S3Account:
    """A moto account; its methods reach into moto's tables, which the store offers no call for.

    It keeps keys that were made elsewhere, which the IAM API cannot, so that a restart leaves them valid.
    """

    def __init__(self, account_id: str, hostname: str) -> None:
        self._id = account_id
        self._hostname = hostname

    @property
    def hostname(self) -> str:
        """Host and port the store answers on."""
        return self._hostname

    @property
    def _iam(self) -> Any:  # noqa: ANN401 - moto's backends are looked up by name and have no useful type
        return iam_backends[self._id][_PARTITION]

    @property
    def _s3(self) -> Any:  # noqa: ANN401 - moto's backends are looked up by name and have no useful type
        return s3_backends[self._id][_PARTITION]

    def set_signer(self, login: Login) -> None:
        """Make or re-key a user who may do everything."""
        self.delete_user(login.name)
        self.create_user(login)
        self._iam.put_user_policy(login.name, "everything", _EVERYTHING)

    def create_user(self, login: Login) -> None:
        """Make a user with this one key pair and no policy; one that exists stays as it is."""
        if login.name in self._iam.users:
            return
        self._iam.create_user(region_name=REGION, user_name=login.name)
        key = self._iam.create_access_key(login.name)
        del self._iam.access_keys[key.physical_resource_id]
        key.access_key_id = login.access_key
        key.secret_access_key = login.secret_key
        self._iam.access_keys[key.physical_resource_id] = key

    def set_bucket_user(self, login: Login, bucket: str) -> None:
        """Make or re-key a user who may make this one bucket and do everything in it, and nothing else."""
        self.delete_user(login.name)
        self.create_user(login)
        self._iam.put_user_policy(login.name, "bucket", _EVERYTHING_IN.replace("BUCKET", bucket))

    def delete_user(self, name: str) -> None:
        """Delete a user with its keys and policies; one that is gone is fine."""
        user = self._iam.users.get(name)
        if user is None:
            return
        for key in list(user.access_keys):
            self._iam.delete_access_key(key.access_key_id, name)
        user.policies.clear()
        self._iam.delete_user(name)

    def owner_of(self, access_key: str) -> str | None:
        """The name of the user with this access key, if it is of this account."""
        key = self._iam.access_keys.get(access_key)
        return None if key is None else str(key.user_name)

    def create_bucket(self, name: str) -> None:
        """Make an empty bucket; one that exists stays as it is."""
        if name not in self._s3.buckets:
            self._s3.create_bucket(name, REGION)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all it holds; one that is gone is fine."""
        bucket = self._s3.buckets.get(name)
        if bucket is None:
            return
        for key in list(bucket.keys):
            bucket.keys.pop(key)
        self._s3.delete_bucket(name)

    def usage(self, name: str) -> Usage:
        """How many objects the bucket holds, and their bytes; nothing where there is no such bucket."""
        bucket = self._s3.buckets.get(name)
        keys = [key for key in bucket.keys.values() if isinstance(key, FakeKey)] if bucket else []
        return Usage(len(keys), sum(key.size for key in keys))


def forget_everything() -> None:
    """Empty the store: all accounts, users and buckets of this process."""
    every: tuple[Any, ...] = (iam_backends, s3_backends)
    for backends in every:
        for account in list(backends.values()):
            account.reset()
        backends.clear()
