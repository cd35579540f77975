"""A tenant's bucket at Timeweb with a storage user that can reach nothing else."""

from typing import Any

import pulumi

from catalogue.names import bucket_name, logical_name, storage_user_name
from components.storage import StorageArgs
from components.tenant_schema import money_output
from dynamic_providers.marks import Mark
from dynamic_providers.timeweb.bucket import Bucket, BucketArgs
from dynamic_providers.timeweb.storage_user import StorageUser, StorageUserArgs


class TimewebStorage(pulumi.ComponentResource):
    """`details` is the `storage` part of the tenant's outputs."""

    def __init__(self, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        tenant, generation = args.tenant.id, args.placed.generation
        super().__init__("tenantry:storage:Timeweb", logical_name(tenant, "storage", generation), None, opts)
        self._args = args
        own = pulumi.ResourceOptions(parent=self, protect=args.protect)
        bucket = logical_name(tenant, "bucket", generation)
        self._bucket = Bucket(
            bucket,
            BucketArgs(
                name=bucket_name(tenant, generation),
                disk_gb=args.plan.disk_gb,
                storage_class=args.plan.storage_class,
                location=args.placed.region,
                visibility="private",
                mark=str(Mark(args.settings.base_stack, bucket)),
                adopt=args.adopt,
                # A delete has passed `protect`: it is the tenant's removal after its backup, or `--including-data`.
                empty_on_delete=True,
            ),
            own,
        )
        self._user_name = storage_user_name(args.settings.prefix, tenant, generation)
        self._user = StorageUser(
            logical_name(tenant, "storage-user", generation),
            StorageUserArgs(
                name=self._user_name,
                bucket=self._bucket.bucket,
                blocked=args.blocked,
            ),
            own,
        )
        self.details = self._details()
        self.register_outputs({})

    def _details(self) -> dict[str, Any]:
        args = self._args
        endpoint = args.settings.timeweb_s3_endpoint
        host = pulumi.Output.concat("https://", self._bucket.hostname) if endpoint is None else endpoint
        address = (
            pulumi.Output.concat("https://", self._bucket.bucket, ".", self._bucket.hostname)
            if endpoint is None
            else pulumi.Output.concat(endpoint, "/", self._bucket.bucket)
        )
        return {
            "plan": args.plan.name,
            "provider": args.placed.provider,
            "region": self._bucket.location,
            "bucket": self._bucket.bucket,
            "bucketId": self._bucket.id,
            "endpoint": host,
            "s3Endpoint": address,
            "user": self._user_name,
            "diskGb": args.plan.disk_gb,
            "monthlyCost": money_output(args.cost),
            "accessKey": self._user.access_key,
            "secretKey": self._user.secret_key,
        }
