"""The tenants' records in the platform database: who they are, on which plan, and who may do what for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import pulumi

from catalogue.plan import DatabasePlan, Limits
from catalogue.tenant import State, Tenant
from dynamic_providers.postgres.platform.records import PlanType, Role, Status, record_name
from dynamic_providers.postgres.platform_tenant import PlatformTenant, PlatformTenantArgs

# A tenant that leaves keeps its data until it is removed: it is not deleted yet, and nothing runs for it.
STATUSES: Mapping[State, Status] = {
    State.TRIAL: "active",
    State.ACTIVE: "active",
    State.SUSPENDED: "suspended",
    State.TERMINATED: "suspended",
}
PLAN_TYPES: tuple[PlanType, ...] = get_args(PlanType)
DEFAULT_PLAN_TYPE: PlanType = "free"


@dataclass(frozen=True)
class RecordArgs:
    """A tenant with the plan and the details of its database, if it has one."""

    tenant: Tenant
    plan: DatabasePlan | None
    base_stack: str
    database: Mapping[str, Any] | None


def declare_record(args: RecordArgs, lane: pulumi.ProviderResource) -> None:
    """The tenant's record, made after its database. It holds no data, so nothing keeps it from going."""
    tenant, owner = args.tenant, args.tenant.owner
    user = (owner.user_id or owner.email) if owner else None
    PlatformTenant(
        record_name(tenant.id),
        PlatformTenantArgs(
            tenant=tenant.id,
            name=tenant.name,
            reference=f"pulumi:{args.base_stack}/{tenant.id}",
            plan_type=plan_type(args.plan),
            status=STATUSES[tenant.state],
            limits=(args.plan.limits if args.plan else Limits()).model_dump(),
            permissions={**permissions(tenant)},
            user_id=user,
            organization_id=tenant.organization,
            billing_email=owner.email if owner else None,
            granted_by=user,
            served_by=_served_by(args.database) if args.database else "",
        ),
        pulumi.ResourceOptions(provider=lane),
    )


def permissions(tenant: Tenant) -> Mapping[str, Role]:
    """Users with their roles: members are known by their addresses, the owner by its id where it has one."""
    owner: Mapping[str, Role] = {tenant.owner.user_id or tenant.owner.email: "owner"} if tenant.owner else {}
    return {**tenant.members, **owner}


def plan_type(plan: DatabasePlan | None) -> PlanType:
    """The class of a plan: its tier where that is one (`neon-team`, `timeweb-pro-plus`), else by what it shares.

    A tier of another name with a cluster of its own is `enterprise`, without one `pro`.
    """
    if plan is None:
        return DEFAULT_PLAN_TYPE
    tier = plan.short.partition("-")[0]
    found = next((known for known in PLAN_TYPES if known == tier), None)
    return found or ("enterprise" if plan.mode == "dedicated" else "pro")


def _served_by(database: Mapping[str, Any]) -> pulumi.Output[str]:
    """Who serves the tenant, known once it can log in there. The password itself is not used."""
    made = pulumi.Output.all(database["password"]).apply(lambda _: str(database["provider"]))
    return pulumi.Output.unsecret(made)
