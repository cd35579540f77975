"""Plans: the figures of the requirement book, what follows from them, and the rows that are refused."""

from decimal import Decimal

import pytest

from billing.money import Money
from catalogue.load import load_fleet
from catalogue.plan import Connections, DatabasePlan, Plans, Size
from tests.catalogue.fleets import FleetFolder


@pytest.fixture
def plans(folder: FleetFolder) -> Plans:
    return load_fleet(folder.path, require_placed=False).plans


FIGURES = {
    # name: mode, tenants, size, GB each, backup interval, copies, point in time, offsite
    "timeweb-free": ("shared", 100, "1/2/20", Decimal("0.2"), "none", 0, False, False),
    "timeweb-pro": ("shared", 10, "2/4/40", Decimal(3), "day", 7, False, False),
    "timeweb-pro-plus": ("shared", 3, "4/8/80", Decimal(20), "day", 14, True, False),
    "timeweb-business": ("dedicated", 1, "8/16/220", Decimal(170), "day", 30, True, True),
    "timeweb-enterprise": ("dedicated", 1, "None", None, "day", 30, True, True),
}


def test_the_plans_are_those_of_the_requirement_book(plans: Plans) -> None:
    """A26, A27, A28, A29, A30, A34, A46, A47."""
    written = {
        name: (
            plan.mode,
            plan.tenants_per_cluster,
            str(plan.size),
            plan.database_gb,
            plan.backups.interval,
            plan.backups.keep,
            plan.backups.point_in_time,
            plan.backups.offsite,
        )
        for name, plan in plans.database.items()
        if plan.provider == "timeweb"
    }
    assert written == FIGURES


def test_every_database_plan_is_on_postgres_15(plans: Plans) -> None:
    """A17, B3, G13."""
    for plan in plans.database.values():
        assert (plan.engine, plan.version) == ("postgres", 15)


def test_every_plan_of_timeweb_is_in_ru_1_with_a_sample_price(plans: Plans) -> None:
    """F29."""
    for plan in plans.database.values():
        if plan.provider != "timeweb":
            continue
        assert (plan.regions, plan.sample) == (("ru-1",), True)
        assert plan.price is not None
        assert plan.extensions == ("citext", "pg_trgm")
    assert all(plan.sample and plan.price for plan in plans.storage.values())


def test_the_storage_plans_are_a_timeweb_bucket_and_any_s3_store(plans: Plans) -> None:
    """A22, F2."""
    bucket, store = plans.storage["timeweb-s3"], plans.storage["s3-standard"]
    assert (bucket.shape, bucket.preset, bucket.regions, bucket.visibility) == (
        "timeweb",
        "standard",
        ("ru-1",),
        "private",
    )
    assert (store.shape, store.provider) == ("s3", "s3")


def test_a_sale_price_is_exact_money(plans: Plans) -> None:
    price = plans.database["timeweb-pro"].price
    assert price is not None
    assert price.money == Money(49000, "RUB")


def test_a_plans_short_name_leaves_the_engine_out(plans: Plans) -> None:
    """G40."""
    assert plans.database["timeweb-pro-plus"].short == "pro-plus"


@pytest.mark.parametrize(
    ("places", "pooled", "limit", "capacity"),
    [
        (100, False, 1, 95),
        (100, True, 1, 100),
        (95, False, 1, 95),
        (94, False, 1, 94),
        (60, False, 1, 60),
        (47, False, 2, 47),
        (10, False, 9, 10),
        (10, True, 9, 10),
        (5, False, 19, 5),
        (4, False, 20, 4),
        (3, False, 20, 3),
        (1, False, 20, 1),
    ],
)
def test_limit_and_capacity_follow_from_the_connection_budget(
    places: int, limit: int, capacity: int, *, pooled: bool
) -> None:
    """A39, G6, G9: without a pooler the sum of limits stays within cap - reserve."""
    plan = DatabasePlan(
        name="timeweb-any",
        provider="timeweb",
        mode="shared",
        regions=("ru-1",),
        tenants_per_cluster=places,
        pooled=pooled,
        connections=Connections(cap=100, reserve=5, pool=20),
    )
    assert (plan.connection_limit, plan.capacity) == (limit, capacity)
    assert pooled or plan.capacity * plan.connection_limit <= 95


