"""Listing and removing what native plugins made, by mark, against toys of the three clouds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.errors import ProviderError
from dynamic_providers.listers import DIGITALOCEAN, HETZNER, LINODE, Host, Lister, Native, Owner, open_listers
from dynamic_providers.marks import Mark, Marked, labels, named, tag
from tests.engines.native import toy_digitalocean, toy_hetzner, toy_linode
from tests.engines.native.field import Vendor
from tests.engines.native.toy_cloud import TOKEN, Row, ToyCloud, serve

OURS, THEIRS = Mark("prod", "web-1"), Mark("prod-eu", "web-1")
VENDORS = {
    "hetzner": Vendor(HETZNER, "hcloud", toy_hetzner.routes, toy_hetzner.refuse, "/v1"),
    "digitalocean": Vendor(DIGITALOCEAN, "digitalocean", toy_digitalocean.routes, toy_digitalocean.refuse),
    "linode": Vendor(LINODE, "linode", toy_linode.routes, toy_linode.refuse),
}
# vendor → kind of the toy, type, path of a listing, and an object of a mark
KINDS: dict[str, tuple[str, str, str]] = {
    "hetzner": ("servers", "hcloud:index/server:Server", "/v1/servers"),
    "digitalocean": ("droplets", "digitalocean:index/droplet:Droplet", "/v2/droplets"),
    "linode": ("instances", "linode:index/instance:Instance", "/v4/linode/instances"),
}


def thing(vendor: str, id_: int, mark: Mark | None) -> Row:
    """An object as its vendor lists it, as far as the lister looks."""
    tags = {"tags": ["web", *([tag(mark)] if mark else [])]}
    base: Row = {"id": id_, "name": "a-name", "label": "a-name", "status": "running"}
    own: dict[str, Row] = {
        "hetzner": {"server_type": {"name": "cpx11"}, "labels": labels(mark) if mark else {}},
        "digitalocean": {"size_slug": "s-1vcpu-1gb", **tags},
        "linode": {"type": "g6-nanode-1", **tags},
    }
    return {**base, **own[vendor]}


@pytest.fixture(params=list(VENDORS))
def account(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ToyCloud, Lister]]:
    """A vendor's toy with two of ours, one of another stack, and one that nobody marked."""
    vendor = VENDORS[request.param]
    cloud, database = serve(tmp_path, vendor.routes, vendor.refuse)
    settings = {
        vendor.native.url[0]: f"{cloud.url}{vendor.path}",
        vendor.native.token[0]: TOKEN,
        "tenantry:rateDir": str(tmp_path / "pace"),
        "timeweb:pollSeconds": "0.01",
    }
    (tmp_path / "pace").mkdir(mode=0o700)
    monkeypatch.delenv("TENANTRY_RATE_DIR")
    for id_, mark in enumerate((OURS, THEIRS, None, Mark("prod", "web-2")), 1):
        cloud.add(KINDS[request.param][0], thing(request.param, id_, mark))
    (lister,) = vendor.native(settings, Owner("prod", "prod"))
    yield request.param, cloud, lister
    assert cloud.server is not None
    cloud.server.stop()
    database.close()


def test_what_carries_our_mark_is_found_and_nothing_else(account: tuple[str, ToyCloud, Lister]) -> None:
    """G43: another stack's mark that begins like ours is not ours."""
    vendor, cloud, lister = account
    found = list(lister.marked())
    type_ = KINDS[vendor][1]
    assert [(item.type, item.name, item.id) for item in found] == [(type_, "web-1", "1"), (type_, "web-2", "4")]
    assert all(item.charged and item.holds_data and item.proven and item.size for item in found)
    assert type_ in lister.types
    assert cloud.changes() == []


def test_what_is_removed_is_read_back_as_gone(account: tuple[str, ToyCloud, Lister]) -> None:
    vendor, cloud, lister = account
    first, second = lister.marked()
    cloud.log.clear()
    lister.remove(first)
    path = f"{KINDS[vendor][2]}/1"
    assert cloud.calls() == [f"DELETE {path}", f"GET {path}"]
    assert [item.id for item in lister.marked()] == [second.id]
    cloud.log.clear()
    lister.remove(first)
    assert cloud.calls() == [f"DELETE {path}"]


