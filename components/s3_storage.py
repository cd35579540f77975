"""A tenant's bucket in any S3-compatible store, with an IAM user that can reach nothing else."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from catalogue.names import bucket_name, logical_name, storage_user_name
from components.settings import Settings, SettingsError
from components.storage import StorageArgs
from components.tenant_schema import money_output

PROVIDER = "s3"
POLICY = "tenant"


def s3_provider(settings: Settings) -> aws.Provider:
    """The store's provider, with explicit endpoints. Raises `SettingsError` where one is missing."""
    missing = [
        key
        for key, value in {
            "s3:endpoint": settings.s3_endpoint,
            "s3:iamEndpoint": settings.s3_iam_endpoint,
            "s3:accessKey": settings.s3_access_key,
            "s3:secretKey": settings.s3_secret_key,
        }.items()
        if value is None
    ]
    if missing:
        raise SettingsError(
            f"a tenant is on an S3-compatible store, but {', '.join(missing)} is not set: use `pulumi config set`"
        )
    return aws.Provider(
        PROVIDER,
        endpoints=[
            aws.ProviderEndpointArgs(
                s3=settings.s3_endpoint, iam=settings.s3_iam_endpoint, sts=settings.s3_iam_endpoint
            )
        ],
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
    )


def policy_document(bucket: str, *, blocked: bool) -> str:
    """Everything in one bucket and nothing else; for a blocked tenant a document that denies all."""
    arn = f"arn:aws:s3:::{bucket}"
    statements = (
        [{"Effect": "Deny", "Action": ["s3:*"], "Resource": ["*"]}]
        if blocked
        else [
            {"Effect": "Allow", "Action": ["s3:*Object*", "s3:*MultipartUpload*"], "Resource": [f"{arn}/*"]},
            {"Effect": "Allow", "Action": ["s3:ListBucket*", "s3:GetBucketLocation"], "Resource": [arn]},
        ]
    )
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class S3Storage(pulumi.ComponentResource):
    """`details` is the `storage` part of the tenant's outputs."""

    def __init__(self, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        tenant, generation = args.tenant.id, args.placed.generation
        super().__init__("tenantry:storage:S3", logical_name(tenant, "storage", generation), None, opts)
        self._args = args
        self._own = pulumi.ResourceOptions(parent=self, protect=args.protect)
        name = bucket_name(tenant, generation)
        bucket = logical_name(tenant, "bucket", generation)
        # A delete has passed `protect`: it is the tenant's removal after its backup, or `--including-data`.
        self._bucket = aws.s3.Bucket(bucket, bucket=name, force_destroy=True, tags=self._tags(bucket), opts=self._own)
        user = logical_name(tenant, "storage-user", generation)
        user_name = storage_user_name(args.settings.prefix, tenant, generation)
        self._user = aws.iam.User(user, name=user_name, force_destroy=True, tags=self._tags(user), opts=self._own)
        self._key = aws.iam.AccessKey(
            logical_name(tenant, "storage-key", generation), user=self._user.name, opts=self._own
        )
        aws.iam.UserPolicy(
            logical_name(tenant, "storage-policy", generation),
            name=POLICY,
            user=self._user.name,
            policy=policy_document(name, blocked=args.blocked),
            opts=self._own,
        )
        self.details = self._details()
        self.register_outputs({})

    def _tags(self, name: str) -> dict[str, str]:
        return {"tenantry-stack": self._args.settings.base_stack, "tenantry-name": name}

    def _details(self) -> dict[str, Any]:
        args = self._args
        return {
            "plan": args.plan.name,
            "provider": args.placed.provider,
            "region": args.settings.s3_region,
            "bucket": self._bucket.bucket,
            "bucketId": self._bucket.id,
            "endpoint": args.settings.s3_endpoint,
            "s3Endpoint": pulumi.Output.concat(args.settings.s3_endpoint or "", "/", self._bucket.bucket),
            "user": self._user.name,
            "diskGb": args.plan.disk_gb,
            "monthlyCost": money_output(args.cost),
            "accessKey": pulumi.Output.secret(self._key.id),
            "secretKey": self._key.secret,
        }
