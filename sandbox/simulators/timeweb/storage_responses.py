"""Handlers for buckets, storage users and the account: request in, rule, document's shape out."""

from uuid import uuid4

from sandbox.simulators.timeweb import buckets, storage_users, views
from sandbox.simulators.timeweb.calls import Answer, Call
from sandbox.simulators.timeweb.errors import NotFoundError
from sandbox.simulators.timeweb.presets import COUNTRIES, DATABASE_PRESETS, DATABASE_TYPES, GB, STORAGE_PRESETS, ZONES
from sandbox.simulators.timeweb.schemas import CreateBucket, CreateStorageUser, UpdateBucket, UpdateSigner
from sandbox.simulators.timeweb.state import State

_HOURS_PER_MONTH = 732
_BALANCE = 100_000


def get_database_preset(_state: State, call: Call) -> Answer:
    """One size for clusters."""
    preset = DATABASE_PRESETS.get(call.number("preset_id"))
    if preset is None:
        raise NotFoundError
    return Answer(200, {"databases_preset": views.database_preset(preset)})


def list_storage_presets(_state: State, _call: Call) -> Answer:
    """The sizes for buckets."""
    shown = [views.storage_preset(preset) for preset in STORAGE_PRESETS.values()]
    return Answer(200, {"storages_presets": shown, "meta": {"total": len(shown)}})


def list_buckets(state: State, _call: Call) -> Answer:
    """All buckets; this list has no pages."""
    shown = [views.bucket(state, record) for record in state.buckets.all()]
    return Answer(200, {"buckets": shown, "meta": {"total": len(shown)}})


def create_bucket(state: State, call: Call) -> Answer:
    """Make a bucket."""
    return Answer(201, {"bucket": views.bucket(state, buckets.create(state, call.body(CreateBucket)))})


def get_bucket(state: State, call: Call) -> Answer:
    """One bucket."""
    return Answer(200, {"bucket": views.bucket(state, buckets.get(state, call.number("bucket_id")))})


def update_bucket(state: State, call: Call) -> Answer:
    """Change a bucket."""
    changed = buckets.update(state, call.number("bucket_id"), call.body(UpdateBucket))
    return Answer(200, {"bucket": views.bucket(state, changed)})


def delete_bucket(state: State, call: Call) -> Answer:
    """Delete a bucket, move it to quarantine, or ask for a confirmation; all of them answer 200."""
    bucket_id = call.number("bucket_id")
    confirmation = call.query.get("hash")
    if confirmation is None and call.struck_by("delete-needs-confirmation"):
        pending = buckets.request_deletion(state, bucket_id)
        return Answer(200, {"bucket_delete": {"hash": pending, "is_moved_in_quarantine": False}})
    quarantined = buckets.delete(state, bucket_id, confirmation)
    return Answer(200, {"bucket_delete": {"is_moved_in_quarantine": quarantined}})


def list_signers(state: State, _call: Call) -> Answer:
    """The account's own storage user, which signs grants."""
    return Answer(200, {"users": [views.signer(state.account)], "meta": {"total": 1}})


def update_signer(state: State, call: Call) -> Answer:
    """Give the account's own storage user another secret key."""
    order = call.body(UpdateSigner)
    account = storage_users.rekey_signer(state, call.number("user_id"), order.secret_key)
    return Answer(200, {"user": views.signer(account)})


def list_storage_users(state: State, _call: Call) -> Answer:
    """The scoped storage users, without their secrets."""
    shown = [views.storage_user(user) for user in state.storage_users.all()]
    return Answer(200, {"iam_users": shown, "meta": {"total": len(shown)}, "response_id": str(uuid4())})


def create_storage_user(state: State, call: Call) -> Answer:
    """Make a scoped storage user; the answer is the only one with its secret key."""
    user = storage_users.create(state, call.body(CreateStorageUser).name)
    return Answer(200, {"iam_user": views.storage_user(user, with_secret=True), "response_id": str(uuid4())})


def get_storage_user(state: State, call: Call) -> Answer:
    """One scoped storage user, without its secret."""
    user = storage_users.get(state, call.path["user_id"])
    return Answer(200, {"iam_user": views.storage_user(user), "response_id": str(uuid4())})


def delete_storage_user(state: State, call: Call) -> Answer:
    """Remove a scoped storage user with its policy."""
    storage_users.delete(state, call.path["user_id"])
    return Answer(204)


def get_account_status(_state: State, _call: Call) -> Answer:
    """Whether the account may work."""
    status: views.Json = {
        "is_blocked": False,
        "is_permanent_blocked": False,
        "is_send_bill_letters": False,
        "company_info": {"id": 0, "name": "Sandbox"},
        "last_password_changed_at": "2026-01-01T00:00:00Z",
        "ym_client_id": None,
    }
    return Answer(200, {"status": status})


def get_finances(state: State, _call: Call) -> Answer:
    """Balance and monthly cost in roubles."""
    monthly = views.costs(state).monthly
    hourly = monthly / _HOURS_PER_MONTH
    finances: views.Json = {
        "balance": _BALANCE,
        "currency": "RUB",
        "discount_end_date_at": None,
        "discount_percent": 0,
        "hourly_cost": hourly,
        "hourly_fee": hourly,
        "monthly_cost": monthly,
        "monthly_fee": monthly,
        "total_paid": 0,
        "hours_left": int(_BALANCE / hourly) if hourly else None,
        "autopay_card_info": None,
    }
    return Answer(200, {"finances": finances})


def list_service_costs(state: State, _call: Call) -> Answer:
    """What every service costs in a month."""
    services = views.costs(state).services
    return Answer(200, {"services_costs": services, "meta": {"total": len(services)}})


def list_database_types(_state: State, _call: Call) -> Answer:
    """The engines and versions on offer."""
    shown = [
        {
            "name": entry.name,
            "version": entry.version,
            "type": entry.type,
            "is_available_replication": False,
            "is_deprecated": False,
            "requirements": {"cpu_min": 1, "ram_min": GB, "disk_min": 8 * GB},
        }
        for entry in DATABASE_TYPES.values()
    ]
    return Answer(200, {"types": shown, "meta": {"total": len(shown)}})


def list_locations(_state: State, _call: Call) -> Answer:
    """Where things may be ordered."""
    shown = [
        {"location": location, "location_code": COUNTRIES[location], "availability_zones": list(zones)}
        for location, zones in ZONES.items()
    ]
    return Answer(200, {"locations": shown, "meta": {"total": len(shown)}})
