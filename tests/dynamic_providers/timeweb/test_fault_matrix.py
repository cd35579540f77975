"""Every fault of the sandbox at every request of a resource's life: it converges, and nothing is made or lost by it.

A cell of the matrix is one life whose one kind of request is struck. Either the operation succeeds all the same, or it
fails with one sentence and the next run, a new process that reads before it acts, succeeds; what exists afterwards is
what an undisturbed life leaves.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from dynamic_providers.errors import ProviderError
from sandbox.faults import FOREVER, SWITCHES, Fault, Switch, fault
from sandbox.s3 import S3Server
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import serve
from sandbox.simulators.timeweb.state import Delays
from tests.conftest import TOKEN
from tests.dynamic_providers.timeweb.lives import AMPLE, KINDS, PHASES, Kind, Place, Step, converge, lead, steps, until

HASTY = 0.05
OFTEN = {"once": 1, "twice": 2, "lasting": FOREVER}
UNCERTAIN = {"response-lost", "error-after-work", "refused-after-work", "unavailable", "bare-404"}
# Rules that act on the change of a size as well as on an order.
RESIZE = {"stuck", "sold-out"}
# One cell of so many: as the tests of every day take them, and end to end. `make faults` takes them all.
SAMPLE = 23
STEP = int(os.environ.get("TENANTRY_FAULTS_STEP", "4"))


@dataclass(frozen=True)
class Cell:
    """One request of a life and what strikes it."""

    step: Step
    switch: Switch
    often: str

    @property
    def fault(self) -> Fault:
        """The fault to turn on."""
        path = f"^{re.escape(self.step.path).replace('…', '[^/]+')}$"
        return fault(
            self.switch.name,
            method=self.step.method,
            path=path,
            times=OFTEN[self.often],
            skip=self.step.number,
            options={"seconds": 0.02},
        )

    @property
    def sensible(self) -> bool:
        """Whether the fault can do anything there: a rule is the API's, and acts on some operations only."""
        if self.switch.stage != "rule":
            return True
        if self.step.host != "api" or self.often == "twice":
            return False
        if self.switch.name in RESIZE and (self.step.method, self.step.path) == ("PATCH", "/api/v1/databases/…"):
            return True
        return self.switch.method in {"*", self.step.method} and bool(re.search(self.switch.path, self.step.path))

    def __str__(self) -> str:
        return f"{self.switch.name} {self.often} at {self.step}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[Place]:
    """An account that answers at once, without a limit on its pace."""
    s3_server.reset()
    folder: Path = tmp_path_factory.mktemp("matrix")
    at_once = Delays(start=0, resize=0.01, power=0)
    running = serve(
        folder,
        token=TOKEN,
        servers=NoServers(),
        storage=s3_server.timeweb,
        delays=at_once,
        requests_per_second=1_000_000,
    )
    yield Place(running, s3_server, folder)
    running.stop()


def cells(place: Place, kind: Kind) -> list[Cell]:
    found = (Cell(*each) for each in product(steps(place, kind), SWITCHES.values(), OFTEN))
    return [cell for cell in found if cell.sensible]


def improper(place: Place) -> list[str]:
    """What no client may do, found in the logs: a blind second create, a call to what is proven gone."""
    problems: list[str] = []
    uncertain: set[str] = set()
    gone: set[str] = set()
    for host, entry, template in place.requests():
        if host != "api":
            continue
        if entry.path in gone:
            problems.append(f"{entry.method} {template} after it was proven absent")
        if entry.method == "GET":
            uncertain.discard(entry.path)
        elif entry.method == "POST":
            if entry.path in uncertain:
                problems.append(f"POST {template} sent again without a look")
            if entry.status is None or entry.fault in UNCERTAIN:
                uncertain.add(entry.path)
        if entry.status == 404 and entry.fault != "bare-404":
            gone.add(entry.path)
    return problems


def judge(place: Place, kind: Kind, cell: Cell, expected: object) -> list[str]:
    """What went wrong in a cell; nothing, if all is well."""
    phase = cell.step.phase
    until(place, kind, phase)
    place.strike(cell.step.host, cell.fault)
    place.seconds = HASTY if cell.often == "lasting" or cell.switch.name in {"stuck", "delete-ignored"} else AMPLE
    failed = False
    try:
        lead(place, kind, phase)
    except ProviderError as error:
        failed = True
        said = str(error)
        sentence = [] if said and "\n" not in said and TOKEN not in said else [f"no sentence: {said!r}"]
    else:
        sentence = []
    problems = sentence + improper(place)
    place.lift()
    place.seconds = AMPLE
    if not failed and cell.switch.name != "gone" and place.inventory() != expected:
        problems.append("it was told as done, and is not")
    place.forget_requests()
    try:
        converge(place, kind, phase)
    except ProviderError as error:
        return [*problems, f"the next run fails: {error}"]
    problems += improper(place)
    if (found := place.inventory()) != expected:
        problems.append(f"it ends as {found}, not as {expected}")
    return problems


def trials(place: Place, kind: Kind, chosen: Sequence[Cell]) -> list[str]:
    """The problems of some cells, each with its cell."""
    expected: dict[str, object] = {}
    for phase in PHASES:
        until(place, kind, phase)
        lead(place, kind, phase)
        expected[phase] = place.inventory()
    found: list[str] = []
    for cell in chosen:
        try:
            found += [f"{cell}: {problem}" for problem in judge(place, kind, cell, expected[cell.step.phase])]
        except Exception as error:  # noqa: BLE001  whatever a provider lets through is a finding of its cell
            found.append(f"{cell}: {type(error).__name__}: {error}")
    place.clear()
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_fault_at_any_request_converges(place: Place, name: str) -> None:
    """F37, G16, G17, G43, A6: a spread sample of the matrix."""
    kind = KINDS[name]
    found = trials(place, kind, cells(place, kind)[::SAMPLE])
    assert not found, "\n".join(found)


@pytest.mark.e2e
@pytest.mark.parametrize("name", KINDS)
def test_every_fault_at_every_request_converges(place: Place, name: str) -> None:
    """F37, G16, G17, G43, A6: a denser sample; `make faults` runs the whole matrix."""
    kind = KINDS[name]
    found = trials(place, kind, cells(place, kind)[::STEP])
    assert not found, "\n".join(found)
