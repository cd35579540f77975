"""Which states the Pulumi CLI's backend holds: a state is named by the moment at which it was written.

The CLI lists all stacks of a project with that moment in one call, whatever the backend and however many they are.
"""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.engine import EngineError


def moment_of(deployment: Mapping[str, Any]) -> str:
    """When a state was written, in the words of `revisions`; empty where it holds nothing."""
    written = (deployment.get("manifest") or {}).get("time")
    return _milliseconds(written) if written else ""


def revisions(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The moment at which the state of each of the project's stacks was written. Raises `EngineError`."""
    command = ["pulumi", "stack", "ls", "--json", "--non-interactive"]
    listed = subprocess.run(command, env=dict(environ), cwd=project, check=False, capture_output=True, text=True)
    if listed.returncode:
        reason = (listed.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise EngineError(f"`{' '.join(command)}` failed: {reason}")
    found = json.loads(listed.stdout)
    return {stack["name"]: _milliseconds(stack["lastUpdate"]) for stack in found if stack.get("lastUpdate")}


def _milliseconds(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat(timespec="milliseconds")
