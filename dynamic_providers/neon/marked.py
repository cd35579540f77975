"""What of ours is in a Neon account: projects. Their branches and databases go with them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dynamic_providers.marks import Mark, Marked
from dynamic_providers.neon.models import Project
from dynamic_providers.neon.project import ANNOTATION, ProjectProvider
from dynamic_providers.neon.session import Session

PROJECT = "pulumi-python:dynamic/neon:Project"


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
        for project in self.session.neon.projects(self.session.configuration.neon_org_id):
            if project.name.startswith(f"{self.prefix}-") and not project.deleted_at:
                mark = self._mark(project)
                if mark is None or mark.stack == self.stack:
                    yield self._marked(project, mark)

    def remove(self, found: Marked) -> None:
        """Delete a project with all it holds, and read back that it is gone."""
        provider = ProjectProvider()
        provider.connect(self.session)
        provider.delete(found.id, dict(found.props))

    def _mark(self, project: Project) -> Mark | None:
        texts = [each.value.get(ANNOTATION, "") for each in self.session.neon.annotations(project.id).values()]
        return next((mark for text in texts if (mark := Mark.parse(text))), None)

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
