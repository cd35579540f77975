"""The server behind a branch: what it should hold, and its start."""

from sandbox.simulators.neon.records import Branch, Project
from sandbox.simulators.neon.state import State
from sandbox.simulators.servers import AdminWanted, Contents

# The vendor makes every role of its API a member of this one, and has it bypass row level security.
SUPERUSER_GROUP = "neon_superuser"
GROUPS = {SUPERUSER_GROUP: ("pg_read_all_data", "pg_write_all_data")}
ATTRIBUTES = ("BYPASSRLS", "REPLICATION")


def launch(state: State, project: Project, branch: Branch) -> None:
    """Begin to start the server of a branch; a new one with the data of the branch it comes from."""
    engine = f"postgres{project.pg_version}"
    state.servers.launch(branch.id, engine, contents(state, branch.id), copy_of=branch.parent_id)


def restart(state: State, project: Project, branch: Branch) -> None:
    """End the server of a branch with its sessions, and begin to start it again."""
    state.servers.halt(branch.id)
    launch(state, project, branch)


def contents(state: State, branch_id: int) -> Contents:
    """What the server of a branch should hold."""
    return Contents(
        databases={each.name: each.owner_name for each in state.databases.having("branch_id", branch_id)},
        admins=tuple(
            AdminWanted(
                login=each.name,
                password=each.password or "",
                create_database=True,
                create_role=True,
                everywhere=False,
                privileges={},
                log_in=each.password is not None,
                attributes=ATTRIBUTES,
                groups=(SUPERUSER_GROUP,),
            )
            for each in state.roles.having("branch_id", branch_id)
        ),
        groups=GROUPS,
    )
