"""Entries of `tenants.yaml`: the whole of the design's example is modelled, and each slip gets its sentence."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from catalogue.document import Section, read_document
from catalogue.load import load_fleet
from catalogue.plan import Size
from catalogue.schema import parse
from catalogue.tenant import SecretReference, State, Tenant
from tests.catalogue.fleets import ACME, FleetFolder

# The example of the design document, section 3.1, but for comments and line breaks word for word.
DESIGN = """\
tenants:
  acme:
    name: Acme GmbH
    owner: {email: ops@acme.example, user_id: 7b0c…}
    organization: acme-group
    members: {ann@acme.example: admin, bob@acme.example: viewer}
    since: 2026-11-01
    state: active
    trial_until: 2026-11-15
    paid_until: 2027-11-01
    removed: {on: 2027-12-01, backup: b-17}
    billing: {currency: USD, cycle: yearly, country: DE, timezone: Europe/Berlin}
    database: {plan: timeweb-pro, region: ru-1, branches: {preview: {expires: 2026-12-01}}}
    storage: {plan: timeweb-s3}
    hosting:
      plan: starter
      apps:
        shop:
          {kind: web, image: "acme/shop:1.4", domain: shop.acme.example,
           env: {NODE_ENV: production, KEY: {secret: shop-key}}}
    servers:
      web-1:
        {plan: standard-1gb, provider: digitalocean, region: nyc1, image: ubuntu-22.04, ssh_keys: [ops],
         autostop: off, rebuild: 0}
