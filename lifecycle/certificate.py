"""The isolation certificate: what was tried, what the rightful tenants may, and what that proves."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

ALLOWED, REFUSED = "allowed", "refused"


@dataclass(frozen=True)
class Probe:
    """One thing that one tenant tried against another, or against something that is nobody's.

    `outcome` is "allowed", "refused" or the fault; `found` names what it reached, where it was to find something.
    `control` is whose success makes a refusal count: the rightful tenant's, who is `against` where nothing is said.
    """

    by: str
    against: str
    what: str
    outcome: str
    found: tuple[str, ...] = ()
    control: str = field(default="", repr=False)

    @property
    def proof(self) -> tuple[str, str]:
        """The control that it needs, or is: who does what."""
        return self.control or self.against, self.what

    def as_json(self) -> dict[str, Any]:
        """Everything but whose control counts, which `against` tells."""
        told = asdict(self)
        del told["control"]
        return told | {"found": list(self.found)}


@dataclass(frozen=True)
class Ledger:
    """What probes note as they run, from several threads."""

    controls: list[Probe] = field(default_factory=list)
    tried: list[Probe] = field(default_factory=list)

    def control(self, by: str, what: str, outcome: str) -> None:
        """A rightful tenant's own probe."""
        self.controls.append(Probe(by, by, what, outcome))

    def attempt(
        self, by: str, against: str, what: str, outcome: str, found: tuple[str, ...] = (), *, control: str = ""
    ) -> None:
        """A probe that must be refused; see `Probe`."""
        self.tried.append(Probe(by, against, what, outcome, found, control))


@dataclass(frozen=True)
class Certificate:
    """`controls` are the rightful tenants' own probes, `tried` those that must be refused."""

    controls: tuple[Probe, ...]
    tried: tuple[Probe, ...]
    stack: str = ""
    when: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    tenants: tuple[str, ...] = ()
    seconds: float = 0.0

    @cached_property
    def _proven(self) -> frozenset[tuple[str, str]]:
        return frozenset(probe.proof for probe in self.controls if probe.outcome == ALLOWED)

    @property
    def attempts(self) -> tuple[Probe, ...]:
        """What counts: tried with a control that succeeded. Who got through needs none."""
        return tuple(probe for probe in self.tried if probe.outcome == ALLOWED or probe.proof in self._proven)

    @property
    def uncontrolled(self) -> tuple[Probe, ...]:
        """What proves nothing, because the rightful tenant cannot do it either."""
        return tuple(probe for probe in self.tried if probe.outcome != ALLOWED and probe.proof not in self._proven)

    @property
    def successes(self) -> tuple[Probe, ...]:
        """Attempts that got through."""
        return tuple(probe for probe in self.attempts if probe.outcome == ALLOWED)

    @property
    def faults(self) -> tuple[Probe, ...]:
        """Attempts that came to neither: a time-out, something missing. They prove nothing."""
        return tuple(probe for probe in self.attempts if probe.outcome not in (ALLOWED, REFUSED))

    @property
    def broken_controls(self) -> tuple[Probe, ...]:
        """Rightful tenants that did not succeed."""
        return tuple(probe for probe in self.controls if probe.outcome != ALLOWED)

    @property
    def holds(self) -> bool:
        """Whether every control succeeded and every attempt was refused; without a control nothing is proven."""
        return bool(self.controls) and not (self.successes or self.faults or self.uncontrolled or self.broken_controls)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Attempts, controls and successes of each kind of probe."""
        kinds = {probe.what: None for probe in (*self.controls, *self.tried)}
        parts: Mapping[str, Counter[str]] = {
            name: Counter(probe.what for probe in probes)
            for name, probes in (
                ("attempts", self.attempts),
                ("controls", self.controls),
                ("successes", self.successes),
            )
        }
        return {kind: {name: counter[kind] for name, counter in parts.items()} for kind in kinds}

    @property
    def summary(self) -> str:
        """`840 attempts, 62 controls, 0 successes`, and what else keeps it from holding."""
        figures = [(self.attempts, "attempts"), (self.controls, "controls"), (self.successes, "successes")]
        extra = [
            (self.faults, "attempts that came to nothing"),
            (self.broken_controls, "controls that failed"),
            (self.uncontrolled, "without a control"),
        ]
        return ", ".join(f"{len(probes)} {name}" for probes, name in [*figures, *(each for each in extra if each[0])])

    def as_json(self) -> dict[str, Any]:
        """All of it, with the SHA-256 `digest` of the rest as sorted JSON without blanks."""
        told: dict[str, Any] = {
            "stack": self.stack,
            "when": self.when.astimezone(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "tenants": list(self.tenants),
            "holds": self.holds,
            "counts": self.counts,
            "attempts": _told(self.attempts),
            "controls": _told(self.controls),
            "successes": _told(self.successes),
            "faults": _told(self.faults),
            "uncontrolled": _told(self.uncontrolled),
        }
        return told | {"digest": digest(told)}

    def write(self, folder: Path) -> Path:
        """Write `isolation-<stack>-<UTC time>.json` into the folder, for its owner's eyes."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = self.when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"isolation-{self.stack}-{stamp}.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self.as_json(), file, ensure_ascii=False, indent=1)
            file.write("\n")
        return path


def digest(told: Mapping[str, Any]) -> str:
    """The SHA-256 of a certificate as JSON, its own `digest` left out."""
    bare = {key: value for key, value in told.items() if key != "digest"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sentences(probes: Iterable[Probe]) -> list[str]:
    """One line for what several did alike: who did what to whom, with what they found."""
    doers: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for probe in probes:
        doers.setdefault((probe.against, probe.what, probe.outcome, probe.found), []).append(probe.by)
    return [
        f"{_listed(by)} against {against}: {what}: {outcome}{f' ({_listed(found)})' if found else ''}"
        for (against, what, outcome, found), by in doers.items()
    ]


def _told(probes: Sequence[Probe]) -> list[dict[str, Any]]:
    return [probe.as_json() for probe in probes]


def _listed(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
