"""One of each dynamic resource, with inputs from the file that RESOURCES names."""

import json
import os
from pathlib import Path

import pulumi

from dynamic_providers.postgres.tenant_schema import TenantSchema, TenantSchemaArgs
from dynamic_providers.timeweb.admin import Admin, AdminArgs
from dynamic_providers.timeweb.backup_schedule import BackupSchedule, BackupScheduleArgs
from dynamic_providers.timeweb.bucket import Bucket, BucketArgs
from dynamic_providers.timeweb.cluster import Cluster, ClusterArgs
from dynamic_providers.timeweb.database import Database, DatabaseArgs
from dynamic_providers.timeweb.storage_user import StorageUser, StorageUserArgs

wanted = json.loads(Path(os.environ["RESOURCES"]).read_text())
on = pulumi.ResourceOptions(provider=pulumi.ProviderResource("pulumi-python", "lane", {}))
cluster = Cluster("cluster", ClusterArgs(**wanted["cluster"]), on)
database = Database("database", DatabaseArgs(cluster_id=cluster.id, **wanted["database"]), on)
admin = Admin("admin", AdminArgs(cluster_id=cluster.id, **wanted["admin"]), on)
BackupSchedule("backups", BackupScheduleArgs(cluster_id=cluster.id, **wanted["backups"]), on)
bucket = Bucket("bucket", BucketArgs(**wanted["bucket"]), on)
StorageUser("user", StorageUserArgs(**{"bucket": bucket.bucket, **wanted["user"]}), on)
TenantSchema(
    "schema",
    TenantSchemaArgs(host=cluster.host, port=cluster.port, **wanted["schema"]),
    pulumi.ResourceOptions.merge(on, pulumi.ResourceOptions(depends_on=[database, admin])),
)