"""


def _design_example(path: Path) -> Tenant:
    (path / "design.yaml").write_text(DESIGN, encoding="utf-8")
    document = read_document(path / "design.yaml", "design.yaml")
    rows = document.root["tenants"] if document.root is not None else None
    assert isinstance(rows, Section)
    parsed = parse(Tenant, document, ("tenants", "acme"), rows["acme"], id="acme")
    assert parsed.problems == ()
    assert parsed.value is not None
    return parsed.value


def test_the_whole_example_of_the_design_is_modelled(tmp_path: Path) -> None:
    """F9."""
    tenant = _design_example(tmp_path)
    assert tenant.id == "acme"
    assert tenant.owner is not None
    assert tenant.owner.user_id == "7b0c…"
    assert tenant.members == {"ann@acme.example": "admin", "bob@acme.example": "viewer"}
    assert tenant.removed is not None
    assert (tenant.removed.on, tenant.removed.backup) == (date(2027, 12, 1), "b-17")
    assert tenant.database is not None
    assert tenant.database.branches["preview"].expires == date(2026, 12, 1)
    assert tenant.hosting is not None
    assert tenant.hosting.apps["shop"].env == {"NODE_ENV": "production", "KEY": SecretReference(secret="shop-key")}
    assert tenant.servers["web-1"].autostop == "off"
    assert tenant.servers["web-1"].ssh_keys == ("ops",)


def test_of_the_design_example_only_what_this_version_lacks_is_refused(folder: FleetFolder) -> None:
    """G26: nothing in an entry is silently ignored."""
    folder.write("tenants.yaml", DESIGN.replace("    removed: {on: 2027-12-01, backup: b-17}\n", ""))
    assert folder.sentences() == [
        "tenants.yaml:12:49: tenants.acme.database.branches: plan timeweb-pro has no branches: remove the key",
        "tenants.yaml:14:5: tenants.acme.hosting: this version does not provision hosting yet: remove the section",
        "tenants.yaml:20:5: tenants.acme.servers: this version does not provision servers yet: remove the section",
    ]


@pytest.mark.parametrize(
    ("state", "blocked", "protected"),
    [
        (State.TRIAL, False, True),
        (State.ACTIVE, False, True),
        (State.SUSPENDED, True, True),
        (State.TERMINATED, True, False),
    ],
)
def test_a_state_says_whether_a_tenant_is_blocked_and_protected(
    state: State, *, blocked: bool, protected: bool
) -> None:
    """G26, G46."""
    tenant = Tenant(id="acme", state=state)
    assert (tenant.blocked, tenant.protected, tenant.declared) == (blocked, protected, True)


def test_a_removed_tenant_is_no_longer_declared(folder: FleetFolder) -> None:
    """G26."""
    entry = "    state: terminated\n    removed: {on: 2027-12-01, backup: b-17}\n    servers: {}\n"
    folder.write("tenants.yaml", ACME + entry)
    tenant = load_fleet(folder.path, require_placed=False).tenants["acme"]
    assert not tenant.declared
    assert not tenant.protected


def test_a_removed_tenant_may_be_on_a_plan_that_is_no_longer_sold(folder: FleetFolder) -> None:
    entry = "    state: terminated\n    removed: {on: 2027-12-01, backup: b-17}\n"
    folder.write("tenants.yaml", ACME.replace("timeweb-free", "timeweb-gone") + entry)
    assert folder.problems() == ()


def test_a_bare_id_is_a_whole_entry(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", "tenants:\n  acme: {}\n")
    tenant = load_fleet(folder.path, require_placed=False).tenants["acme"]
    assert (tenant.name, tenant.state, tenant.database, tenant.storage) == ("acme", State.ACTIVE, None, None)


def test_an_owner_may_be_just_an_address(folder: FleetFolder) -> None:
    owner = load_fleet(folder.path, require_placed=False).tenants["acme"].owner
    assert owner is not None
    assert (owner.email, owner.user_id) == ("ops@acme.example", None)


def test_a_provider_id_may_be_a_number(folder: FleetFolder) -> None:
    """F22."""
    folder.edit("tenants.yaml", "{plan: timeweb-s3}", "{plan: timeweb-s3, adopt: 4711}")
    storage = load_fleet(folder.path, require_placed=False).tenants["acme"].storage
    assert storage is not None
    assert storage.adopt == "4711"


def test_a_custom_plan_takes_a_size_or_a_preset(folder: FleetFolder) -> None:
    """A30."""
    custom = "{plan: timeweb-enterprise, size: {cpu: 8, ram_gb: 16, disk_gb: 220}}"
    folder.edit("tenants.yaml", "{plan: timeweb-free}", custom)
    database = load_fleet(folder.path, require_placed=False).tenants["acme"].database
    assert database is not None
    assert database.size == Size(cpu=8, ram_gb=16, disk_gb=220)
    folder.edit("tenants.yaml", custom, "{plan: timeweb-enterprise, preset: 126}")
    assert folder.problems() == ()


def test_an_entry_is_frozen() -> None:
    tenant = Tenant(id="acme")
    with pytest.raises(ValidationError):
        tenant.name = "other"  # type: ignore[misc] # the assignment is the subject of the test


ACME_AT = "tenants.acme"
SLIPS = {
    "an unknown key": (
        "    databse: {}\n",
        7,
        5,
        f"{ACME_AT}.databse: unknown key 'databse' (did you mean 'database'?)",
    ),
    "a far-off key": ("    colour: red\n", 7, 5, f"{ACME_AT}.colour: unknown key 'colour'"),
    "the key of the row": ("    id: acme\n", 7, 5, f"{ACME_AT}.id: unknown key 'id'"),
    "an unknown state": (
        "    state: activ\n",
        7,
        5,
        (
            f"{ACME_AT}.state: unknown state 'activ' (did you mean 'active'?): "
            "use one of trial, active, suspended, terminated"
        ),
    ),
    "a state that is no word": (
        "    state: 3\n",
        7,
        5,
        f"{ACME_AT}.state: must be one of 'trial', 'active', 'suspended' or 'terminated', not a number",
    ),
    "a trial without an end": ("    state: trial\n", 2, 3, f"{ACME_AT}.trial_until: is missing: a trial needs an end"),
    "removed without terminated": (
        "    removed: {on: 2027-12-01, backup: b-17}\n",
        7,
        5,
        f"{ACME_AT}.removed: stands only beside `state: terminated`, not active: `lifecycle run` writes it",
    ),
    "removed without a backup": (
        "    removed: {on: 2027-12-01}\n",
        7,
        5,
        f"{ACME_AT}.removed: key 'backup' is missing",
    ),
    "a number for text": (
        "    organization: 12\n",
        7,
        5,
        f"{ACME_AT}.organization: must be text, not a number: put it in quotes",
    ),
    "a list for a mapping": (
        "    billing: [USD]\n",
        7,
        5,
        f"{ACME_AT}.billing: must be a mapping of keys to values, not a list",
    ),
    "a key without a value": (
        "    hosting:\n",
        7,
        5,
        f"{ACME_AT}.hosting: is empty: give it a value or remove the key",
    ),
    "a day that is none": ("    since: 2026-02-30\n", 7, 5, f"{ACME_AT}.since: '2026-02-30' is not in the calendar"),
    "a day in another form": ("    since: 1.11.2026\n", 7, 5, f"{ACME_AT}.since: must be a date like 2026-11-01"),
    "a member's address": ("    members: {ann: admin}\n", 7, 15, f"{ACME_AT}.members.ann: 'ann' is no mail address"),
    "a member's role": (
        "    members: {ann@a.example: admn}\n",
        7,
        15,
        (
            f"{ACME_AT}.members.ann@a.example: unknown ann@a.example 'admn' (did you mean 'admin'?): "
            "use one of owner, admin, developer, viewer"
        ),
    ),
    "an unknown currency": (
        "    billing: {currency: EURO}\n",
        7,
        15,
        f"{ACME_AT}.billing.currency: unknown currency 'EURO' (did you mean 'EUR'?): use one of RUB, EUR, USD",
    ),
    "an app's secret": (
        "    hosting: {plan: starter, apps: {shop: {kind: web, env: {KEY: {secrt: x}}}}}\n",
        7,
        67,
        f"{ACME_AT}.hosting.apps.shop.env.KEY.secrt: unknown key 'secrt' (did you mean 'secret'?)",
    ),
}


@pytest.mark.parametrize("case", SLIPS)
def test_a_slip_in_an_entry_is_told_at_its_line_and_column(folder: FleetFolder, case: str) -> None:
    """F9, G26."""
    lines, line, column, sentence = SLIPS[case]
    folder.write("tenants.yaml", ACME + lines)
    assert f"tenants.yaml:{line}:{column}: {sentence}" in folder.sentences()


SECTIONS = {
    "an unknown plan": (
        "timeweb-free}",
        "timeweb-fre}",
        "tenants.yaml:5:16: tenants.acme.database.plan: unknown plan 'timeweb-fre' (did you mean 'timeweb-free'?)",
    ),
    "a storage plan for a database": (
        "timeweb-free}",
        "timeweb-s3}",
        "tenants.yaml:5:16: tenants.acme.database.plan: plan 'timeweb-s3' is for the section storage",
    ),
    "a plan of another engine that is not sold": (
        "timeweb-free}",
        "neon-fre}",
        "tenants.yaml:5:16: tenants.acme.database.plan: unknown plan 'neon-fre' (did you mean 'neon-free'?)",
    ),
    "a plan without its engine": (
        "timeweb-free}",
        "free}",
        (
            "tenants.yaml:5:16: tenants.acme.database.plan: 'free' is no plan name: "
            "write <engine>-<tier>, like timeweb-pro"
        ),
    ),
    "a region the plan does not offer": (
        "timeweb-free}",
        "timeweb-free, region: ru-3}",
        (
            "tenants.yaml:5:36: tenants.acme.database.region: plan timeweb-free offers ru-1, not region 'ru-3' "
            "(did you mean 'ru-1'?)"
        ),
    ),
    "a size on a plan that has one": (
        "timeweb-free}",
        "timeweb-free, size: {cpu: 1, ram_gb: 2, disk_gb: 20}}",
        (
            "tenants.yaml:5:36: tenants.acme.database.size: plan timeweb-free has its own size: remove size, "
            "or take a custom plan"
        ),
    ),
    "a preset on a plan that has a size": (
        "timeweb-free}",
        "timeweb-free, preset: 123}",
        (
            "tenants.yaml:5:36: tenants.acme.database.preset: plan timeweb-free has its own size: remove preset, "
            "or take a custom plan"
        ),
    ),
    "a custom plan without a size": (
        "timeweb-free}",
        "timeweb-enterprise}",
        (
            "tenants.yaml:5:16: tenants.acme.database.plan: plan timeweb-enterprise has no size of its own: "
            "add preset or size"
        ),
    ),
    "a preset and a size": (
        "timeweb-free}",
        "timeweb-enterprise, preset: 1, size: {cpu: 1, ram_gb: 2, disk_gb: 20}}",
        "tenants.yaml:5:42: tenants.acme.database.preset: preset and size both name a size: keep one of them",
    ),
    "a section without a plan": (
        "{plan: timeweb-free}",
        "{}",
        "tenants.yaml:5:5: tenants.acme.database: key 'plan' is missing",
    ),
    "a word for true": (
        "timeweb-free}",
        "timeweb-free, migrate: yes}",
        "tenants.yaml:5:36: tenants.acme.database.migrate: must be true or false, not text",
    ),
}


@pytest.mark.parametrize("case", SECTIONS)
def test_a_section_is_checked_against_its_plan(folder: FleetFolder, case: str) -> None:
    """A30, F8, F9."""
    old, new, sentence = SECTIONS[case]
    folder.edit("tenants.yaml", old, new)
    assert folder.sentences() == [sentence]


@pytest.mark.parametrize("bad", ["Acme", "a_b", "-acme", "acme-", "a.b", "é", "''", "a" * 41])
def test_an_id_that_is_no_dns_label_is_refused(folder: FleetFolder, bad: str) -> None:
    """F9."""
    folder.write("tenants.yaml", f"tenants:\n  {bad}: {{}}\n")
    (problem,) = folder.problems()
    assert (problem.line, problem.column) == (2, 3)
    assert "use a DNS label (a-z, 0-9, '-' inside) of at most 40" in problem.message


def test_an_id_of_forty_characters_is_taken(folder: FleetFolder) -> None:
    folder.write("tenants.yaml", f"tenants:\n  {'a' * 40}: {{}}\n")
    assert folder.problems() == ()


def test_an_id_whose_bucket_name_s3_would_refuse_is_refused(folder: FleetFolder) -> None:
    """F9."""
    folder.write("tenants.yaml", ACME.replace("acme:", "acme-s3alias:", 1))
    (problem,) = folder.problems()
    assert problem.path == "tenants.acme-s3alias.storage"
    assert "S3 keeps names that end in '-s3alias' for itself" in problem.message


def test_every_slip_of_every_file_is_told_at_once_sorted_by_file_and_line(folder: FleetFolder) -> None:
    """F9."""
    folder.write("tenants.yaml", ACME.replace("timeweb-free", "timeweb-fre") + "    colour: red\n  Beta: {}\n")
    folder.edit("plans.yaml", "[citext, pg_trgm]", "[citex, pg_trgm]")
    folder.edit("prices.yaml", '"380"', "380")
    folder.write("placements.yaml", "clusters: {}\ntenants: {gone: {}}\nmore: 1\n")
    assert [(problem.file, problem.line, problem.path) for problem in folder.problems()] == [
        ("placements.yaml", 2, "tenants.gone"),
        ("placements.yaml", 3, "more"),
        ("plans.yaml", 41, "database.timeweb-free.extensions[0]"),
        ("prices.yaml", 11, "timeweb.databases[0].monthly"),
        ("tenants.yaml", 5, "tenants.acme.database.plan"),
        ("tenants.yaml", 7, "tenants.acme.colour"),
        ("tenants.yaml", 8, "tenants.Beta"),
    ]
