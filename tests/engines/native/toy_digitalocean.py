"""A toy of DigitalOcean: droplets, whose names are not unique, and database clusters; both get ready while polled."""

import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.engines.native.toy_cloud import Row, ToyCloud, answer, given, no_content

CREATED = "2026-11-21T04:38:42Z"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nof-the-toy\n-----END CERTIFICATE-----\n"
CODES = {401: "unauthorized", 404: "not_found", 422: "unprocessable_entity", 500: "server_error"}
FEATURES: Row = {"available": True, "features": []}
READY = {"droplets": "active", "databases": "online"}
WORD = {"droplets": "droplet", "databases": "database"}


def refuse(status: int, message: str) -> Response:
    """An error in the vendor's form."""
    return JSONResponse({"id": CODES.get(status, "error"), "message": message, "request_id": "4d9d8375"}, status)


def _droplet(cloud: ToyCloud, body: Row) -> Row:
    address = {"netmask": "255.255.240.0", "gateway": "192.0.2.1"}
    size = {"slug": body["size"], "memory": 1024, "vcpus": 1, "disk": 25, "regions": ["nyc1"], "price_monthly": 6}
    return {
        "id": next(cloud.ids),
        "name": body["name"],
        "memory": 1024,
        "vcpus": 1,
        "disk": 25,
        "locked": False,
        "status": "new",
        "created_at": CREATED,
        "features": [],
        "backup_ids": [],
        "snapshot_ids": [],
        "volume_ids": [],
        "image": {"id": 1, "slug": body["image"], "name": "22.04", "distribution": "Ubuntu", "regions": ["nyc1"]},
        "size": size,
        "size_slug": body["size"],
        "networks": {
            "v4": [
                {"ip_address": "192.0.2.9", "type": "public", **address},
                {"ip_address": "10.0.0.9", "type": "private", **address},
            ],
            "v6": [],
        },
        "region": {"slug": body["region"], "name": "New York 1", "sizes": [], **FEATURES},
        "tags": body.get("tags", []),
        "vpc_uuid": "7c2b6d6c-4e0d-4a3c-9a77-2b9d5fb1d6a0",
    }


def _database(cloud: ToyCloud, body: Row) -> Row:
    connection = {
        "protocol": "postgresql",
        "uri": "postgresql://doadmin:secret@192.0.2.10:25060/defaultdb",
        "database": "defaultdb",
        "host": "192.0.2.10",
        "port": 25060,
        "user": "doadmin",
        "password": "secret",
        "ssl": True,
    }
    return {
        "id": f"9cc10173-e9ea-4176-9dbc-{next(cloud.ids):012d}",
        "name": body["name"],
        "engine": body["engine"],
        "version": body["version"],
        "semantic_version": f"{body['version']}.4",
        "num_nodes": body["num_nodes"],
        "size": body["size"],
        "region": body["region"],
        "status": "creating",
        "created_at": CREATED,
        "private_network_uuid": "7c2b6d6c-4e0d-4a3c-9a77-2b9d5fb1d6a0",
        "tags": body.get("tags", []),
        "db_names": ["defaultdb"],
        "users": [],
        "maintenance_window": {"day": "monday", "hour": "03:00:00", "pending": False, "description": []},
        "project_id": "9cc10173-0000-4176-9dbc-a4cee4c4ff30",
        "storage_size_mib": 10240,
        "connection": connection,
        "private_connection": connection,
    }


def _kind(cloud: ToyCloud, kind: str) -> list[Route]:
    word = WORD[kind]

    async def create(request: Request) -> Response:
        body = await given(request)
        made = cloud.add(kind, _droplet(cloud, body) if kind == "droplets" else _database(cloud, body))
        links = {"actions": [{"id": 1, "rel": "create", "href": "http://127.0.0.1/v2/actions/1"}]}
        more = {"links": links} if kind == "droplets" else {}
        return answer({word: made, **more}, 202 if kind == "droplets" else 201)

    def show(request: Request) -> Response:
        if (found := cloud.find(kind, request)) is None:
            return refuse(404, f"The {word} you were accessing could not be found.")
        if not cloud.held:
            found["status"] = READY[kind]
        return answer({word: found})

    def every(request: Request) -> Response:
        tag = request.query_params.get("tag_name")
        found = [row for row in cloud.all(kind) if tag is None or tag in row["tags"]]
        return answer({kind: found or None, "links": {}, "meta": {"total": len(found)}})

    def delete(request: Request) -> Response:
        return no_content() if cloud.remove(kind, request) else refuse(404, f"The {word} could not be found.")

    return [
        Route(f"/v2/{kind}", every),
        Route(f"/v2/{kind}", create, methods=["POST"]),
        Route(f"/v2/{kind}/{{id}}", show),
        Route(f"/v2/{kind}/{{id}}", delete, methods=["DELETE"]),
    ]


def _authority(cloud: ToyCloud) -> Route:
    def show(request: Request) -> Response:
        if cloud.find("databases", request) is None:
            return refuse(404, "The database cluster could not be found.")
        return answer({"ca": {"certificate": base64.b64encode(AUTHORITY.encode()).decode()}})

    return Route("/v2/databases/{id}/ca", show)


def routes(cloud: ToyCloud) -> list[Route]:
    """The operations that the plugin and our own code use."""
    return [*_kind(cloud, "droplets"), *_kind(cloud, "databases"), _authority(cloud)]
