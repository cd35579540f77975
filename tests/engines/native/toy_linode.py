"""A toy of Linode: instances, labels unique, which boot while they are polled."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.engines.native.toy_cloud import Row, ToyCloud, answer, given

CREATED = "2026-11-21T04:38:42"
TYPE = {
    "id": "g6-nanode-1",
    "label": "Nanode 1GB",
    "disk": 25600,
    "memory": 1024,
    "vcpus": 1,
    "transfer": 1000,
    "network_out": 1000,
    "gpus": 0,
    "price": {"hourly": 0.0075, "monthly": 5},
    "region_prices": [],
    "addons": {"backups": {"price": {"hourly": 0.003, "monthly": 2}, "region_prices": []}},
    "successor": None,
    "class": "nanode",
    "accelerated_devices": 0,
}
DISK = {"id": 1, "label": "Disk", "status": "ready", "size": 25088, "filesystem": "ext4", "created": CREATED}
CONFIG = {
    "id": 2,
    "label": "My Config",
    "helpers": {
        "updatedb_disabled": True,
        "distro": True,
        "modules_dep": True,
        "network": True,
        "devtmpfs_automount": True,
    },
    "kernel": "linode/grub2",
    "comments": "",
    "memory_limit": 0,
    "root_device": "/dev/sda",
    "devices": {"sda": {"disk_id": 1, "volume_id": None}, "sdb": None},
    "run_level": "default",
    "virt_mode": "paravirt",
    "interfaces": [],
    "created": CREATED,
    "updated": CREATED,
}
REASONS = {401: "Invalid Token", 404: "Not found"}


def refuse(status: int, message: str) -> Response:
    """An error in the vendor's form."""
    return JSONResponse({"errors": [{"reason": REASONS.get(status, message)}]}, status)


def listed(rows: list[Row]) -> Response:
    """One page that holds everything."""
    return answer({"data": rows, "page": 1, "pages": 1, "results": len(rows)})


def _instance(cloud: ToyCloud, body: Row) -> Row:
    return {
        "id": next(cloud.ids),
        "label": body["label"],
        "group": "",
        "status": "provisioning",
        "created": CREATED,
        "updated": CREATED,
        "type": body["type"],
        "ipv4": ["192.0.2.11"],
        "ipv6": "2001:db8::11/128",
        "image": body.get("image"),
        "region": body["region"],
        "site_type": "core",
        "specs": {"disk": 25600, "memory": 1024, "vcpus": 1, "gpus": 0, "transfer": 1000, "accelerated_devices": 0},
        "alerts": {"cpu": 90, "network_in": 10, "network_out": 10, "transfer_quota": 80, "io": 10000},
        "backups": {
            "enabled": False,
            "available": False,
            "schedule": {"day": None, "window": None},
            "last_successful": None,
        },
        "hypervisor": "kvm",
        "watchdog_enabled": True,
        "tags": body.get("tags", []),
        "host_uuid": "",
        "has_user_data": False,
        "placement_group": None,
        "disk_encryption": "disabled",
        "lke_cluster_id": None,
        "capabilities": [],
        "interface_generation": "legacy_config",
        "maintenance_policy": "linode/migrate",
        "locks": [],
    }


def _addresses(instance: Row) -> Row:
    public = {
        "address": "192.0.2.11",
        "gateway": "192.0.2.1",
        "subnet_mask": "255.255.255.0",
        "prefix": 24,
        "type": "ipv4",
        "public": True,
        "rdns": "host.example",
        "linode_id": instance["id"],
        "region": instance["region"],
        "vpc_nat_1_1": None,
    }
    own = {**public, "address": "2001:db8::11", "type": "ipv6", "prefix": 64}
    return {
        "ipv4": {"public": [public], "private": [], "shared": [], "reserved": [], "vpc": []},
        "ipv6": {"slaac": own, "link_local": own, "global": [], "vpc": []},
    }


def routes(cloud: ToyCloud) -> list[Route]:
    """The operations that the plugin and our lister use."""

    async def create(request: Request) -> Response:
        body = await given(request)
        if any(body["label"] == instance["label"] for instance in cloud.all("instances")):
            return answer({"errors": [{"field": "label", "reason": "Label must be unique"}]}, 400)
        return answer(cloud.add("instances", _instance(cloud, body)))

    def show(request: Request) -> Response:
        if (found := cloud.find("instances", request)) is None:
            return refuse(404, "Not found")
        if not cloud.held:
            found["status"] = "running"
        return answer(found)

    def delete(request: Request) -> Response:
        return answer({}) if cloud.remove("instances", request) else refuse(404, "Not found")

    def part(request: Request) -> Response:
        if (found := cloud.find("instances", request)) is None:
            return refuse(404, "Not found")
        parts = {"ips": lambda: answer(_addresses(found)), "disks": lambda: listed([DISK])}
        return parts.get(request.path_params["part"], lambda: listed([CONFIG]))()

    instances = "/v4/linode/instances"
    return [
        Route("/v4/linode/types", lambda _: listed([TYPE])),
        Route("/v4/linode/types/{id}", lambda _: answer(TYPE)),
        Route(instances, lambda _: listed(cloud.all("instances"))),
        Route(instances, create, methods=["POST"]),
        Route(f"{instances}/{{id}}", show),
        Route(f"{instances}/{{id}}", delete, methods=["DELETE"]),
        Route(f"{instances}/{{id}}/{{part}}", part),
    ]