def test_a_refused_token_is_told_with_its_vendor(account: tuple[str, ToyCloud, Lister]) -> None:
    vendor, cloud, lister = account
    cloud.strike("token-refused", "GET", ".*")
    with pytest.raises(ProviderError, match=rf"(?i)^{vendor} API error: 401") as refused:
        list(lister.marked())
    assert TOKEN not in str(refused.value)


def test_hetzner_s_pages_are_followed_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = VENDORS["hetzner"]
    cloud, database = serve(tmp_path, vendor.routes, vendor.refuse)
    try:
        monkeypatch.delenv("TENANTRY_RATE_DIR")
        (tmp_path / "pace").mkdir(mode=0o700)
        for number in range(toy_hetzner.PER_PAGE + 1):
            cloud.add("ssh_keys", {"id": number, "name": f"k{number}", "labels": labels(Mark("prod", f"k{number}"))})
        where = {vendor.native.url[0]: f"{cloud.url}/v1", vendor.native.token[0]: TOKEN}
        (lister,) = vendor.native({**where, "tenantry:rateDir": str(tmp_path / "pace")}, Owner("prod", "prod"))
        assert len({item.id for item in lister.marked()}) == toy_hetzner.PER_PAGE + 1
        assert cloud.calls("GET").count("GET /v1/ssh_keys") == 2
    finally:
        assert cloud.server is not None
        cloud.server.stop()
        database.close()


@pytest.mark.parametrize("native", [HETZNER, DIGITALOCEAN, LINODE], ids=lambda native: native.vendor)
def test_a_vendor_without_a_token_is_not_asked(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(native.token[1], raising=False)
    assert native({}, Owner("prod", "prod")) == []


def test_digitalocean_s_clusters_of_ours_are_places_to_look_into(tmp_path: Path) -> None:
    """Ours, of PostgreSQL, and born: before it is online for the first time nothing is in a cluster."""
    cloud, database = serve(tmp_path, toy_digitalocean.routes, toy_digitalocean.refuse)
    at = {"host": "db.example", "port": 25060, "user": "doadmin", "password": "sentinel", "database": "defaultdb"}
    base = {"name": "a", "engine": "pg", "status": "online", "connection": at, "tags": [tag(OURS)]}
    odd: dict[str, Row] = {
        "ours": {},
        "theirs": {"tags": [tag(THEIRS)]},
        "mysql": {"engine": "mysql"},
        "new": {"status": "creating"},
    }
    for id_, row in odd.items():
        cloud.add("databases", {**base, "id": id_, **row})
    settings = {"digitalocean:apiEndpoint": cloud.url, "digitalocean:token": TOKEN}
    (lister,) = DIGITALOCEAN(settings, Owner("prod", "prod"))
    assert isinstance(lister, Host)
    (place,) = lister.places()
    assert (place.server.access, place.server.server_id, place.server.database) == ("digitalocean", "ours", "defaultdb")
    assert (place.address.login, place.address.ca) == ("doadmin", toy_digitalocean.AUTHORITY)
    assert place.server.cluster_mark == str(OURS)
    assert cloud.server is not None
    cloud.server.stop()
    database.close()


def test_every_vendor_with_a_token_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (HETZNER, DIGITALOCEAN, LINODE):
        monkeypatch.setenv(native.token[1], TOKEN)
        monkeypatch.delenv(native.url[1], raising=False)
    monkeypatch.delenv("TIMEWEB_CLOUD_TOKEN", raising=False)
    types = [type_ for lister in open_listers({}, Owner("prod", "prod")) for type_ in lister.types]
    # What is in DigitalOcean's databases is listed too, and goes before them.
    assert list(dict.fromkeys(type_.partition(":")[0] for type_ in types)) == [
        "pulumi-python",
        "hcloud",
        "digitalocean",
        "linode",
    ]


def test_a_hash_stands_for_a_name_that_is_too_long_and_is_told_by_the_name() -> None:
    """Design rule 1."""
    long = Mark("prod", "a" * 70)
    assert labels(long)["tenantry-name"] == tag(long, 50).rpartition(":")[2]
    assert len(labels(long)["tenantry-name"]) == 16
    assert labels(OURS) == {"tenantry-stack": "prod", "tenantry-name": "web-1"}
    assert (tag(OURS), tag(OURS, 50), tag(long)) == (str(OURS), str(OURS), str(long))
    item = Marked("a:type", labels(long)["tenantry-name"], "1", "a thing", holds_data=False)
    assert [found.name for found in named([item], ["web-1", "a" * 70])] == ["a" * 70]
    assert named([item], ["web-1"]) == [item]
