"""What of ours is in a Neon account: projects, and the way into each. Their branches and databases go with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from dynamic_providers.marks import Mark, Marked
from dynamic_providers.neon.models import Branch, Project
from dynamic_providers.neon.project import ANNOTATION, DATABASE, ROLE, ProjectProvider
from dynamic_providers.neon.session import Session
from dynamic_providers.postgres.access import NEON, Reach
from dynamic_providers.postgres.inputs import Server
from dynamic_providers.postgres.marked import Place
from dynamic_providers.waiting import found_by

PROJECT = "pulumi-python:dynamic/neon:Project"


@dataclass(frozen=True)
class _Held:
    """A project with our prefix, its default branch, and the mark that this one carries."""

    project: Project
    branch: Branch | None
    mark: Mark | None


@dataclass(frozen=True)
class NeonLister:
    """Finds and removes what is ours in one account.

    A name that begins with our prefix may be another stack's: it is ours for certain where its default branch carries
    our mark, which a project that was adopted does not have.
    """

    session: Session
    stack: str
    prefix: str
    types = (PROJECT,)

    def marked(self) -> Iterator[Marked]:
        """Every project with our prefix, unless its mark is another stack's."""
        for held in self._ours:
            yield self._marked(held.project, held.mark)

    def remove(self, found: Marked) -> None:
        """Delete a project with all it holds, and read back that it is gone."""
        provider = ProjectProvider()
        provider.connect(self.session)
        provider.delete(found.id, dict(found.props))

    def places(self) -> Iterator[Place]:
        """The databases of our projects, but for those that lack what `up` makes again."""
        reach, neon = Reach(self.session.configuration), self.session.neon
        for held in self._ours:
            if held.branch is None:
                continue
            where = (held.project.id, held.branch.id)
            self.session.settle_all(held.project.id)
            place = found_by(partial(neon.place, *where, DATABASE, ROLE, pooled=False))
            if place is not None:
                server = Server(
                    host=place.host,
                    port=place.port,
                    database=DATABASE,
                    admin_login=ROLE,
                    cluster_mark="",
                    access=NEON,
                    server_id="/".join(where),
                )
                yield Place(server, reach.address(server))

    @cached_property
    def _ours(self) -> list[_Held]:
        projects = self.session.neon.projects(self.session.configuration.neon_org_id)
        named = [each for each in projects if each.name.startswith(f"{self.prefix}-") and not each.deleted_at]
        return [held for held in map(self._held, named) if held.mark is None or held.mark.stack == self.stack]

    def _held(self, project: Project) -> _Held:
        branches, annotations = self.session.neon.annotated_branches(project.id)
        branch = next((each for each in branches if each.default), None)
        text = annotations.get(branch.id, {}).get(ANNOTATION) if branch else None
        return _Held(project, branch, Mark.parse(text))

    def _marked(self, project: Project, mark: Mark | None) -> Marked:
        return Marked(
            PROJECT,
            mark.name if mark else self._logical_name(project.name),
            project.id,
            f"Neon project {project.name} (PostgreSQL {project.pg_version}, {project.region_id})",
            holds_data=True,
            charged=True,
            size={"type": "project"},
            proven=mark is not None,
            props={"organization": self.session.configuration.neon_org_id},
        )

    def _logical_name(self, name: str) -> str:
        """`acme-project-1` of `<prefix>-acme`, `acme-project-2` of `<prefix>-acme-2`."""
        tenant = name.removeprefix(f"{self.prefix}-")
        later = re.fullmatch(r"(.+)-([2-9]|[1-9]\d+)", tenant)
        return f"{later[1]}-project-{later[2]}" if later else f"{tenant}-project-1"
