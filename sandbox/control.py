"""Switching a running sandbox's faults on and off, through the simulators' control addresses."""

from pathlib import Path

import httpx

from sandbox.faults import SWITCHES
from sandbox.folder import SERVER_FOLDERS
from sandbox.start import SandboxError, addresses


def switch_on(
    folder: Path,
    name: str,
    *,
    times: int,
    method: str | None = None,
    path: str | None = None,
    simulator: str = "timeweb",
) -> str:
    """Let a fault strike the next `times` matching requests to a simulator (0: until cleared); answers what is on.

    Raises SandboxError.
    """
    if name not in SWITCHES:
        raise SandboxError(f"there is no fault '{name}': `tenantry sandbox faults` lists them")
    if simulator not in SERVER_FOLDERS:
        raise SandboxError(f"there is no simulator '{simulator}': there are {', '.join(SERVER_FOLDERS)}")
    wanted = {"name": name, "times": times, "method": method, "path": path}
    given = {key: value for key, value in wanted.items() if value is not None}
    _control(addresses(folder)[simulator], "POST", given)
    return name


def clear_faults(folder: Path) -> None:
    """Switch all faults of all simulators off. Raises SandboxError."""
    urls = addresses(folder)
    for simulator in SERVER_FOLDERS:
        _control(urls[simulator], "DELETE", None)


def _control(url: str, method: str, body: dict[str, object] | None) -> None:
    try:
        answer = httpx.request(method, f"{url}/_sandbox/faults", json=body)
    except httpx.TransportError as error:
        raise SandboxError("the sandbox does not answer: start it with `tenantry sandbox start`") from error
    if answer.is_error:
        raise SandboxError(f"the sandbox refused the fault: {answer.text}")
