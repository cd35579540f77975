"""Answers in every shape they come in, lists in pages, units in GB."""

from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from dynamic_providers.api import Api, Patience
from dynamic_providers.errors import ConfirmationNeededError, ShapeError, UncertainError
from dynamic_providers.limiter import HostLimiter
from dynamic_providers.timeweb.client import Timeweb, not_found
from dynamic_providers.timeweb.models import Bucket, Cluster, DatabasePreset, Signer, StoragePreset, StorageUser

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def against(tmp_path: Path) -> Callable[[Answer], Timeweb]:
    def open_client(answer: Answer) -> Timeweb:
        return Timeweb(
            Api(
                "https://api.example",
                "t",
                limiter=HostLimiter(tmp_path / "rate", 10_000),
                absent=not_found,
                patience=Patience(0.01, 0.001, 0.001, 0.001),
                transport=httpx.MockTransport(answer),
            )
        )

    return open_client


def always(status: int = 200, **answer: Any) -> Answer:  # noqa: ANN401  any JSON
    return lambda _request: httpx.Response(status, json=answer)


CLUSTER: dict[str, Any] = {"id": 7, "name": "c", "description": None, "status": "started", "type": "postgres15"}
PUBLIC = {"type": "public", "ips": [{"type": "ipv_6", "ip": "2001:db8::1"}, {"type": "ipv_4", "ip": "192.0.2.7"}]}


@pytest.mark.parametrize(
    ("shape", "address"),
    [
        ({"host": "old.example", "ip": "192.0.2.1", "domains": [{"fqdn": "db.example"}]}, "old.example"),
        ({"domains": [{"fqdn": "db.example", "cert_status": "issued"}], "networks": [PUBLIC]}, "db.example"),
        ({"domains": [], "networks": [PUBLIC]}, "192.0.2.7"),
        ({"domains": [], "networks": [{"type": "public", "ips": None}]}, None),
        ({"domains": [], "networks": [{"type": "public", "ips": [{"type": "ipv_4", "ip": None}]}]}, None),
        ({"host": None, "ip": "192.0.2.1"}, "192.0.2.1"),
        ({}, None),
    ],
    ids=["legacy host", "domain", "network", "unassigned", "null address", "legacy address", "none yet"],
)
def test_the_address_is_found_in_both_shapes(shape: dict[str, Any], address: str | None) -> None:
    """G1, G2."""
    assert Cluster.model_validate(CLUSTER | shape).address == address


