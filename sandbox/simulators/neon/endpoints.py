"""Rules for computes: one that writes per branch, a size, and whether it runs."""

from sandbox.simulators.neon import hosting, operations
from sandbox.simulators.neon.errors import ConflictError, NotFoundError, UnprocessableError
from sandbox.simulators.neon.operations import Fate, Step
from sandbox.simulators.neon.records import Action, Branch, Endpoint, Operation, Project, Run, new_words
from sandbox.simulators.neon.schemas import ChangedEndpoint, FirstEndpoint, NewEndpoint
from sandbox.simulators.neon.state import State

# What the vendor takes 0 for.
USUAL_SUSPEND_SECONDS = 300


def get(state: State, project: Project, key: str) -> Endpoint:
    """A compute of this project."""
    endpoint = _find(state, project, key)
    if endpoint is None:
        raise NotFoundError("endpoint not found")
    return endpoint


def of_project(state: State, project_id: int) -> list[Endpoint]:
    """The computes of a project's branches that are not deleted, oldest first."""
    alive = {each.id for each in state.branches.having("project_id", project_id) if each.deleted_at is None}
    found = state.endpoints.having("project_id", project_id)
    return [each for each in found if each.deleted_at is None and each.branch_id in alive]


def of_branch(state: State, branch_id: int) -> list[Endpoint]:
    """The computes of a branch, the one that writes first."""
    found = [each for each in state.endpoints.having("branch_id", branch_id) if each.deleted_at is None]
    return sorted(found, key=lambda each: each.type != "read_write")


def add(state: State, project: Project, branch: Branch, order: FirstEndpoint | None = None) -> Endpoint:
    """Record a new compute; what is not ordered is as the project has it."""
    wanted = order or FirstEndpoint(type="read_write")
    if wanted.type == "read_write" and any(each.type == "read_write" for each in of_branch(state, branch.id)):
        raise ConflictError("branch already has a read_write endpoint")
    now = state.clock()
    return state.endpoints.add(
        Endpoint(
            words=new_words(),
            project_id=project.id,
            branch_id=branch.id,
            type=wanted.type,
            name=wanted.name if isinstance(wanted, NewEndpoint) else None,
            provisioner=wanted.provisioner or project.provisioner,
            compute=wanted.over(project.compute),
            disabled=isinstance(wanted, NewEndpoint) and wanted.disabled,
            created_at=now,
            updated_at=now,
            runs=(Run(begin=now),),
            settings=wanted.settings.model_dump(exclude_none=True),
        )
    )


def create(
    state: State, project: Project, branch: Branch, order: NewEndpoint, fate: Fate
) -> tuple[Endpoint, list[Operation]]:
    """Give a branch a compute and start it."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        endpoint = add(state, project, branch, order)
        steps = [] if endpoint.disabled else [Step("start_compute", branch.id, endpoint.id, needs_server=True)]
        scheduled = operations.schedule(state, project.id, steps, fate)
    if not endpoint.disabled:
        hosting.launch(state, project, branch)
    return endpoint, scheduled


def update(
    state: State, project: Project, key: str, change: ChangedEndpoint, fate: Fate
) -> tuple[Endpoint, list[Operation]]:
    """Change what was given; one that is disabled ends, and one that is enabled starts."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        before = get(state, project, key)
        now = state.clock()
        values: dict[str, object] = {
            "updated_at": now,
            "compute": change.over(before.compute),
            **change.model_dump(include={"provisioner", "disabled", "name", "settings"}, exclude_none=True),
        }
        steps = [Step("apply_config", before.branch_id, before.id)]
        if change.disabled and not before.disabled:
            values["runs"] = _ended(before, now)
            steps.append(Step("suspend_compute", before.branch_id, before.id))
        if change.disabled is False and before.disabled:
            values["runs"] = (*before.runs, Run(begin=now))
            steps.append(Step("start_compute", before.branch_id, before.id, needs_server=True))
        endpoint = state.endpoints.put(before.model_copy(update=values))
        scheduled = operations.schedule(state, project.id, steps, fate)
    if endpoint.disabled and not before.disabled:
        state.servers.halt(endpoint.branch_id)
    elif before.disabled and not endpoint.disabled:
        hosting.launch(state, project, _branch(state, endpoint))
    return endpoint, scheduled


