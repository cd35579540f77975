"""A grown tenant moves through the plans and back while it writes, killed in every phase: `make moves`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.move import Phase
from tests.e2e.test_moves import Stage, open_stage
from tests.e2e.writer import Writer

ROWS, OBJECTS = 100_000, 1_000
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("TENANTRY_MOVES"), reason="minutes: run it by `make moves`"),
]
# Where each move is killed, once per phase that it has; the last command of a list goes through.
JOURNEY: list[tuple[str, str, list[Phase]]] = [
    ("timeweb-pro", "timeweb-s3", ["make", "precopy", "freeze"]),
    ("timeweb-business", "s3-standard", ["copy", "verify", "switch"]),
    ("timeweb-free", "timeweb-s3", ["freeze", "copy", "switch"]),
]


@pytest.fixture
def grown(tmp_path: Path) -> Iterator[Stage]:
    """The tenant with its rows and objects."""
    with open_stage(tmp_path / "sandbox") as stage:
        stage.fill(ROWS, OBJECTS)
        yield stage


def ask(stage: Stage, database: str, storage: str) -> None:
    stage.ask("database", database)
    if stage.world.read()["tenants"]["mover"]["storage"]["plan"] != storage:
        stage.ask("storage", storage)


def test_a_grown_tenant_moves_up_and_down_and_loses_nothing(grown: Stage, tmp_path: Path) -> None:
    """A54, F18, H15: 100,000 rows and 1,000 objects, free → pro → business → free, killed once in each phase."""
    before = grown.figures()
    with Writer.start("mover", tmp_path / "writer", grown.world.environ) as writer:
        for database, storage, kills in JOURNEY:
            ask(grown, database, storage)
            for phase in kills:
                grown.move(kill_at=phase)
            outcome = grown.move()
            assert outcome["done"] in {"moved", "moved before"}
            assert grown.stands()[:2] == (database, storage)
            print(f"{database} + {storage}: killed in {', '.join(kills)}, then {outcome['done']}")  # noqa: T201 - a figure
            grown.drop()
            assert grown.stands() == (database, storage, 0)
        writer.stop()
    finish(grown, writer, before)


def test_a_grown_tenant_is_shut_out_for_as_long_as_its_copy_takes(grown: Stage, tmp_path: Path) -> None:
    """F18: the same journey without a kill, for the time during which writes are refused."""
    before = grown.figures()
    with Writer.start("mover", tmp_path / "writer", grown.world.environ) as writer:
        for database, storage, _ in JOURNEY:
            ask(grown, database, storage)
            outcome = grown.move()
            print(f"{database} + {storage}: writes were refused for {outcome['refused_seconds']:.1f} s")  # noqa: T201 - a figure
            grown.drop()
        writer.stop()
    print(f"the writer's longest wait: {writer.refused_seconds():.1f} s")  # noqa: T201 - a figure
    finish(grown, writer, before)


def finish(stage: Stage, writer: Writer, before: tuple[Any, ...]) -> None:
    rows, objects = writer.check(stage.world.tenants()["mover"])
    assert stage.figures() == before
    print(f"{rows} rows and {objects} objects acknowledged meanwhile: none lost, no row doubled")  # noqa: T201 - a figure
