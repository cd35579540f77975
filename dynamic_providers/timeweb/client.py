"""Typed operations of Timeweb's API, as the official document of 2026-08-06 has them; scoped storage users are G5's."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from dynamic_providers.api import Api, Call
from dynamic_providers.errors import ConfirmationNeededError, ShapeError
from dynamic_providers.timeweb.models import (
    Admin,
    Answer,
    BackupSettings,
    Bucket,
    Cluster,
    ClusterBackup,
    Database,
    DatabasePreset,
    Signer,
    StoragePreset,
    StorageUser,
)

Model = TypeVar("Model", bound=Answer)
Fields = Mapping[str, Any]

PAGE = 100
WALKS = 3

CLUSTERS = "/api/v1/databases"
CLUSTER = "/api/v1/databases/{cluster}"
DATABASES = "/api/v1/databases/{cluster}/instances"
DATABASE = "/api/v1/databases/{cluster}/instances/{database}"
ADMINS = "/api/v1/databases/{cluster}/admins"
ADMIN = "/api/v1/databases/{cluster}/admins/{admin}"
AUTO_BACKUPS = "/api/v1/dbs/{cluster}/auto-backups"
BACKUPS = "/api/v1/dbs/{cluster}/backups"
BACKUP = "/api/v1/dbs/{cluster}/backups/{backup}"
BUCKETS = "/api/v1/storages/buckets"
BUCKET = "/api/v1/storages/buckets/{bucket}"
STORAGE_USERS = "/api/v2/storages/users"
STORAGE_USER = "/api/v2/storages/users/{user}"


class Timeweb:
    """One account. Errors are Api's; AbsentError where the object does not exist; ShapeError for unknown answers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def database_presets(self, cluster: str | None = None) -> tuple[DatabasePreset, ...]:
        """Sizes that can be ordered; with a cluster, those it can be changed to."""
        query = {"cluster_id": cluster} if cluster else {}
        return self._all(Call("GET", "/api/v2/presets/dbs", query=query), "databases_presets", DatabasePreset)

    def clusters(self) -> tuple[Cluster, ...]:
        """All clusters of the account."""
        return self._pages(CLUSTERS, "dbs", Cluster)

    def cluster(self, cluster: str) -> Cluster:
        """One cluster."""
        return self._one(Call("GET", CLUSTER, {"cluster": cluster}), "db", Cluster)

    def create_cluster(self, fields: Fields) -> Cluster:
        """A new cluster, still starting."""
        return self._one(Call("POST", CLUSTERS, body=fields), "db", Cluster)

    def change_cluster(self, cluster: str, fields: Fields) -> Cluster:
        """The cluster after a change; a new size is reached later."""
        return self._one(Call("PATCH", CLUSTER, {"cluster": cluster}, body=fields), "db", Cluster)

    def delete_cluster(self, cluster: str) -> None:
        """Asks for the delete; ConfirmationNeededError when a human has to confirm it."""
        self._delete(Call("DELETE", CLUSTER, {"cluster": cluster}), "database_delete", f"cluster {cluster}")

    def databases(self, cluster: str) -> tuple[Database, ...]:
        """All databases of a cluster."""
        return self._all(Call("GET", DATABASES, {"cluster": cluster}), "instances", Database)

    def database(self, cluster: str, database: str) -> Database:
        """One database."""
        return self._one(Call("GET", DATABASE, {"cluster": cluster, "database": database}), "instance", Database)

    def create_database(self, cluster: str, fields: Fields) -> Database:
        """A new database."""
        return self._one(Call("POST", DATABASES, {"cluster": cluster}, body=fields), "instance", Database)

    def change_database(self, cluster: str, database: str, fields: Fields) -> Database:
        """The database after a change."""
        ids = {"cluster": cluster, "database": database}
        return self._one(Call("PATCH", DATABASE, ids, body=fields), "instance", Database)

    def delete_database(self, cluster: str, database: str) -> None:
        """Deletes a database with all it holds."""
        ids = {"cluster": cluster, "database": database}
        self._delete(Call("DELETE", DATABASE, ids), "database_delete", f"database {database}")

    def admins(self, cluster: str) -> tuple[Admin, ...]:
        """All logins of a cluster."""
        return self._all(Call("GET", ADMINS, {"cluster": cluster}), "admins", Admin)

    def admin(self, cluster: str, admin: str) -> Admin:
        """One login."""
        return self._one(Call("GET", ADMIN, {"cluster": cluster, "admin": admin}), "admin", Admin)

    def create_admin(self, cluster: str, fields: Fields) -> Admin:
        """A new login."""
        return self._one(Call("POST", ADMINS, {"cluster": cluster}, body=fields), "admin", Admin)

    def change_admin(self, cluster: str, admin: str, fields: Fields) -> Admin:
        """The login after a change."""
        return self._one(Call("PATCH", ADMIN, {"cluster": cluster, "admin": admin}, body=fields), "admin", Admin)

    def delete_admin(self, cluster: str, admin: str) -> None:
        """Deletes a login."""
        ids = {"cluster": cluster, "admin": admin}
        self._delete(Call("DELETE", ADMIN, ids), "database_delete", f"admin {admin}")

    def backup_settings(self, cluster: str) -> BackupSettings:
        """A cluster's automatic backups."""
        return self._one(Call("GET", AUTO_BACKUPS, {"cluster": cluster}), "auto_backups_settings", BackupSettings)

    def set_backups(self, cluster: str, fields: Fields) -> BackupSettings:
        """The automatic backups after a change; when enabled, every field has to be given."""
        call = Call("PATCH", AUTO_BACKUPS, {"cluster": cluster}, body=fields)
        return self._one(call, "auto_backups_settings", BackupSettings)

    def backups(self, cluster: str) -> tuple[ClusterBackup, ...]:
        """All copies of a cluster, those that are still being made among them."""
        return self._pages(BACKUPS, "backups", ClusterBackup, {"cluster": cluster})

    def backup(self, cluster: str, backup: str) -> ClusterBackup:
        """One copy."""
        return self._one(Call("GET", BACKUP, {"cluster": cluster, "backup": backup}), "backup", ClusterBackup)

    def create_backup(self, cluster: str, comment: str) -> ClusterBackup | None:
        """Begins a copy; None where the vendor names none, as for a cluster of several nodes: the list then tells."""
        call = Call("POST", BACKUPS, {"cluster": cluster}, body={"comment": comment})
        response = self._api.request(call)
        if _json(call, response).get("backup", response) is None:
            return None
        return _read(call, response, "backup", ClusterBackup)[0][0]

    def restore_backup(self, cluster: str, backup: str) -> None:
        """Brings the whole cluster back, all its tenants with it. Sent without a body, and none comes back (G3)."""
        self._api.request(Call("PUT", BACKUP, {"cluster": cluster, "backup": backup}))

    def delete_backup(self, cluster: str, backup: str) -> None:
        """Deletes a copy."""
        call = Call("DELETE", BACKUP, {"cluster": cluster, "backup": backup})
        self._delete(call, "backup_delete", f"backup {backup}")

    def storage_presets(self) -> tuple[StoragePreset, ...]:
        """Sizes of buckets that can be ordered."""
        return self._all(Call("GET", "/api/v1/presets/storages"), "storages_presets", StoragePreset)

    def buckets(self) -> tuple[Bucket, ...]:
        """All buckets of the account, quarantined ones among them."""
        return self._all(Call("GET", BUCKETS), "buckets", Bucket)

    def bucket(self, bucket: str) -> Bucket:
        """One bucket."""
        return self._one(Call("GET", BUCKET, {"bucket": bucket}), "bucket", Bucket)

    def create_bucket(self, fields: Fields) -> Bucket:
        """A new bucket."""
        return self._one(Call("POST", BUCKETS, body=fields), "bucket", Bucket)

    def change_bucket(self, bucket: str, fields: Fields) -> Bucket:
        """The bucket after a change."""
        return self._one(Call("PATCH", BUCKET, {"bucket": bucket}, body=fields), "bucket", Bucket)

    def delete_bucket(self, bucket: str) -> None:
        """Asks for the delete; it may end in quarantine, which a read-back shows."""
        self._delete(Call("DELETE", BUCKET, {"bucket": bucket}), "bucket_delete", f"bucket {bucket}")

    def storage_users(self) -> tuple[StorageUser, ...]:
        """All scoped users of the account."""
        return self._all(Call("GET", STORAGE_USERS), "iam_users", StorageUser)

    def storage_user(self, user: str) -> StorageUser:
        """One scoped user."""
        return self._one(Call("GET", STORAGE_USER, {"user": user}), "iam_user", StorageUser)

    def create_storage_user(self, name: str) -> StorageUser:
        """A new scoped user with its keys and no grants."""
        return self._one(Call("POST", STORAGE_USERS, body={"name": name}), "iam_user", StorageUser)

    def delete_storage_user(self, user: str) -> None:
        """Deletes a scoped user; its grants go with it."""
        self._delete(Call("DELETE", STORAGE_USER, {"user": user}), "user_delete", f"storage user {user}")

    def signer(self) -> Signer:
        """The account's own keys, which the panel and others use too: read for each use, because they may rotate."""
        signers = self._all(Call("GET", "/api/v1/storages/users"), "users", Signer)
        if not signers:
            raise ShapeError("Timeweb lists no storage user of the account, so grants cannot be signed")
        return signers[0]

    def _one(self, call: Call, key: str, model: type[Model]) -> Model:
        return _read(call, self._api.request(call), key, model)[0][0]

    def _all(self, call: Call, key: str, model: type[Model]) -> tuple[Model, ...]:
        items, total = _read(call, self._api.request(call), key, model)
        if len(items) < total:
            raise ShapeError(f"Timeweb lists {len(items)} of {total} {key}: absence cannot be told from such a list")
        return items

    def _pages(
        self, template: str, key: str, model: type[Model], ids: Mapping[str, str] | None = None
    ) -> tuple[Model, ...]:
        """Walks limit and offset; again, when the total moved on the way: an object may have slipped between pages."""
        for _ in range(WALKS):
            items: tuple[Model, ...] = ()
            totals: set[int] = set()
            while not totals or len(items) < max(totals):
                call = Call("GET", template, ids or {}, query={"limit": PAGE, "offset": len(items)})
                page, total = _read(call, self._api.request(call), key, model)
                items += page
                totals.add(total)
                if not page:
                    break
            if totals == {len(items)}:
                return items
        raise ShapeError(f"Timeweb's list of {key} changed during each of {WALKS} walks: try again")

    def _delete(self, call: Call, key: str, what: str) -> None:
        response = self._api.request(call)
        if response.status_code == HTTPStatus.NO_CONTENT or not response.content:
            return
        answer = _json(call, response).get(key)
        if isinstance(answer, dict) and answer.get("hash"):
            raise ConfirmationNeededError(
                f"Timeweb keeps {what} until its delete is confirmed: confirm it in the panel, or use a token with"
                " is_able_to_delete, and run again"
            )


def not_found(response: httpx.Response) -> bool:
    """Whether a 404 is the API's own (G17): its envelope has `error_code`; the edge's has not."""
    try:
        envelope = response.json()
    except ValueError:
        return False
    return isinstance(envelope, dict) and bool(envelope.get("error_code"))


def _read(call: Call, response: httpx.Response, key: str, model: type[Model]) -> tuple[tuple[Model, ...], int]:
    """What lies under `key`, one object or a list, and the total that the answer claims."""
    answer = _json(call, response)
    found = answer.get(key)
    items = found if isinstance(found, list) else [found]
    try:
        parsed = tuple(model.model_validate(item) for item in items)
    except ValidationError as error:
        # The error quotes the answer, which may hold keys and passwords: only the places go on.
        places = sorted({".".join(str(part) for part in problem["loc"]) for problem in error.errors()})
        raise ShapeError(f"Timeweb: {call.method} {call.path}: '{key}' has unreadable {', '.join(places)}") from None
    meta = answer.get("meta")
    total = meta.get("total") if isinstance(meta, dict) else None
    return parsed, int(total) if isinstance(total, int | float) else len(parsed)


def _json(call: Call, response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ShapeError(f"Timeweb: {call.method} {call.path} is not answered with a JSON object")
    return answer