def delete(state: State, project: Project, key: str, fate: Fate) -> tuple[Endpoint, list[Operation]] | None:
    """Take a compute away; None if there is none. The branch keeps its data."""
    with state.database.transaction():
        endpoint = _find(state, project, key)
        if endpoint is None:
            return None
        operations.require_idle(state, project.id)
        now = state.clock()
        runs = _ended(endpoint, now)
        endpoint = state.endpoints.put(endpoint.model_copy(update={"runs": runs, "deleted_at": now}))
        steps = [Step("suspend_compute", endpoint.branch_id, endpoint.id)]
        scheduled = operations.schedule(state, project.id, steps, fate)
        others = of_branch(state, endpoint.branch_id)
    if not others:
        state.servers.halt(endpoint.branch_id)
    return endpoint, scheduled


def start(state: State, project: Project, key: str, fate: Fate) -> tuple[Endpoint, list[Operation]]:
    """Start a compute; one that runs is left alone."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        endpoint = _enabled(state, project, key)
        if not is_idle(state, endpoint):
            return endpoint, []
        return _begin(state, project, endpoint, ("start_compute",), fate)


def suspend(state: State, project: Project, key: str, fate: Fate) -> tuple[Endpoint, list[Operation]]:
    """End a compute and its sessions; the next connection finds it again, as the vendor's proxy would wake it."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        endpoint = _enabled(state, project, key)
        runs = _ended(endpoint, state.clock())
        endpoint = state.endpoints.put(endpoint.model_copy(update={"runs": runs, "updated_at": state.clock()}))
        steps = [Step("suspend_compute", endpoint.branch_id, endpoint.id, needs_server=True)]
        scheduled = operations.schedule(state, project.id, steps, fate)
    hosting.restart(state, project, _branch(state, endpoint))
    return endpoint, scheduled


def restart(state: State, project: Project, key: str, fate: Fate) -> tuple[Endpoint, list[Operation]]:
    """End a compute and its sessions, and start it again."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        endpoint = _enabled(state, project, key)
        made = _begin(state, project, endpoint, ("suspend_compute", "start_compute"), fate)
    hosting.restart(state, project, _branch(state, endpoint))
    return made


def is_idle(state: State, endpoint: Endpoint) -> bool:
    """Whether a compute does not run: it was suspended, or nobody had it started for long enough."""
    now = state.clock()
    return endpoint.disabled or run_end(endpoint, endpoint.runs[-1], now) < now


def run_end(endpoint: Endpoint, run: Run, now: float) -> float:
    """When a run ended, if need be by its timeout; now for one that goes on."""
    if run.end is not None:
        return run.end
    idle = endpoint.compute.suspend_seconds or USUAL_SUSPEND_SECONDS
    return now if idle < 0 else min(now, run.begin + idle)


def end_runs(state: State, branch_id: int, at: float) -> None:
    """Note that the computes of a branch have ended."""
    for endpoint in of_branch(state, branch_id):
        state.endpoints.put(endpoint.model_copy(update={"runs": _ended(endpoint, at)}))


def begin_runs(state: State, branch_id: int) -> None:
    """Note that the computes of a branch that are not disabled have started."""
    for endpoint in of_branch(state, branch_id):
        if not endpoint.disabled:
            runs = (*endpoint.runs, Run(begin=state.clock()))
            state.endpoints.put(endpoint.model_copy(update={"runs": runs}))


def _begin(
    state: State, project: Project, endpoint: Endpoint, actions: tuple[Action, ...], fate: Fate
) -> tuple[Endpoint, list[Operation]]:
    now = state.clock()
    runs = (*_ended(endpoint, now), Run(begin=now))
    endpoint = state.endpoints.put(endpoint.model_copy(update={"runs": runs, "updated_at": now}))
    steps = [
        Step(action, endpoint.branch_id, endpoint.id, needs_server=action == "start_compute") for action in actions
    ]
    return endpoint, operations.schedule(state, project.id, steps, fate)


def _ended(endpoint: Endpoint, at: float) -> tuple[Run, ...]:
    last = endpoint.runs[-1]
    return (*endpoint.runs[:-1], Run(begin=last.begin, end=run_end(endpoint, last, at)))


def _branch(state: State, endpoint: Endpoint) -> Branch:
    branch = state.branches.find(endpoint.branch_id)
    if branch is None:
        raise NotFoundError("branch not found")
    return branch


def _enabled(state: State, project: Project, key: str) -> Endpoint:
    endpoint = get(state, project, key)
    if endpoint.disabled:
        raise UnprocessableError("endpoint is disabled")
    return endpoint


def _find(state: State, project: Project, key: str) -> Endpoint | None:
    return next((each for each in of_project(state, project.id) if each.key == key), None)
