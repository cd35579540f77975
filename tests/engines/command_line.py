"""Pulumi's CLI as the reference: the commands themselves, and what they say of each resource in their event log."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.engine import Change, EngineError, Failure, Handler, Operation, Result, ignore

OPERATIONS: Mapping[str, Operation] = {
    "same": "same",
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
}
STACK_TYPE = "pulumi:pulumi:Stack"


class CommandLine:
    """One stack of a project, run with the `pulumi` on PATH. It does what it is told, without rules of its own."""

    def __init__(self, project: Path, stack: str, environ: Mapping[str, str]) -> None:
        self._project = project
        self._stack = stack
        self._environ = {**environ, "PULUMI_DEBUG_COMMANDS": "true"}
        config = project / f"Pulumi.{stack}.yaml"
        text = config.read_text(encoding="utf-8")
        self._run("stack", "init", stack, "--no-select")
        # The command appends a second salt to a file in JSON form.
        config.write_text(text, encoding="utf-8")

    def preview(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """`pulumi preview`."""
        del on_event
        return self._changes("preview", *(["--refresh"] if refresh else []))

    def up(
        self,
        *,
        refresh: bool = False,
        on_event: Handler = ignore,
        continue_on_error: bool = False,
        preview: bool = False,
    ) -> Result:
        """`pulumi up`, with its preview only where that is asked for: it doubles the time."""
        del on_event
        flags = {
            "--refresh": refresh,
            "--run-program": refresh,
            "--continue-on-error": continue_on_error,
            "--skip-preview": not preview,
        }
        return self._changes("up", "--yes", *(flag for flag, wanted in flags.items() if wanted))

    def refresh(self, *, on_event: Handler = ignore) -> Result:
        """`pulumi refresh` with the program's providers."""
        del on_event
        return self._changes("refresh", "--yes", "--skip-preview", "--run-program")

    def destroy(self, *, including_data: bool = False, on_event: Handler = ignore) -> Result:
        """`pulumi destroy` with the program's providers."""
        del on_event
        protection = "--ignore-protect" if including_data else "--exclude-protected"
        result = self._changes("destroy", "--yes", "--skip-preview", "--run-program", "--refresh", protection)
        left = [entry["urn"] for entry in self.export()["deployment"].get("resources") or []]
        kept = tuple(sorted(urn for urn in left if STACK_TYPE not in urn))
        return Result(result.changes, result.failures, kept)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """`pulumi stack output`."""
        shown = ["--show-secrets"] if show_secrets else []
        outputs: dict[str, Any] = json.loads(self._run("stack", "output", "--json", "--stack", self._stack, *shown))
        return outputs

    def export(self) -> dict[str, Any]:
        """`pulumi stack export`."""
        exported: dict[str, Any] = json.loads(self._run("stack", "export", "--stack", self._stack))
        return exported

    def adopt(self, document: Mapping[str, Any], file: Path) -> None:
        """`pulumi stack import`."""
        file.write_text(json.dumps(document), encoding="utf-8")
        self._run("stack", "import", "--stack", self._stack, "--file", str(file))

    def _run(self, *arguments: str) -> str:
        done = self._start(*arguments)
        if done.returncode:
            raise EngineError(done.stderr or done.stdout)
        return done.stdout

    def _start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=self._project, env=self._environ, capture_output=True, text=True, check=False
        )

    def _changes(self, command: str, *arguments: str) -> Result:
        log = self._project / ".events.json"
        log.unlink(missing_ok=True)
        done = self._start(command, *arguments, "--stack", self._stack, "--event-log", str(log), "--color", "never")
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        result = _told([json.loads(line) for line in lines], refreshing=command == "refresh")
        if done.returncode and result.ok:
            return Result(result.changes, (Failure("", "", done.stdout + done.stderr),))
        return result


def _told(events: list[dict[str, Any]], *, refreshing: bool) -> Result:
    changes: dict[str, Change] = {}
    for event in events:
        kind = "resOutputsEvent" if refreshing else "resourcePreEvent"
        if metadata := event.get(kind, {}).get("metadata"):
            _note(changes, metadata, refreshing=refreshing)
    failures = _failures(events)
    kept = tuple(change for urn, change in changes.items() if urn not in {failure.urn for failure in failures})
    return Result(kept, failures)


def _note(changes: dict[str, Change], metadata: dict[str, Any], *, refreshing: bool) -> None:
    operation = OPERATIONS.get(metadata["op"])
    urn = metadata["urn"]
    known = changes.get(urn)
    # A refresh tells first what it found, then that the program changes nothing about it.
    settled = known is not None and (refreshing or known.operation == "replace")
    if operation is None or metadata["type"] == STACK_TYPE or settled:
        return
    if refreshing and operation == "update":
        operation = "refresh"
    changes[urn] = Change(urn, metadata["type"], _name(urn), operation)


def _failures(events: list[dict[str, Any]]) -> tuple[Failure, ...]:
    """What failed, by resource; the stack's own "update failed" only where nothing else is said."""
    texts: dict[str, str] = {}
    for event in events:
        diagnostic = event.get("diagnosticEvent", {})
        if diagnostic.get("severity") == "error":
            urn = diagnostic.get("urn", "")
            texts[urn] = texts.get(urn, "") + re.sub(r"<\{%.*?%\}>", "", diagnostic["message"])
    named = {urn: text for urn, text in texts.items() if urn and STACK_TYPE not in urn}
    if named:
        return tuple(Failure(urn, _name(urn), text) for urn, text in named.items())
    return tuple(Failure("", "", text) for text in texts.values())


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
