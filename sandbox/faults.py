"""The incidents a simulator replays on demand: one table of switches, each named after what was seen or documented."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Stage = Literal["instead", "after", "slow", "rule"]

FOREVER = 0


@dataclass(frozen=True)
class Switch:
    """One kind of incident.

    `stage` says where it strikes: "instead" answers with `status` and does nothing; "after" does the work and then
    spoils the answer; "slow" waits before the work; "rule" is handed to the vendor's rules. `method`, `path`
    and `times` hold where the caller names nothing else.
    """

    name: str
    incident: str
    stage: Stage
    status: int = 0
    message: str = ""
    method: str = "*"
    path: str = ".*"
    times: int = 1


@dataclass(frozen=True)
class Fault:
    """A switch that is on: it lets `skip` matching requests pass and strikes the next `times` (0: until cleared)."""

    name: str
    method: str
    path: str
    times: int = 1
    skip: int = 0
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def switch(self) -> Switch:
        """The row of the table this fault turns on."""
        return SWITCHES[self.name]

    def strikes(self, method: str, path: str) -> bool:
        """Whether a request is one of those this fault is meant for."""
        return self.method in ("*", method) and re.search(self.path, path) is not None


_CLUSTERS = r"^/api/v1/(databases|dbs)$"
_ONE_OBJECT = r"^/api/v[12]/(databases|dbs|storages/buckets|storages/users)/[^/]+$"
_MANAGED_CLUSTERS = r"^/v2/databases$"
_MANAGED_OBJECT = r"^/v2/databases/[^/]+(/(dbs|users|pools)/[^/]+)?$"
_ANY_OBJECT = _ONE_OBJECT.removesuffix("$") + r"(/(instances|admins)/[^/]+)?$|" + _MANAGED_OBJECT
_PROJECTS = r"^/api/v2/projects"
_ONE_PROJECT = _PROJECTS + r"/[^/]+$"
_OPERATION = _PROJECTS + r"/[^/]+/operations(/[^/]+)?$"

SWITCHES: Mapping[str, Switch] = {
    switch.name: switch
    for switch in (
        Switch("response-lost", "the work was done, but the connection ended before the answer came", "after"),
        Switch("error-after-work", "the work was done, yet the answer was 500", "after", 500, "Internal server error"),
        Switch("refused-after-work", "the work was done, yet the answer was 422", "after", 422, "Unprocessable entity"),
        Switch("unavailable", "503 for a while, nothing done", "instead", 503, "Service unavailable"),
        Switch("bare-404", "the edge answered 404 without an envelope for an object that lives", "instead", 404),
        Switch("locked", "423 while another operation ran on the object", "instead", 423, "Resource is locked"),
        Switch("rate-limited", "429 although the caller kept the pace", "instead", 429, "Too many requests"),
        Switch(
            "forbidden",
            "403 for once, nothing done; while a cluster is polled it makes the native plugin forget the cluster",
            "instead",
            403,
            "You are not authorized to perform this operation",
        ),
        Switch("token-refused", "401 because the token expired or was revoked", "instead", 401, "Unauthorized"),
        Switch("slow", "an answer that took longer than usual; option seconds, default 1", "slow"),
        Switch(
            "sold-out",
            "a size without free resources: gone from the list of presets and refused; option preset_id, else all",
            "rule",
            path=r"^/api/v1/(databases|dbs)$|^/api/v2/presets/dbs$",
            times=FOREVER,
        ),
        Switch(
            "delete-needs-confirmation",
            "a delete that answers 200 with a hash and deletes nothing",
            "rule",
            method="DELETE",
            path=_ONE_OBJECT,
        ),
        Switch(
            "delete-ignored",
            "a delete that answers as if it were done and deletes nothing",
            "rule",
            method="DELETE",
            path=_ANY_OBJECT,
        ),
        Switch(
            "stuck",
            "a cluster that never leaves `starting` or `creating`, or `rebooting` or `resizing` if its size is changed",
            "rule",
            method="POST",
            path=f"{_CLUSTERS}|{_MANAGED_CLUSTERS}",
        ),
        Switch("failed-state", "a cluster that ends in `error`", "rule", method="POST", path=_CLUSTERS),
        Switch(
            "gone",
            "an object removed behind our back just before it was asked for",
            "rule",
            path=f"{_ANY_OBJECT}|{_ONE_PROJECT}",
        ),
        Switch(
            "operation-forbidden",
            "403 while an operation of a Neon project is polled, though the key may see it",
            "instead",
            403,
            "Forbidden",
            method="GET",
            path=_OPERATION,
        ),
        Switch(
            "operation-stuck",
            "a change of a Neon project whose last operation never ends",
            "rule",
            method="POST",
            path=_PROJECTS,
        ),
        Switch(
            "operation-failed",
            "a change of a Neon project whose last operation fails",
            "rule",
            method="POST",
            path=_PROJECTS,
        ),
        Switch(
            "deleted-still-answers",
            "a deleted Neon project that is still shown, since it can be recovered",
            "rule",
            method="GET",
            path=_ONE_PROJECT,
        ),
    )
}


def fault(
    name: str,
    *,
    method: str | None = None,
    path: str | None = None,
    times: int | None = None,
    skip: int = 0,
    options: Mapping[str, object] | None = None,
) -> Fault:
    """A fault with the table's own method, path and times where none are given; ValueError for an unknown name."""
    if name not in SWITCHES:
        raise ValueError(f"there is no fault {name!r}; there are: {', '.join(sorted(SWITCHES))}")
    switch = SWITCHES[name]
    try:
        re.compile(path or switch.path)
    except re.error as error:
        raise ValueError(f"path {path!r} is no regular expression: {error}") from error
    often = switch.times if times is None else times
    return Fault(name, method or switch.method, path or switch.path, often, skip, dict(options or {}))


class FaultBox:
    """The faults that are on, shared by the threads that serve requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, new: Fault) -> None:
        """Turn a fault on; several that match the same request strike one after the other, oldest first."""
        with self._lock:
            self._faults.append(new)

    def clear(self) -> None:
        """Turn all faults off."""
        with self._lock:
            self._faults.clear()

    def active(self) -> tuple[Fault, ...]:
        """The faults that are on, with what is left of their counts."""
        with self._lock:
            return tuple(self._faults)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, if any; its count is used up by one."""
        with self._lock:
            for index, candidate in enumerate(self._faults):
                if not candidate.strikes(method, path):
                    continue
                if candidate.skip:
                    self._faults[index] = replace(candidate, skip=candidate.skip - 1)
                    continue
                if candidate.times == 1:
                    del self._faults[index]
                elif candidate.times != FOREVER:
                    self._faults[index] = replace(candidate, times=candidate.times - 1)
                return candidate
        return None
