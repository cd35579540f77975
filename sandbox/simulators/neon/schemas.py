"""The request bodies the document allows; anything else in a body, or of another type, is refused."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from sandbox.simulators.bodies import Body
from sandbox.simulators.neon.records import Compute, EndpointType

Name = Annotated[str, Field(min_length=1, max_length=256)]
Identity = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
ComputeUnits = Annotated[float, Field(ge=0.25)]
SuspendSeconds = Annotated[int, Field(ge=-1, le=604800)]
HistorySeconds = Annotated[int, Field(ge=0, le=2592000)]
Seconds = Annotated[int, Field(ge=0)]
PgVersion = Annotated[int, Field(ge=14, le=18)]
Provisioner = Literal["k8s-pod", "k8s-neonvm", "serverless-platform"]
RawSettings = dict[str, str]


class NewQuota(Body):
    """Limits of a project in a billing period."""

    active_time_seconds: Seconds | None = None
    compute_time_seconds: Seconds | None = None
    written_data_bytes: Seconds | None = None
    data_transfer_bytes: Seconds | None = None
    logical_size_bytes: Seconds | None = None


class AllowedIps(Body):
    """Who may connect; stored, not enforced."""

    ips: list[str] | None = None
    protected_branches_only: bool | None = None


class MaintenanceWindow(Body):
    """When the vendor may maintain the project; stored, not simulated."""

    weekdays: list[int]
    start_time: str
    end_time: str


class PreloadLibraries(Body):
    """What computes load; stored, not simulated."""

    use_defaults: bool | None = None
    enabled_libraries: list[str] | None = None


class ProjectSettings(Body):
    """The settings of a project; of these only the quota is more than stored."""

    quota: NewQuota | None = None
    allowed_ips: AllowedIps | None = None
    enable_logical_replication: bool | None = None
    maintenance_window: MaintenanceWindow | None = None
    block_public_connections: bool | None = None
    block_vpc_connections: bool | None = None
    audit_log_level: Literal["base", "extended", "full"] | None = None
    hipaa: bool | None = None
    preload_libraries: PreloadLibraries | None = None


class Sized(Body):
    """A body that may choose the size of a compute and when it is suspended."""

    autoscaling_limit_min_cu: ComputeUnits | None = None
    autoscaling_limit_max_cu: ComputeUnits | None = None
    suspend_timeout_seconds: SuspendSeconds | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.autoscaling_limit_min_cu, self.autoscaling_limit_max_cu
        if low is not None and high is not None and low > high:
            raise ValueError("autoscaling_limit_min_cu is above autoscaling_limit_max_cu")
        return self

    def over(self, known: Compute) -> Compute:
        """The known size with what is chosen here; a maximum below a minimum that was chosen follows it."""
        low = self.autoscaling_limit_min_cu or known.min_cu
        high = self.autoscaling_limit_max_cu or max(known.max_cu, low)
        idle = known.suspend_seconds if self.suspend_timeout_seconds is None else self.suspend_timeout_seconds
        return Compute(min_cu=min(low, high), max_cu=high, suspend_seconds=idle)


class DefaultEndpointSettings(Sized):
    """What the computes of a project are like unless they are told otherwise."""

    pg_settings: RawSettings | None = None
    pgbouncer_settings: RawSettings | None = None


class FirstBranch(Body):
    """The branch made together with a project."""

    name: Name | None = None
    role_name: str | None = None
    database_name: str | None = None
    annotations: dict[str, str] = Field(default_factory=dict)


class NewProject(Body):
    """What is ordered as a project."""

    name: Name | None = None
    settings: ProjectSettings = ProjectSettings()
    branch: FirstBranch = FirstBranch()
    autoscaling_limit_min_cu: ComputeUnits | None = None
    autoscaling_limit_max_cu: ComputeUnits | None = None
    provisioner: Provisioner = "k8s-pod"
    region_id: str | None = None
    default_endpoint_settings: DefaultEndpointSettings = DefaultEndpointSettings()
    pg_version: PgVersion = 17
    store_passwords: bool = True
    history_retention_seconds: HistorySeconds = 86400
    org_id: Identity | None = None


class CreateProject(Body):
    """POST /projects."""

    project: NewProject


class ChangedProject(Body):
    """What may change of a project."""

    name: Name | None = None
    settings: ProjectSettings = ProjectSettings()
    default_endpoint_settings: DefaultEndpointSettings = DefaultEndpointSettings()
    history_retention_seconds: HistorySeconds | None = None


class UpdateProject(Body):
    """PATCH /projects/{id}."""

    project: ChangedProject


class EndpointSettings(Body):
    """Raw settings of a compute; stored, not applied."""

    pg_settings: RawSettings | None = None
    pgbouncer_settings: RawSettings | None = None
    preload_libraries: PreloadLibraries | None = None


class FirstEndpoint(Sized):
    """A compute made together with a branch."""

    type: EndpointType
    settings: EndpointSettings = EndpointSettings()
    provisioner: Provisioner | None = None


class NewBranch(Body):
    """What is ordered as a branch."""

    parent_id: Identity | None = None
    name: Name | None = None
    parent_lsn: str | None = None
    parent_timestamp: AwareDatetime | None = None
    protected: bool = False
    archived: bool = False
    init_source: str = "parent-data"
    expires_at: AwareDatetime | None = None


class CreateBranch(Body):
    """POST /projects/{id}/branches: the body may be left out."""

    endpoints: list[FirstEndpoint] = Field(default_factory=list)
    branch: NewBranch = NewBranch()
    annotation_value: dict[str, str] = Field(default_factory=dict)


class ChangedBranch(Body):
    """What may change of a branch; an expiry of null takes it away."""

    name: Name | None = None
    protected: bool | None = None
    expires_at: AwareDatetime | None = None


class UpdateBranch(Body):
    """PATCH /projects/{id}/branches/{id}."""

    nullable: ClassVar[frozenset[str]] = frozenset({"expires_at"})

    branch: ChangedBranch


class NewEndpoint(FirstEndpoint):
    """What is ordered as a compute."""

    branch_id: Identity
    region_id: str | None = None
    pooler_enabled: bool | None = None
    pooler_mode: Literal["transaction"] | None = None
    disabled: bool = False
    passwordless_access: bool | None = None
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class CreateEndpoint(Body):
    """POST /projects/{id}/endpoints."""

    endpoint: NewEndpoint


class ChangedEndpoint(Sized):
    """What may change of a compute; to move it to another branch is deprecated and refused."""

    provisioner: Provisioner | None = None
    settings: EndpointSettings | None = None
    pooler_enabled: bool | None = None
    pooler_mode: Literal["transaction"] | None = None
    disabled: bool | None = None
    passwordless_access: bool | None = None
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class UpdateEndpoint(Body):
    """PATCH /projects/{id}/endpoints/{id}."""

    endpoint: ChangedEndpoint


class NewDatabase(Body):
    """What is ordered as a database."""

    name: str = Field(min_length=1)
    owner_name: str


class CreateDatabase(Body):
    """POST …/branches/{id}/databases."""

    database: NewDatabase


class ChangedDatabase(Body):
    """What may change of a database."""

    name: str | None = Field(None, min_length=1)
    owner_name: str | None = None


class UpdateDatabase(Body):
    """PATCH …/branches/{id}/databases/{name}."""

    database: ChangedDatabase


class NewRole(Body):
    """What is ordered as a role."""

    name: str = Field(min_length=1)
    no_login: bool = False


class CreateRole(Body):
    """POST …/branches/{id}/roles."""

    role: NewRole
