"""What an account and a stack need once, before the first `up`: looked at, and made where that is safe.

A step that is there is never made again. The secret that administrators' passwords are derived from is made once:
another one would lock everybody out of clusters that exist, so where there are any, a missing one is refused.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from catalogue.plan import DatabasePlan, Plans
from dynamic_providers.errors import ApiError, PresetError, ProviderError
from dynamic_providers.timeweb.models import DatabasePreset, StoragePreset
from dynamic_providers.timeweb.presets import database_preset, storage_preset
from lifecycle.errors import StoreError
from lifecycle.store import Store

Outcome = Literal["present", "made", "missing", "refused"]
ADMIN_SECRET = "tenantry:adminSecret"  # noqa: S105 - the name of the setting
ADMIN_SECRET_VARIABLE = "TENANTRY_ADMIN_SECRET"  # noqa: S105 - the name of the variable
SECRET_BYTES = 32
TOKEN_REFUSED = 401


@dataclass(frozen=True)
class Step:
    """One thing that is needed once: `missing` where it would be made but for `--check`."""

    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class Offer:
    """The sizes that an account is offered: asking for them is also the cheapest proof that its token works."""

    databases: tuple[DatabasePreset, ...]
    storage: tuple[StoragePreset, ...]


def admin_secret(
    configured: str | None,
    environment: str | None,
    *,
    clusters: bool,
    check: bool,
    save: Callable[[str], None],
    make: Callable[[], str] = lambda: secrets.token_hex(SECRET_BYTES),
) -> Step:
    """The step of the administrators' secret; `clusters` says whether the state has any that were made with one."""
    name = ADMIN_SECRET
    if configured and environment and configured != environment:
        both = f"{ADMIN_SECRET_VARIABLE} is another secret than the stack's, and would win: unset it"
        return Step(name, "refused", both)
    if configured or environment:
        where = "in the stack's configuration" if configured else f"in {ADMIN_SECRET_VARIABLE}"
        return Step(name, "present", where)
    if clusters:
        lost = (
            "the stack has clusters, whose administrators' passwords come from a secret that is lost: put the old one "
            "back; a new one would lock everybody out"
        )
        return Step(name, "refused", lost)
    if check:
        return Step(name, "missing", "would be made and saved as a secret of the stack")
    save(make())
    return Step(name, "made", "saved as a secret of the stack; keep a copy where the stack file's passphrase is kept")


def offsite(store: Store, *, check: bool) -> Step:
    """The step of the bucket for tenants' backups, made with the keys that are to write into it."""
    name = "backup:bucket"
    try:
        if store.has_bucket():
            return Step(name, "present", str(store))
        if check:
            return Step(name, "missing", f"would be made: {store}")
        store.make_bucket()
    except StoreError as error:
        return Step(name, "refused", str(error))
    return Step(name, "made", str(store))


def token(ask: Callable[[], Offer]) -> tuple[Step, Offer | None]:
    """The step of the API token, and what the account is offered where it works."""
    name = "timeweb:token"
    try:
        offer = ask()
    except ApiError as error:
        refused = (
            "the provider refuses it: make a new one in its panel" if error.status == TOKEN_REFUSED else str(error)
        )
        return Step(name, "refused", refused), None
    except ProviderError as error:
        return Step(name, "refused", str(error)), None
    return Step(name, "present", f"works; {len(offer.databases)} sizes of databases on offer"), offer


def sizes(plans: Plans, used: Iterable[str], offer: Offer) -> Iterator[Step]:
    """A step for each plan in use: whether the account is offered exactly one size for it, in its first region."""
    for plan in sorted(set(used)):
        name = f"size of plan {plan}"
        try:
            found = _preset(plans, plan, offer)
        except PresetError as error:
            yield Step(name, "refused", str(error))
        else:
            if found is not None:
                yield Step(name, "present", f"preset {found.id}, {found.price:g} a month")


def _preset(plans: Plans, name: str, offer: Offer) -> DatabasePreset | StoragePreset | None:
    """The preset of a plan; None where it has no size of its own, or another provider serves it."""
    plan = plans.database.get(name) or plans.storage.get(name)
    if plan is None or plan.provider != "timeweb":
        return None
    if isinstance(plan, DatabasePlan):
        if plan.size is None:
            return None
        wanted: Mapping[str, float | None] = plan.size.model_dump()
        return database_preset(offer.databases, location=plan.regions[0], preset_id=None, size=wanted)
    return storage_preset(
        offer.storage, location=plan.regions[0], storage_class=plan.storage_class, disk_gb=plan.disk_gb
    )
