"""A toy of Hetzner Cloud: keys and servers, names unique, creates that end in an action."""

import hashlib
from base64 import b64decode
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.engines.native.toy_cloud import Row, ToyCloud, answer, given, no_content

CREATED = "2026-11-21T04:38:42+00:00"
TYPE = {
    "id": 22,
    "name": "cpx11",
    "description": "CPX 11",
    "cores": 2,
    "memory": 2.0,
    "disk": 40,
    "deprecated": False,
    "prices": [],
    "storage_type": "local",
    "cpu_type": "shared",
    "category": "Shared vCPU",
    "architecture": "x86",
    "locations": [{"id": 2, "name": "nbg1", "available": True, "recommended": True}],
}
IMAGE = {
    "id": 67794396,
    "type": "system",
    "status": "available",
    "name": "ubuntu-22.04",
    "description": "Ubuntu 22.04",
    "disk_size": 5,
    "os_flavor": "ubuntu",
    "os_version": "22.04",
    "architecture": "x86",
    "rapid_deploy": True,
    "protection": {"delete": False},
    "labels": {},
    "created": CREATED,
}
LOCATION = {
    "id": 2,
    "name": "nbg1",
    "description": "Nuremberg DC Park 1",
    "country": "DE",
    "city": "Nuremberg",
    "latitude": 49.4,
    "longitude": 11.0,
    "network_zone": "eu-central",
}
PER_PAGE = 50
CODES = {401: "unauthorized", 404: "not_found", 409: "uniqueness_error", 500: "server_error", 503: "unavailable"}


def refuse(status: int, message: str) -> Response:
    """An error in the vendor's form."""
    return JSONResponse({"error": {"code": CODES.get(status, "error"), "message": message, "details": None}}, status)


def listed(plural: str, rows: list[Row], page: int = 1) -> Response:
    """One page of a list."""
    last = max(1, -(-len(rows) // PER_PAGE))
    links = {"previous_page": page - 1 or None, "next_page": page + 1 if page < last else None, "last_page": last}
    pagination = {"page": page, "per_page": PER_PAGE, **links, "total_entries": len(rows)}
    return answer({plural: rows[(page - 1) * PER_PAGE : page * PER_PAGE], "meta": {"pagination": pagination}})


def _selected(rows: list[Row], request: Request) -> list[Row]:
    name, selector = request.query_params.get("name"), request.query_params.get("label_selector")
    key, _, value = (selector or "").partition("==")
    found = [row for row in rows if name is None or row["name"] == name]
    return [row for row in found if not key or row["labels"].get(key) == value]


def _server(cloud: ToyCloud, body: Row) -> Row:
    id_ = next(cloud.ids)
    ip = {"id": id_ + 1, "blocked": False}
    return {
        "id": id_,
        "name": body["name"],
        "status": "initializing",
        "created": datetime.now(UTC).isoformat(),
        "public_net": {
            "ipv4": {**ip, "ip": "192.0.2.7", "dns_ptr": "static.example"},
            "ipv6": {**ip, "ip": "2001:db8::/64", "dns_ptr": []},
            "floating_ips": [],
            "firewalls": [],
        },
        "private_net": [],
        "server_type": TYPE,
        "datacenter": {"id": 4, "name": "nbg1-dc3", "description": "", "location": LOCATION, "server_types": {}},
        "location": LOCATION,
        "image": IMAGE,
        "iso": None,
        "rescue_enabled": False,
        "locked": False,
        "backup_window": None,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": 1,
        "protection": {"delete": False, "rebuild": False},
        "labels": body.get("labels", {}),
        "volumes": [],
        "load_balancers": [],
        "primary_disk_size": 40,
        "placement_group": None,
    }


def _action(cloud: ToyCloud, command: str, server: int) -> Row:
    resources = [{"id": server, "type": "server"}]
    action = {"id": next(cloud.ids), "command": command, "progress": 0, "started": CREATED, "resources": resources}
    return cloud.add("actions", {**action, "status": "running", "finished": None, "error": None})


def _progressed(cloud: ToyCloud, action: Row) -> Row:
    """An action as it stands now: it ends at the first look, unless it is held."""
    if action["status"] != "running" or cloud.held:
        return action
    failed = cloud.ends_in_error and action["command"] == "create_server"
    error = {"code": "action_failed", "message": "the host has no room"} if failed else None
    action.update(status="error" if failed else "success", progress=100, finished=CREATED, error=error)
    for server in cloud.all("servers"):
        if server["id"] == action["resources"][0]["id"]:
            server["status"] = "running"
    return action


def routes(cloud: ToyCloud) -> list[Route]:
    """The operations that the plugin and our lister use."""

    def actions(request: Request) -> Response:
        wanted = request.query_params.getlist("id")
        return listed("actions", [_progressed(cloud, row) for row in cloud.all("actions") if str(row["id"]) in wanted])

    return [
        Route("/v1/server_types", lambda _: listed("server_types", [TYPE])),
        Route("/v1/images", lambda _: listed("images", [IMAGE])),
        Route("/v1/actions", actions),
        *_keys(cloud),
        *_servers(cloud),
    ]


def _shown(cloud: ToyCloud, kind: str, word: str) -> list[Route]:
    def one(request: Request) -> Response:
        found = cloud.find(kind, request)
        return answer({word: found}) if found else refuse(404, f"{word} not found")

    def every(request: Request) -> Response:
        return listed(kind, _selected(cloud.all(kind), request), int(request.query_params.get("page", 1)))

    return [Route(f"/v1/{kind}/{{id}}", one), Route(f"/v1/{kind}", every)]


def _keys(cloud: ToyCloud) -> list[Route]:
    async def create(request: Request) -> Response:
        body = await given(request)
        if any(body["name"] == key["name"] for key in cloud.all("ssh_keys")):
            return refuse(409, "SSH key not unique")
        print_ = hashlib.md5(b64decode(body["public_key"].split()[1] + "=="), usedforsecurity=False).hexdigest()
        key = {"labels": {}, **body, "id": next(cloud.ids), "fingerprint": print_, "created": CREATED}
        return answer({"ssh_key": cloud.add("ssh_keys", key)}, 201)

    def delete(request: Request) -> Response:
        return no_content() if cloud.remove("ssh_keys", request) else refuse(404, "SSH key not found")

    return [
        *_shown(cloud, "ssh_keys", "ssh_key"),
        Route("/v1/ssh_keys", create, methods=["POST"]),
        Route("/v1/ssh_keys/{id}", delete, methods=["DELETE"]),
    ]


def _servers(cloud: ToyCloud) -> list[Route]:
    async def create(request: Request) -> Response:
        body = await given(request)
        if any(body["name"] == server["name"] for server in cloud.all("servers")):
            return refuse(409, "server name is already used")
        server = cloud.add("servers", _server(cloud, body))
        action, start = _action(cloud, "create_server", server["id"]), _action(cloud, "start_server", server["id"])
        return answer({"server": server, "action": action, "next_actions": [start], "root_password": None}, 201)

    async def change(request: Request) -> Response:
        if (server := cloud.find("servers", request)) is None:
            return refuse(404, "server not found")
        server.update(await given(request))
        return answer({"server": server})

    def delete(request: Request) -> Response:
        if (server := cloud.remove("servers", request)) is None:
            return refuse(404, "server not found")
        return answer({"action": _action(cloud, "delete_server", server["id"])})

    return [
        *_shown(cloud, "servers", "server"),
        Route("/v1/servers", create, methods=["POST"]),
        Route("/v1/servers/{id}", change, methods=["PUT"]),
        Route("/v1/servers/{id}", delete, methods=["DELETE"]),
    ]