FREE = "database.timeweb-free"
BUSINESS, ENTERPRISE = "database.timeweb-business", "database.timeweb-enterprise"
PRO_AMOUNT = "database.timeweb-pro.price.amount"
NO_DECIMAL = 'is no decimal: write digits with at most four decimals, like "12.50"'
REFUSED = {
    "another engine": (
        "engine: postgres",
        "engine: mysql",
        f"{FREE}.engine: mysql plans are not provisioned: only postgres is",
    ),
    "an unknown engine": (
        "engine: postgres",
        "engine: postgrs",
        (
            f"{FREE}.engine: unknown engine 'postgrs' (did you mean 'postgres'?): "
            "use one of postgres, mysql, redis, mongodb"
        ),
    ),
    "more GB than the disk": (
        'database_gb: "0.2"',
        'database_gb: "0.21"',
        f"{FREE}.database_gb: 100 x 0.21 GB = 21.00 GB exceed the disk of 20 GB",
    ),
    "no GB": (
        '    database_gb: "0.2"\n',
        "",
        f"{FREE}.database_gb: say how many GB each database gets; only custom plans leave that open",
    ),
    "a budget above the cap": (
        "cap: 100, reserve: 5, pool: 20",
        "cap: 20, reserve: 5, pool: 20",
        f"{FREE}.connections: pool 20 + reserve 5 exceed the cap of 20 connections",
    ),
    "a pooler before a dedicated cluster": (
        'database_gb: "170"\n    connections: {cap: 100, reserve: 5, pool: 20}\n    pooled: false',
        'database_gb: "170"\n    connections: {cap: 100, reserve: 5, pool: 20}\n    pooled: true',
        f"{BUSINESS}.pooled: a dedicated cluster shares its connections with nobody: write false or remove the key",
    ),
    "a pooler that leaves nothing": (
        "connections: {cap: 100, reserve: 5, pool: 20}\n    pooled: false",
        "connections: {cap: 100, reserve: 0, pool: 20}\n    pooled: true",
        f"{FREE}.connections.reserve: a full pooler takes all the others: keep at least 1 connection for us",
    ),
    "an unquoted amount": (
        'amount: "490.00"',
        "amount: 490.00",
        f'{PRO_AMOUNT}: must be a decimal in quotes, like "490.0"',
    ),
    "an amount in words": (
        'amount: "490.00"',
        'amount: "490 RUB"',
        f"{PRO_AMOUNT}: '490 RUB' {NO_DECIMAL}",
    ),
    "a negative amount": (
        'amount: "490.00"',
        'amount: "-1.00"',
        f"{PRO_AMOUNT}: '-1.00' {NO_DECIMAL}",
    ),
    "unquoted GB": ('"0.2"', "0.2", f'{FREE}.database_gb: must be a decimal in quotes, like "0.2"'),
    "an unknown region": (
        "regions: [ru-1]",
        "regions: [ru-9]",
        (
            f"{FREE}.regions[0]: unknown region of timeweb 'ru-9' (did you mean 'ru-3'?): "
            "use one of ru-1, ru-3, pl-1, nl-1, de-1, us-2, us-3"
        ),
    ),
    "a region without buckets": (
        "visibility: private\n    regions: [ru-1]",
        "visibility: private\n    regions: [ru-3]",
        "storage.timeweb-s3.regions[0]: unknown region of timeweb 'ru-3' (did you mean 'ru-1'?): use one of ru-1",
    ),
    "no region": ("regions: [ru-1]", "regions: []", f"{FREE}.regions: must have at least 1 entry"),
    "an unknown provider": (
        "provider: timeweb",
        "provider: timweb",
        f"{FREE}.provider: unknown provider 'timweb' (did you mean 'timeweb'?): use one of timeweb, neon, digitalocean",
    ),
    "another provider's shape": (
        "shape: s3\n    provider: s3",
        "shape: s3\n    provider: timeweb",
        "storage.s3-standard.provider: plans of shape s3 are served by provider s3, not timeweb",
    ),
    "an unknown mode": (
        "mode: shared",
        "mode: share",
        f"{FREE}.mode: unknown mode 'share' (did you mean 'shared'?): use one of shared, dedicated",
    ),
    "a dedicated plan for two": (
        (
            "mode: dedicated\n    engine: postgres\n    version: 15\n    size: {cpu: 8, ram_gb: 16, disk_gb: 220}\n"
            "    regions: [ru-1]\n    tenants_per_cluster: 1"
        ),
        "mode: dedicated\n    regions: [ru-1]\n    tenants_per_cluster: 2",
        f"{BUSINESS}.tenants_per_cluster: a dedicated cluster serves one tenant: write 1 or remove the key",
    ),
    "a custom plan with a size": (
        "size: null",
        "size: {cpu: 8, ram_gb: 16, disk_gb: 220}",
        f"{ENTERPRISE}.size: a custom plan takes its size from the tenant's entry: remove size, or custom",
    ),
    "a shared custom plan": (
        "size: {cpu: 1, ram_gb: 2, disk_gb: 20}",
        "custom: true",
        f"{FREE}.custom: a shared cluster has no tenant whose entry could name its size: use mode dedicated",
    ),
    "copies without an interval": (
        "{interval: none, keep: 0,",
        "{interval: none, keep: 7,",
        f"{FREE}.backups: an interval and a number of copies to keep go together: `none` with 0, `day` with 1 or more",
    ),
    "too many copies": ("keep: 7,", "keep: 100,", "database.timeweb-pro.backups.keep: must be at most 99"),
    "no places": (
        "tenants_per_cluster: 100",
        "tenants_per_cluster: 0",
        f"{FREE}.tenants_per_cluster: must be at least 1",
    ),
    "half a vCPU": ("{cpu: 1,", "{cpu: 0.5,", f"{FREE}.size.cpu: must be a whole number, not a fraction"),
    "a plan without an engine in its name": (
        "  timeweb-free:",
        "  free:",
        "database.free: 'free' is no plan name: write <engine>-<tier>, like timeweb-pro",
    ),
    "one word for a list": ("regions: [ru-1]", "regions: ru-1", f"{FREE}.regions: must be a list, not text"),
    "a section of another version": (
        "storage:\n",
        "hosting: {}\nstorage:\n",
        "hosting: unknown key 'hosting'",
    ),
    "an empty section": (
        "database:\n",
        "database:\ndatabases:\n",
        "database: must be a mapping of keys to values, not empty: write {} where there is none",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_plan_that_cannot_be_kept_is_refused(folder: FleetFolder, case: str) -> None:
    """A8, A34, F9, G9, G40."""
    old, new, sentence = REFUSED[case]
    folder.edit("plans.yaml", old, new)
    problems = [problem for problem in folder.problems() if problem.file == "plans.yaml"]
    assert f"{problems[0].path}: {problems[0].message}" == sentence, problems


@pytest.mark.parametrize("extension", ["plpython3u", "postgres_fdw", "dblink", "file_fdw", "adminpack", "pg_trg"])
def test_an_extension_that_is_not_trusted_is_refused(folder: FleetFolder, extension: str) -> None:
    """A37: a tenant reaches nothing outside its schema."""
    folder.edit("plans.yaml", "[citext, pg_trgm]", f"[citext, {extension}]")
    (problem,) = folder.problems()
    assert problem.path == "database.timeweb-free.extensions[1]"
    assert f"unknown extension '{extension}'" in problem.message


def test_a_tenant_is_not_blamed_for_a_plan_that_is_at_fault_itself(folder: FleetFolder) -> None:
    folder.edit("plans.yaml", "mode: shared", "mode: share")
    assert {problem.file for problem in folder.problems()} == {"plans.yaml"}


def test_a_plan_without_a_price_is_provisioned_all_the_same(folder: FleetFolder) -> None:
    """F29."""
    folder.edit("plans.yaml", 'price: {amount: "490.00", currency: RUB}', "price: null")
    assert load_fleet(folder.path, require_placed=False).plans.database["timeweb-pro"].price is None


def test_a_plan_may_take_its_size_from_the_stacks_default_preset(folder: FleetFolder) -> None:
    """A52."""
    folder.edit("plans.yaml", "    size: {cpu: 1, ram_gb: 2, disk_gb: 20}\n", "")
    assert load_fleet(folder.path, require_placed=False).plans.database["timeweb-free"].size is None


def test_sizes_are_equal_by_their_figures() -> None:
    """A31."""
    assert Size(cpu=1, ram_gb=2, disk_gb=20) == Size(cpu=1, ram_gb=2, disk_gb=20)
