"""Switching a running sandbox's faults on and off, through the simulator's control address."""

from pathlib import Path

import httpx

from sandbox.faults import SWITCHES
from sandbox.start import SandboxError, environment


def switch_on(folder: Path, name: str, *, times: int, method: str | None = None, path: str | None = None) -> None:
    """Let a fault strike the next `times` matching requests (0: until cleared). Raises SandboxError."""
    if name not in SWITCHES:
        raise SandboxError(f"there is no fault '{name}': `tenantry sandbox faults` lists them")
    wanted = {"name": name, "times": times, "method": method, "path": path}
    _control(folder, "POST", {key: value for key, value in wanted.items() if value is not None})


def clear_faults(folder: Path) -> None:
    """Switch all faults off. Raises SandboxError."""
    _control(folder, "DELETE", None)


def _control(folder: Path, method: str, body: dict[str, object] | None) -> None:
    address = f"{environment(folder)['TIMEWEB_API_URL']}/_sandbox/faults"
    try:
        answer = httpx.request(method, address, json=body)
    except httpx.TransportError as error:
        raise SandboxError("the sandbox does not answer: start it with `tenantry sandbox start`") from error
    if answer.is_error:
        raise SandboxError(f"the sandbox refused the fault: {answer.text}")