def test_every_size_is_in_gb_by_its_endpoints_unit() -> None:
    """G12: presets and RAM in MB, disk statistics in KB."""
    assert DatabasePreset.model_validate({"id": 1, "ram": 512, "disk": 8192, "price": 380}).ram_gb == 0.5
    assert DatabasePreset.model_validate({"id": 1, "ram": 512, "disk": 8192}).disk_gb == 8
    assert StoragePreset.model_validate({"id": 1, "disk": 10240}).disk_gb == 10
    today = Cluster.model_validate(CLUSTER | {"ram": 2048, "disk": {"size": 10485760, "used": 486.1}})
    legacy = Cluster.model_validate(CLUSTER | {"disk_stats": {"size": 10485760, "used": 486.1}})
    assert (today.ram_gb, today.disk_gb, legacy.disk_gb) == (2, 10, 10)
    bucket = {"id": 1, "name": "b", "status": "created", "disk_stats": {"size": 10485760, "used": 1}}
    stats = Bucket.model_validate(bucket).disk_stats
    assert stats
    assert stats.size_gb == 10


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 250])
def test_clusters_are_walked_to_the_last_page(against: Callable[[Answer], Timeweb], total: int) -> None:
    """A look-up that misses the last page would make a second cluster."""
    asked: list[tuple[int, int]] = []

    def page(request: httpx.Request) -> httpx.Response:
        limit, offset = int(request.url.params["limit"]), int(request.url.params["offset"])
        asked.append((limit, offset))
        items = [CLUSTER | {"id": number} for number in range(total)][offset : offset + limit]
        return httpx.Response(200, json={"dbs": items, "meta": {"total": total}})

    clusters = against(page).clusters()
    assert [cluster.id for cluster in clusters] == list(range(total))
    assert len(asked) == max(1, -(-total // 100))


def test_a_list_that_moves_under_the_walk_is_walked_again(against: Callable[[Answer], Timeweb]) -> None:
    totals = chain([150], repeat(149))

    def page(request: httpx.Request) -> httpx.Response:
        total, offset = next(totals), int(request.url.params["offset"])
        items = [CLUSTER | {"id": number} for number in range(total)][offset : offset + 100]
        return httpx.Response(200, json={"dbs": items, "meta": {"total": total}})

    assert len(against(page).clusters()) == 149


def test_a_list_that_never_settles_is_an_error(against: Callable[[Answer], Timeweb]) -> None:
    with pytest.raises(ShapeError, match="changed during each of 3 walks"):
        against(always(dbs=[], meta={"total": 3})).clusters()


def test_a_list_without_pages_that_is_short_proves_no_absence(against: Callable[[Answer], Timeweb]) -> None:
    with pytest.raises(ShapeError, match="1 of 2 buckets"):
        against(always(buckets=[{"id": 1, "name": "b", "status": "created"}], meta={"total": 2})).buckets()


def test_an_answer_of_another_shape_is_told_without_its_values(against: Callable[[Answer], Timeweb]) -> None:
    """A7: pydantic would quote the whole object, password and all."""
    with pytest.raises(ShapeError) as caught:
        against(always(admin={"id": "hunter-two", "password": "hunter-two"})).admin("7", "1")
    assert str(caught.value) == "Timeweb: GET /api/v1/databases/7/admins/1: 'admin' has unreadable id, login"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("body", ["<html>", "[]", ""])
def test_what_is_no_json_object_is_no_answer(against: Callable[[Answer], Timeweb], body: str) -> None:
    with pytest.raises(ShapeError, match="not answered with a JSON object"):
        against(lambda _: httpx.Response(200, text=body)).cluster("7")


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        (httpx.Response(204), True),
        (httpx.Response(200, json={"bucket_delete": {"is_moved_in_quarantine": True}}), True),
        (httpx.Response(200, json={"bucket_delete": {"hash": "", "is_moved_in_quarantine": False}}), True),
        (httpx.Response(200, json={"bucket_delete": {"hash": "h-1", "is_moved_in_quarantine": False}}), False),
    ],
    ids=["204", "quarantine", "empty hash", "hash"],
)
def test_only_a_delete_with_a_hash_wants_a_human(
    against: Callable[[Answer], Timeweb], answer: httpx.Response, *, confirmed: bool
) -> None:
    """G16."""
    client = against(lambda _: answer)
    if confirmed:
        client.delete_bucket("7")
        return
    with pytest.raises(ConfirmationNeededError, match="is_able_to_delete"):
        client.delete_bucket("7")


def test_an_account_without_a_signer_is_a_sentence(against: Callable[[Answer], Timeweb]) -> None:
    with pytest.raises(ShapeError, match="cannot be signed"):
        against(always(users=[], meta={"total": 0})).signer()


def test_a_user_create_is_a_create(against: Callable[[Answer], Timeweb]) -> None:
    with pytest.raises(UncertainError):
        against(always(503)).create_storage_user("x")


def test_keys_are_not_in_a_repr() -> None:
    user = StorageUser(id="u", name="n", access_key="hush-1", secret_key="hush-2")
    assert "hush" not in repr(user) + repr(Signer(access_key="hush-3", secret_key="hush-4"))


def test_a_copy_that_the_vendor_names_later_is_no_error(against: Callable[[Answer], Timeweb]) -> None:
    """Clusters of several nodes are answered with `backup: null`."""
    assert against(always(201, backup=None)).create_backup("7", "") is None
