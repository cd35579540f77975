"""A catalogue in a folder of its own, for tests that edit its files."""

import shutil
from pathlib import Path

from catalogue.errors import CatalogueError, Problem
from catalogue.load import Fleet, load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place

PROJECT = Path(__file__).resolve().parent.parent.parent
ACME = """\
tenants:
  acme:
    name: Acme GmbH
    owner: ops@acme.example
    database: {plan: timeweb-free}
    storage: {plan: timeweb-s3}
"""


class FleetFolder:
    """The project's plans and prices, one tenant, nobody placed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("plans.yaml", "prices.yaml"):
            shutil.copy(PROJECT / name, path)
        self.write("tenants.yaml", ACME)

    def write(self, name: str, content: str | bytes) -> None:
        """Put a file into the folder."""
        target = self.path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def names(self) -> set[str]:
        """The files in the folder, hidden ones too."""
        return {path.name for path in self.path.iterdir()}

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the first occurrence of `old`, which must be there."""
        text = (self.path / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def place(self) -> Fleet:
        """Place everybody and load again."""
        fleet = load_fleet(self.path, require_placed=False)
        write_placements(self.path / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))
        return load_fleet(self.path)

    def problems(self, *, require_placed: bool = False) -> tuple[Problem, ...]:
        """Every problem; none where the fleet loads."""
        try:
            load_fleet(self.path, require_placed=require_placed)
        except CatalogueError as error:
            return error.problems
        return ()

    def sentences(self, *, require_placed: bool = False) -> list[str]:
        """Every problem as the user sees it."""
        return [str(problem) for problem in self.problems(require_placed=require_placed)]
