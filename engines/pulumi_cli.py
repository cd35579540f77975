"""The production engine: the Pulumi CLI on PATH, driven by the Automation API on the checkout's own program."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation.events import EngineEvent, OpType, StepEventMetadata

from engines.engine import (
    Change,
    EngineError,
    Event,
    Failure,
    Handler,
    Kind,
    Operation,
    Result,
    ignore,
    refuse_other_state,
)
from engines.file_lock import folder_of, locks, met_lock, read_owner, require_dead
from engines.leftovers import end_all, leftovers, named
from engines.pulumi_process import PulumiProcess
from engines.pulumi_revisions import moment_of
from engines.resume import cleared, declared_by, notes, refuse_unsettled

# What each of the engine's steps means for a user; a step that is not here is bookkeeping.
OPERATIONS: Mapping[OpType, Operation] = {
    OpType.SAME: "same",
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.DELETE: "delete",
    OpType.REPLACE: "replace",
    OpType.CREATE_REPLACEMENT: "replace",
    OpType.READ: "read",
    OpType.REFRESH: "refresh",
}
PARALLEL = 16
INTERRUPTED = Failure("", "", "interrupted: what had been begun was finished and recorded; run it again for the rest")
# What the CLI says after a program's own sentence.
CLOSING_WORDS = "an unhandled error occurred: program exited"
# A plugin's traceback, up to the line that names the exception.
TRACEBACK = re.compile(r"^.*Traceback \(most recent call last\):\n(?:[ \t]+.*\n)+", re.MULTILINE)
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class _Recorder:
    """Turns the CLI's events into changes and failures, one of each per resource."""

    on_event: Handler
    changes: dict[str, Change] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    # Resources whose refresh has begun: its outcome comes with the event that ends it.
    reading: set[str] = field(default_factory=set)

    def __call__(self, event: EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self._step("started", event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._step("finished", event.res_outputs_event.metadata)
        elif event.res_op_failed_event is not None:
            metadata = event.res_op_failed_event.metadata
            self.failed[metadata.urn] = name_of(metadata.urn)
            self._step("failed", metadata)
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            urn = event.diagnostic_event.urn or ""
            self.messages.setdefault(urn, []).append(event.diagnostic_event.message)

    def _step(self, kind: Kind, metadata: StepEventMetadata) -> None:
        operation = OPERATIONS.get(metadata.op)
        if operation is None or metadata.type == STACK_TYPE:
            return
        if metadata.op is OpType.REFRESH:
            # A refresh before an `up` ends in the same words; what the `up` then does is what counts.
            (self.reading.add if kind == "started" else self.reading.discard)(metadata.urn)
        elif metadata.urn in self.reading:
            self.reading.discard(metadata.urn)
            self._record(metadata, refreshed(operation, metadata))
        elif kind == "started":
            self._record(metadata, operation)
        self.on_event(Event(utc_now(), kind, metadata.urn, name_of(metadata.urn), operation))

    def _record(self, metadata: StepEventMetadata, operation: Operation) -> None:
        known = self.changes.get(metadata.urn)
        # A replacement's parts are told one by one; and after a refresh, that the program changes nothing about it.
        if known is not None and (known.operation == "replace" or operation == "same"):
            return
        fields = tuple(sorted(metadata.diffs or ()))
        self.changes[metadata.urn] = Change(metadata.urn, metadata.type, name_of(metadata.urn), operation, fields)

    def failures(self) -> tuple[Failure, ...]:
        urns = dict.fromkeys([*self.failed, *(urn for urn in self.messages if urn)])
        named = [Failure(urn, name_of(urn), sentence(self.messages.get(urn, []))) for urn in urns if not is_stack(urn)]
        if named:
            return tuple(named)
        whole = [message for urn, messages in self.messages.items() if not urn or is_stack(urn) for message in messages]
        return (Failure("", "", sentence(whole)),) if whole else ()


def refreshed(found: Operation, metadata: StepEventMetadata) -> Operation:
    """What a refresh found, by the operation on the state that ends it.

    Components and providers are nothing that could be looked at, yet the CLI says "update" of each.
    """
    if not metadata.provider or metadata.type.startswith("pulumi:providers:"):
        return "same"
    return "refresh" if found == "update" else found


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.rpartition("::")[2]


def is_stack(urn: str) -> bool:
    """Whether a URN is the stack's own."""
    return f"::{STACK_TYPE}::" in urn


def sentence(messages: Sequence[str]) -> str:
    """The last line of the provider's own error; the traceback before it is the plugin's, not the user's."""
    if not messages:
        return "failed without a message"
    own = [message for message in messages if not message.lstrip().startswith(CLOSING_WORDS)]
    text = re.sub(r"<\{%.*?%\}>|\x1b\[[0-9;]*m", "", "\n".join(own or messages)).strip()
    before, *after = TRACEBACK.split(text)
    lines = [line.strip() for line in (after[-1] if after else before).splitlines() if line.strip()]
    told = " ".join(lines) or "failed without a message"
    return re.sub(r"^[A-Za-z_][\w.]*: " if after else r"^[\w.]+(Error|Exception): ", "", told)


def blamed(failures: tuple[Failure, ...], deployment: Mapping[str, Any]) -> tuple[Failure, ...]:
    """Failures with their causes: a resource that lacks what a failed one did not deliver was only not attempted."""
    needs = {resource["urn"]: resource.get("dependencies") or [] for resource in deployment.get("resources") or []}
    failed = {failure.urn for failure in failures}

    def told(failure: Failure) -> Failure:
        missing = [urn for urn in needs.get(failure.urn, []) if urn in failed]
        if not missing or "has a problem" not in failure.message:
            return failure
        return replace(failure, message=f"not attempted: it needs '{name_of(missing[0])}', which failed")

    return tuple(told(failure) for failure in failures)


def plugins(environ: Mapping[str, str]) -> frozenset[str]:
    """The names of the native plugins that the CLI on PATH finds here."""
    command = ["pulumi", "plugin", "ls", "--json"]
    listed = subprocess.run(command, env=dict(environ), check=False, capture_output=True, text=True)
    if listed.returncode:
        raise EngineError(f"`{' '.join(command)}` failed: {sentence([listed.stderr])}")
    path = environ.get("PATH")
    ambient = [name for name in ("aws",) if shutil.which(f"pulumi-resource-{name}", path=path)]
    return frozenset(plugin["name"] for plugin in json.loads(listed.stdout)).union(ambient)


def make_stack(project: Path, stack: str, environ: Mapping[str, str]) -> None:
    """Make a stack that is not there yet, without selecting it. Raises `EngineError` where the CLI refuses."""
    command = ["pulumi", "stack", "init", stack, "--no-select", "--non-interactive"]
    made = subprocess.run(command, env=dict(environ), cwd=project, check=False, capture_output=True, text=True)
    if made.returncode and "already exists" not in made.stderr:
        raise EngineError(f"`{' '.join(command)}` failed: {sentence([made.stderr])}")


class PulumiCli:
    """One stack of the project in `project`, run by the `pulumi` on PATH."""

    def __init__(
        self, project: Path, stack: str, environ: Mapping[str, str] = os.environ, parallel: int = PARALLEL
    ) -> None:
        self._project = project
        self._name = stack
        self._environ = dict(environ)
        self._parallel = parallel
        self._revision = ""
        self._stack, self._command = self._open()

    @staticmethod
    def available(environ: Mapping[str, str] = os.environ) -> bool:
        """Whether a `pulumi` is on PATH."""
        return shutil.which("pulumi", path=environ.get("PATH")) is not None

    def _open(self) -> tuple[automation.Stack, PulumiProcess]:
        try:
            command = PulumiProcess()
            options = automation.LocalWorkspaceOptions(env_vars=self._environ, pulumi_command=command)
            return automation.create_or_select_stack(self._name, work_dir=str(self._project), opts=options), command
        except automation.InvalidVersionError as error:
            raise EngineError("the pulumi on PATH does not say its version: install a released Pulumi CLI") from error
        except automation.CommandError as error:
            raise EngineError(self._refusal(error)) from error

    def preview(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Say what `up` would do, changing nothing."""
        return self._run(
            on_event, lambda record: self._stack.preview(refresh=refresh, on_event=record, color="never"), changes=False
        )

    def up(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Bring the resources to what the program declares.

        Where the preview holds deletes, they are a run of their own after the rest succeeded: with
        `continue_on_error` an old object would be deleted even when its successor failed.
        """
        plan = self.preview(refresh=refresh)
        if not plan.ok:
            return Result((), plan.failures, (), plan.seconds)
        self._settle(plan)
        deletes = [change.urn for change in plan.changes if change.operation == "delete"]
        replaces = plan.counts["replace"] > 0
        first = self._run(
            on_event,
            lambda record: self._stack.up(
                refresh=refresh,
                on_event=record,
                color="never",
                parallel=self._parallel,
                continue_on_error=not replaces,
                exclude=deletes or None,
            ),
        )
        if not deletes or not first.ok:
            return first
        second = self._run(on_event, lambda ear: self._stack.up(on_event=ear, color="never", parallel=self._parallel))
        return merged(first, second)

    def refresh(self, *, on_event: Handler = ignore) -> Result:
        """Bring the state to what the providers find, with the credentials of today."""
        return self._run(on_event, lambda record: self._stack.refresh(on_event=record, color="never", run_program=True))

    def destroy(self, *, including_data: bool = False, on_event: Handler = ignore) -> Result:
        """Delete every resource; protected ones, and all they depend on, only if `including_data`."""
        seen = self.refresh()
        if not seen.ok:
            return Result((), seen.failures, (), seen.seconds)
        before = self._urns()
        if including_data:
            # The Automation API has no argument for it; the CLI reads every flag from the environment too.
            self._stack.workspace.env_vars = {**self._environ, "PULUMI_OPTION_IGNORE_PROTECT": "true"}
        try:
            result = self._run(
                on_event,
                lambda record: self._stack.destroy(
                    on_event=record,
                    color="never",
                    parallel=self._parallel,
                    run_program=True,
                    exclude_protected=not including_data,
                ),
            )
        finally:
            self._stack.workspace.env_vars = self._environ
        kept = tuple(sorted(urn for urn in self._urns() & before if not is_stack(urn)))
        return Result(result.changes, result.failures, kept if result.ok else (), result.seconds)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Answer the stack's outputs; a secret is the text "[secret]" unless asked for."""
        return self._ask(["stack", "output", "--json", *(["--show-secrets"] if show_secrets else [])])

    def revision(self) -> str:
        """Answer which state this engine's last run left: the moment at which it was written."""
        return self._revision

    def export(self) -> dict[str, Any]:
        """Answer Pulumi's deployment document, secrets encrypted."""
        return self._ask(["stack", "export"])

    def import_state(self, document: Mapping[str, Any], *, instead_of: Mapping[str, Any] | None = None) -> None:
        """Replace the state by a document such as `export` gives; the CLI checks whose it is."""
        refuse_other_state(self.export(), instead_of)
        # Not through the Automation API, which writes the document to a file and leaves it there when it fails.
        command = ["pulumi", "stack", "import", "--stack", self._name, "--non-interactive"]
        imported = subprocess.run(
            command,
            input=json.dumps(document),
            env=self._environ,
            cwd=self._project,
            check=False,
            capture_output=True,
            text=True,
        )
        if imported.returncode:
            raise EngineError(self._refusal(imported.stderr))

    def break_lock(self, *, only_look: bool = False) -> str:
        """Break the lock of a run that is proven dead, end what it left running, and say whose it was; "" for none."""
        project = self._stack.workspace.project_settings().name
        folder = folder_of(str(self._stack.workspace.who_am_i().url or ""), self._project)
        held = locks(folder, project, self._name) if folder else []
        owners = [require_dead(read_owner(file), file, utc_now) for file in held]
        left = leftovers(self._project)
        if not only_look:
            # What lives on may still write to a cloud: before anything is looked at, it ends.
            end_all(left)
            if owners:
                self._stack.cancel()
        return "; ".join([*owners, *([f"left running: {named(left)}"] if left else [])])

    def configuration(self) -> Mapping[str, str]:
        """Answer the stack's configuration by namespaced key, secrets in plain text: never to be shown."""
        return {key: setting.value for key, setting in self._stack.get_all_config().items() if setting.value}

    def finds_ours(self, type_: str) -> bool:
        """Whether a create of this type takes over an object that carries our mark: plugins just make another."""
        return type_.startswith("pulumi-python:")

    def _ask(self, arguments: list[str]) -> dict[str, Any]:
        """What a command of the CLI answers in JSON."""
        command = [*arguments, "--stack", self._name]
        try:
            answer = self._stack.workspace.pulumi_command.run(command, str(self._project), self._environ)
        except automation.CommandError as error:
            raise EngineError(self._refusal(error)) from error
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def _urns(self) -> set[str]:
        resources = self.export()["deployment"].get("resources") or []
        return {resource["urn"] for resource in resources}

    def _settle(self, plan: Result) -> None:
        """Take notes of cut-off operations out of the state, which keeps them for ever, where this run settles them."""
        document = self.export()
        if pending := notes(document):
            refuse_unsettled(pending, declared_by(plan), self.finds_ours, self._name)
            self.import_state(cleared(document, {note["resource"]["urn"] for note in pending}), instead_of=document)

    def _run(self, on_event: Handler, operation: Callable[[_Recorder], object], *, changes: bool = True) -> Result:
        record = _Recorder(on_event)
        started = time.monotonic()
        refusal: automation.CommandError | None = None
        self._command.interrupted = False
        try:
            operation(record)
        except automation.ConcurrentUpdateError as error:
            raise EngineError(
                f"stack '{self._name}' is locked by {met_lock(str(error), utc_now())}: wait for it; if that run is "
                f"dead, run `tenantry resume --stack {self._name}` on its host"
            ) from error
        except automation.CommandError as error:
            refusal = error
        deployment = self.export()["deployment"]
        self._revision = moment_of(deployment)
        failures = blamed(record.failures(), deployment)
        if changes:
            failures = (*failures, *self._unfinished(deployment))
        if refusal is not None and self._command.interrupted:
            failures = (*failures, INTERRUPTED)
        if refusal is not None and not failures:
            raise EngineError(self._refusal(refusal)) from refusal
        return Result(tuple(record.changes.values()), failures, (), time.monotonic() - started)

    def _unfinished(self, deployment: Mapping[str, Any]) -> tuple[Failure, ...]:
        """Resources that the cloud made but never reported ready, and creates whose end nobody saw: never green."""
        ill = [
            Failure(
                resource["urn"], name_of(resource["urn"]), f"was made but is not ready: {resource['initErrors'][0]}"
            )
            for resource in deployment.get("resources") or []
            if resource.get("initErrors")
        ]
        pending = [
            Failure(
                operation["resource"]["urn"],
                name_of(operation["resource"]["urn"]),
                f"its {operation['type']} was cut off: run `tenantry resume --stack {self._name}`, then `up` again",
            )
            for operation in deployment.get("pending_operations") or []
        ]
        return (*ill, *pending)

    def _refusal(self, error: object) -> str:
        """One sentence of the CLI's error lines; its other text may quote outputs and is not shown."""
        lines = [line.partition("error: ")[2].strip() for line in str(error).splitlines() if "error: " in line]
        reason = lines[-1] if lines else "it gave no reason"
        return f"the Pulumi CLI refused to run stack '{self._name}': {reason}"


def merged(first: Result, second: Result) -> Result:
    """Two runs of one `up` as one: what the second found unchanged keeps what the first did to it."""
    changes = {change.urn: change for change in second.changes}
    changes |= {change.urn: change for change in first.changes if change.operation != "same"}
    return Result(tuple(changes.values()), first.failures + second.failures, (), first.seconds + second.seconds)
