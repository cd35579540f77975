"""The clients of one provider instance, made when they are first needed: a preview needs none."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 3


@cache
def _loader() -> Loader:
    # The services' descriptions are megabytes of JSON: read once per process, not once per instance.
    return create_loader()


class Clients:
    """Clients for the endpoints that the provider names. They are safe to use from several threads."""

    def __init__(self, arguments: Mapping[str, Any], endpoints: Mapping[str, str]) -> None:
        self.region: str = arguments["region"]
        self._arguments = arguments
        self._endpoints = endpoints

    @cached_property
    def s3(self) -> "S3Client":
        """Object storage."""
        return self._session.client("s3", endpoint_url=self._endpoints["s3"], config=self._config)

    @cached_property
    def iam(self) -> "IAMClient":
        """Users, keys and policies."""
        return self._session.client("iam", endpoint_url=self._endpoints["iam"], config=self._config)

    @cached_property
    def _session(self) -> boto3.session.Session:
        session = botocore.session.get_session()
        session.register_component("data_loader", _loader())
        return boto3.session.Session(
            botocore_session=session,
            aws_access_key_id=self._arguments["accessKey"],
            aws_secret_access_key=self._arguments["secretKey"],
            region_name=self.region,
        )

    @cached_property
    def _config(self) -> Config:
        path = self._arguments.get("s3UsePathStyle") in ("true", True)
        style: Literal["path", "virtual"] = "path" if path else "virtual"
        return Config(s3={"addressing_style": style}, retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
